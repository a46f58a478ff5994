"""Calendar objects (RFC 5545, RFC 5546): one for each session, under one UID for life."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from icalendar import Calendar, Event, vCalAddress, vText

from services.notifications.notice import CENTRE, Entry, Office, Recipient


@dataclass(frozen=True, slots=True)
class Invitation:
    """An iCalendar object with its method and the name of the file it travels as."""

    method: Literal["REQUEST", "CANCEL"]
    filename: str
    ics: str


@dataclass(frozen=True, slots=True)
class Organiser:
    """Who organises the sessions, and the domain under which their UIDs are unique."""

    office: Office
    domain: str


def invitation(
    entry: Entry,
    recipient: Recipient,
    *,
    visit: str,
    reference: str,
    description: str,
    organiser: Organiser,
    stamp: datetime,
) -> Invitation:
    """Write ``entry`` for ``recipient``, who needs an address; ``stamp`` is aware.

    Times stand in UTC: they are instants, no session recurs, and every client shows them in its
    owner's zone without depending on how it understands a VTIMEZONE.
    """
    slot, language = entry.slot, recipient.language
    event = Event()
    event.add("uid", f"{slot.key}.{visit}@{organiser.domain}")
    event.add("sequence", entry.sequence)
    event.add("dtstamp", stamp.astimezone(UTC))
    event.add("dtstart", slot.starts.astimezone(UTC))
    event.add("dtend", slot.ends.astimezone(UTC))
    event.add("status", entry.status)
    event.add("transp", "OPAQUE")
    event.add("summary", f"{getattr(slot.title, language)} – {reference}", {"LANGUAGE": language})
    comma = "،" if language == "ar" else ","
    place = f"{getattr(slot.place.name, language)}{comma} {getattr(slot.place.address, language)}"
    event.add("location", place, {"LANGUAGE": language})
    event.add("description", description, {"LANGUAGE": language})
    event.add("organizer", _address(organiser.office.address, getattr(CENTRE, language)))
    event.add("attendee", _attendee(recipient, entry))
    return Invitation(entry.method, f"{slot.key}.ics", _calendar(entry.method, event))


def _calendar(method: str, event: Event) -> str:
    calendar = Calendar()
    calendar.add("prodid", "-//Wafd//Notifications//EN")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", method)
    calendar.add_component(event)
    ical: bytes = calendar.to_ical()
    return ical.decode()


def _address(address: str, name: str) -> vCalAddress:
    value = vCalAddress(f"mailto:{address}")
    value.params["CN"] = vText(name)
    return value


def _attendee(recipient: Recipient, entry: Entry) -> vCalAddress:
    address = recipient.address or ""
    attendee = _address(address, recipient.shown_name or address)
    attendee.params["CUTYPE"] = vText("INDIVIDUAL")
    attendee.params["ROLE"] = vText("REQ-PARTICIPANT")
    if entry.method == "REQUEST":
        attendee.params["PARTSTAT"] = vText("NEEDS-ACTION")
        attendee.params["RSVP"] = vText("TRUE")
    return attendee
