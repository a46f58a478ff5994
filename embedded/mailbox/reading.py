"""Takes messages apart for showing; nothing in a hostile message makes it fail."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message

from icalendar import Calendar, Component

FACTS = ("summary", "status", "dtstart", "dtend", "location", "organizer", "attendee", "description",
         "rrule", "recurrence-id", "sequence", "uid", "url")  # fmt: skip


@dataclass(frozen=True)
class Headers:
    """What the list shows of a message."""

    sender: str
    subject: str
    message_id: str
    language: str | None
    has_calendar: bool


@dataclass(frozen=True)
class Part:
    """One leaf of a message: ``text`` is its decoded text when it is a text."""

    number: int
    kind: str
    name: str
    content: bytes
    text: str | None


@dataclass(frozen=True)
class Entry:
    """One event of a calendar: its facts as pairs of name and value, in the order to show."""

    facts: tuple[tuple[str, str], ...]


def read_headers(raw: bytes) -> Headers:
    """The headers the list shows, decoded; a missing one is empty."""
    message = message_from_bytes(raw)
    return Headers(
        sender=_header(message, "From"),
        subject=_header(message, "Subject"),
        message_id=_header(message, "Message-ID").strip(),
        language=_header(message, "Content-Language").strip() or None,
        has_calendar=any(part.get_content_type() == "text/calendar" for part in message.walk()),
    )


def parts_of(raw: bytes) -> list[Part]:
    """Every leaf of a message, in order."""
    leaves = (leaf for leaf in message_from_bytes(raw).walk() if not leaf.is_multipart())
    return [_part(number, leaf) for number, leaf in enumerate(leaves)]


def entries_of(calendar: str) -> tuple[str, list[Entry]]:
    """A calendar's METHOD and events. Raises ValueError when it is none."""
    try:
        read = Calendar.from_ical(calendar)
        entries = [Entry(tuple(_facts(event))) for event in read.walk("VEVENT")]
        return str(read.get("method", "")), entries
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as problem:
        raise ValueError(f"this calendar cannot be read: {problem}") from problem


def _facts(event: Component) -> Iterator[tuple[str, str]]:
    for name in FACTS:
        values = event.get(name, [])
        for value in values if isinstance(values, list) else [values]:
            moment = getattr(value, "dt", None)
            yield name, str(moment) if isinstance(moment, date) else _plain(value)


def _plain(value: object) -> str:
    parameters = getattr(value, "params", {})
    extra = [str(parameters[name]) for name in ("CN", "PARTSTAT") if name in parameters]
    text = value.to_ical().decode() if isinstance(value, dict) and hasattr(value, "to_ical") else str(value)
    return " · ".join([text, *extra])


def _header(message: Message, name: str) -> str:
    value = message.get(name)
    if value is None:
        return ""
    try:
        return str(make_header(decode_header(value)))
    except (ValueError, LookupError, TypeError):
        return str(value).encode(errors="replace").decode()


def _part(number: int, leaf: Message) -> Part:
    payload = leaf.get_payload(decode=True)
    content = payload if isinstance(payload, bytes) else b""
    name = leaf.get_filename() or ""
    kind = leaf.get_content_type()
    text = _text(content, leaf) if leaf.get_content_maintype() == "text" else None
    return Part(number, kind, name, content, text)


def _text(content: bytes, leaf: Message) -> str:
    try:
        return content.decode(leaf.get_content_charset("utf-8"), errors="replace")
    except LookupError:
        return content.decode("utf-8", errors="replace")
