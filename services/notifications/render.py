"""Notices in words: subject, text and HTML in the recipient's language, from `templates/`."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_time, get_timezone_location
from hijridate import Gregorian
from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateNotFound
from markupsafe import Markup

from schemas.event import EventData
from schemas.scheduling import Programme, Slot
from schemas.terms import Bilingual, NoticeLanguage, PersonName
from services.notifications.notice import CENTRE, Entry, Notice, Recipient

_TEMPLATES = Path(__file__).parent / "templates"
_LOCALES: Mapping[NoticeLanguage, Locale] = {"ar": Locale.parse("ar_BH"), "en": Locale.parse("en_GB")}
_HIJRI_UNTIL = date(2077, 11, 16)
"""The last day of the Umm al-Qura tables."""

Format = Literal["html", "text"]
_FORMATS: tuple[Format, ...] = ("html", "text")

VERSION = hashlib.sha256(b"".join(p.read_bytes() for p in sorted(_TEMPLATES.rglob("*.j2")))).hexdigest()[:12]
"""Which wording a notice was rendered with; changes with any template."""

_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
_BLANK_LINES = re.compile(r"\s*\n(?:[ \t]*\n)+")
_BIDI_CONTROLS = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C))


@dataclass(frozen=True, slots=True)
class Letter:
    """A rendered notice; the subject is one line."""

    subject: str
    text: str
    html: str


class MissingTemplate(Exception):
    """There is no template of that name, or one that it builds upon."""


def letter(notice: Notice, data: EventData) -> Letter:
    """Render ``notice`` from the facts of its event. Raises `MissingTemplate`."""
    with _templates():
        return _letter(notice, data)


def _letter(notice: Notice, data: EventData) -> Letter:
    language = notice.recipient.language
    facts = {"data": data, "notice": notice, "person": notice.recipient, "days": partial(_days, data)}
    template = _ENVIRONMENTS[language, "text"].get_template(f"{notice.template}.j2")
    subject = "".join(template.blocks["subject"](template.new_context(facts)))
    html = _ENVIRONMENTS[language, "html"].get_template(f"{notice.template}.j2")
    subject = one_line(subject)
    return Letter(
        subject,
        _BLANK_LINES.sub("\n\n", template.render(facts, title=subject)).strip() + "\n",
        html.render(facts, title=subject),
    )


def description(entry: Entry, recipient: Recipient, data: EventData) -> str:
    """Render what a calendar entry says beside its title, place and time. Raises `MissingTemplate`."""
    roles = [part.role for part in entry.slot.assignments if part.person == recipient.person]
    with _templates():
        template = _ENVIRONMENTS[recipient.language, "text"].get_template("calendar_entry.j2")
        return template.render(data=data, entry=entry, roles=roles).strip()


@contextmanager
def _templates() -> Iterator[None]:
    """Jinja's own error is an OSError, which would be waited out like a server that is away."""
    try:
        yield
    except TemplateNotFound as error:
        raise MissingTemplate(f"there is no template {error.name}") from error


def one_line(value: str) -> str:
    """``value`` without line breaks and without characters that turn the writing direction.

    What looks like an encoded word (RFC 2047) is broken up: a header would decode it, line breaks included.
    """
    return " ".join(value.translate(_BIDI_CONTROLS).split()).replace("=?", "= ?")


def _isolate(format_: Format, language: NoticeLanguage, value: object) -> str:
    """Keep a name, number or reference from disturbing the direction of the text around it."""
    text = one_line(str(value))
    if format_ == "html":
        return Markup("<bdi>{}</bdi>").format(text)
    if language == "en" and not _runs_from_right(text):
        return text
    return f"\u2068{text}\u2069"


def _runs_from_right(text: str) -> bool:
    return not text.isascii() and any(unicodedata.bidirectional(each) in _RIGHT_TO_LEFT for each in text)


def _flow(value: str) -> str:
    return " ".join(value.split())


def _lines(value: str) -> list[str]:
    """The lines of a longer text, each without direction controls."""
    return [one_line(line) for line in value.splitlines() if line.strip()]


def _in_language(language: NoticeLanguage, value: Bilingual | PersonName) -> str:
    if isinstance(value, PersonName):
        return value.arabic if language == "ar" else value.latin
    return value.ar if language == "ar" else value.en


def _day(language: NoticeLanguage, value: date) -> str:
    gregorian = format_date(value, "full", locale=_LOCALES[language])
    if not date(1924, 8, 1) <= value <= _HIJRI_UNTIL:
        return gregorian
    hijri = Gregorian.fromdate(value).to_hijri()
    era = "هـ" if language == "ar" else "AH"
    return f"{gregorian} ({hijri.day} {hijri.month_name(language)} {hijri.year} {era})"


def _country(language: NoticeLanguage, code: str) -> str:
    return str(_LOCALES[language].territories.get(code, code))


def _language(language: NoticeLanguage, tag: str) -> str:
    return str(_LOCALES[language].languages.get(tag, tag))


def _time(language: NoticeLanguage, value: datetime, zone: str) -> str:
    return format_time(value, "HH:mm", tzinfo=ZoneInfo(zone), locale=_LOCALES[language])


def _zone(language: NoticeLanguage, name: str) -> str:
    return get_timezone_location(ZoneInfo(name), locale=_LOCALES[language])


def _local_day(value: datetime, zone: str) -> date:
    return value.astimezone(ZoneInfo(zone)).date()


def _days(data: EventData, slots: Iterable[Slot]) -> list[tuple[date, list[Slot]]]:
    """The sessions by day in the programme's zone, both in order of time."""
    if not isinstance(data, Programme):
        raise TypeError(f"{type(data).__name__} has no sessions")
    days: dict[date, list[Slot]] = {}
    for slot in sorted(slots, key=lambda slot: (slot.starts, slot.key)):
        days.setdefault(_local_day(slot.starts, data.time_zone), []).append(slot)
    return list(days.items())


def _environment(language: NoticeLanguage, format_: Format) -> Environment:
    """One message file serves both formats: `parts.j2` and `layout.j2` differ by search path."""
    environment = Environment(
        loader=FileSystemLoader([_TEMPLATES / name for name in (language, format_, "shared")]),
        autoescape=format_ == "html",  # noqa: S701 -- plain text has nothing to escape
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals.update(lang=language, centre=_in_language(language, CENTRE))
    environment.filters.update(
        isolate=partial(_isolate, format_, language),
        in_language=partial(_in_language, language),
        day=partial(_day, language),
        clock=partial(_time, language),
        zone=partial(_zone, language),
        country=partial(_country, language),
        language=partial(_language, language),
        local_day=_local_day,
        split_lines=_lines,
        flow=_flow,
    )
    return environment


_ENVIRONMENTS: Mapping[tuple[NoticeLanguage, Format], Environment] = {
    (language, format_): _environment(language, format_) for language in _LOCALES for format_ in _FORMATS
}
