"""Calendar objects, read back as a calendar would."""

from datetime import UTC, datetime

from icalendar import Calendar

from services.notifications.domain import notices_of
from services.notifications.invitation import Invitation, Organiser, invitation
from services.notifications.notice import Recipient
from tests.unit.notifications.events import (
    NOW,
    OFFICE,
    VISIT,
    WELCOME,
    cancelled,
    event,
    proposed,
    released,
    revised,
    slot,
)

TOLD = {"p-001": (WELCOME,)}


def _invitations(data, person: str = "p-001", told=None) -> list[Invitation]:
    notice = next(n for n in notices_of(event(data), OFFICE, told or {}) if n.recipient.person == person)
    return [_written(entry, notice.recipient) for entry in notice.entries]


def _written(entry, recipient: Recipient) -> Invitation:
    return invitation(
        entry,
        recipient,
        visit=str(VISIT),
        reference="V-2026-000017",
        description="What it is about",
        organiser=Organiser(OFFICE, "centre.example"),
        stamp=NOW,
    )


def _read(each: Invitation):
    calendar = Calendar.from_ical(each.ics)
    (entry,) = calendar.walk("VEVENT")
    return calendar, entry


def test_a_proposal_is_a_tentative_request_for_one_session():
    calendar, entry = _read(_invitations(proposed())[0])

    assert calendar["METHOD"] == "REQUEST"
    assert calendar["VERSION"] == "2.0"
    assert "METHOD" not in entry
    assert entry["STATUS"] == "TENTATIVE"
    assert entry["UID"] == f"welcome.{VISIT}@centre.example"
    assert entry["DTSTAMP"].dt == NOW
    assert entry["DTSTART"].dt == datetime(2026, 10, 11, 6, tzinfo=UTC)
    assert entry["DTEND"].dt == datetime(2026, 10, 11, 7, tzinfo=UTC)


def test_the_entry_speaks_the_language_of_its_recipient():
    _, arabic = _read(_invitations(proposed(), "p-001")[0])
    _, english = _read(_invitations(proposed(), "p-007")[0])

    assert arabic["SUMMARY"] == "إحاطة welcome – V-2026-000017"
    assert arabic["LOCATION"] == "قاعة التدريب، مبنى 855، السيف"
    assert arabic["ATTENDEE"].params["CN"] == "نورة آل خليفة"
    assert english["SUMMARY"] == "Briefing referral – V-2026-000017"


def test_the_office_organises_and_the_recipient_alone_is_asked_to_answer():
    _, entry = _read(_invitations(proposed())[0])

    assert entry["ORGANIZER"] == "mailto:protocol@centre.example"
    assert entry["ATTENDEE"] == "mailto:noora@centre.example"
    assert entry["ATTENDEE"].params["RSVP"] == "TRUE"
    assert entry["ATTENDEE"].params["PARTSTAT"] == "NEEDS-ACTION"


def test_a_session_keeps_its_uid_for_life_while_its_sequence_rises():
    moved = slot("welcome", [("p-001", "host")], hour=7)
    life = [
        _invitations(proposed())[0],
        _invitations(released(), told=TOLD)[0],
        _invitations(revised((moved,), changed=("welcome",), affected=("p-001",)), told=TOLD)[0],
        _invitations(cancelled(release=2), told=TOLD)[0],
    ]
    entries = [_read(each)[1] for each in life]

    assert len({entry["UID"] for entry in entries}) == 1
    sequences = [entry["SEQUENCE"] for entry in entries]
    assert sequences == sorted(set(sequences))
    assert [entry["STATUS"] for entry in entries] == ["TENTATIVE", "CONFIRMED", "TENTATIVE", "CANCELLED"]


def test_a_cancellation_has_its_method_and_status():
    each = _invitations(cancelled())[0]
    calendar, entry = _read(each)

    assert (each.method, calendar["METHOD"], entry["STATUS"]) == ("CANCEL", "CANCEL", "CANCELLED")
    assert "RSVP" not in entry["ATTENDEE"].params


def test_each_session_is_an_object_of_its_own_with_a_file_name_of_its_own():
    invitations = _invitations(proposed())

    assert [each.filename for each in invitations] == ["welcome.ics", "referral.ics"]
    assert [len(Calendar.from_ical(each.ics).walk("VEVENT")) for each in invitations] == [1, 1]


def test_a_hostile_title_adds_no_property():
    hostile = WELCOME.model_copy(
        update={"title": WELCOME.title.model_copy(update={"ar": "جلسة\nATTENDEE:mailto:spy@evil.example"})}
    )

    _, entry = _read(_invitations(proposed((hostile,)))[0])

    assert entry["ATTENDEE"] == "mailto:noora@centre.example"
    assert "spy@evil.example" in entry["SUMMARY"]
