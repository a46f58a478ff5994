"""Valid values for the tests of visits; each test changes what it is about."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from schemas.scheduling import Assignment, CataloguePublished, Place, SiteEntry, Slot, ThemeEntry
from schemas.terms import Bilingual, PersonName
from services.visits.commands import Consult
from services.visits.consultation import Consultation, Status
from services.visits.intake import read_request
from services.visits.programme import Host, StoredProgramme
from services.visits.request import VisitRequest
from services.visits.transitions import WITH_PROGRAMME, State
from services.visits.visit import Advice, Visit

TODAY = date(2027, 1, 10)
NOW = datetime(2027, 1, 10, 9, tzinfo=UTC)
STARTS = datetime(2027, 1, 25, 6, tzinfo=UTC)
ENDS = datetime(2027, 1, 26, 11, tzinfo=UTC)
RESPOND_BY = datetime(2027, 1, 15, 9, tzinfo=UTC)


def bilingual(text: str) -> Bilingual:
    return Bilingual(ar=f"ال{text}", en=text)


def catalogue(revision: int = 1, **changes: Any) -> CataloguePublished:
    themes = ("national-referral-mechanism", "victim-identification", "shelter-management", "prosecution")
    return CataloguePublished(
        **{
            "revision": revision,
            "themes": tuple(ThemeEntry(code=code, title=bilingual(code)) for code in themes),
            "sites": (
                site("shelter", cap=8, media=False, confidential=True),
                site("expat-protection-centre", cap=20, media=True, confidential=False),
            ),
            "largest_venue": 40,
        }
        | changes
    )


def site(code: str, *, cap: int, media: bool, confidential: bool) -> SiteEntry:
    return SiteEntry(
        code=code,
        title=bilingual(code),
        group_cap=cap,
        visitors=2 * cap,
        media_allowed=media,
        confidentiality_required=confidential,
    )


def member(number: int = 0, **changes: Any) -> dict[str, Any]:
    return {
        "name": {"latin": f"Member {number}", "arabic": f"العضو {number}"},
        "role": "head" if number == 0 else "member",
        "rank": "director" if number == 0 else "officer",
        "position": "Director" if number == 0 else "Officer",
    } | changes


def body(size: int = 2, today: date = TODAY, **changes: Any) -> dict[str, Any]:
    return {
        "sender_reference": "MOFA/2027/1",
        "note_verbale": {"number": "NV-1", "date": "2026-01-20"},
        "ministry": "Ministry of Foreign Affairs",
        "focal_point": {
            "name": {"latin": "Maryam Haddad", "arabic": "مريم حداد"},
            "email": "focal@mofa.example",
        },
        "kind": "study",
        "subject": "The referral mechanism",
        "themes": ["national-referral-mechanism"],
        "objectives": {"en": "To see the referral mechanism."},
        "windows": [{"first": str(today + timedelta(days=14)), "last": str(today + timedelta(days=25))}],
        "days": 2,
        "size": size,
        "members": [member(number) for number in range(size)],
        "languages": ["ar"],
    } | changes


def request(**changes: Any) -> VisitRequest:
    return read_request(json.dumps(body(**changes)).encode(), catalogue(), TODAY)


def programme(release: int = 1, revision: int = 1, *, firm: bool = False, **changes: Any) -> StoredProgramme:
    return StoredProgramme(
        **{
            "revision": revision,
            "release": release,
            "time_zone": "Asia/Bahrain",
            "slots": (
                slot("welcome", STARTS, STARTS + timedelta(hours=1)),
                slot("closing", ENDS - timedelta(hours=1), ENDS),
            ),
            "persons": (Host(person="host-01", name=PersonName(latin="Host", arabic="مضيف")),),
            "respond_by": None if firm else RESPOND_BY,
        }
        | changes
    )


def slot(key: str, starts: datetime, ends: datetime) -> Slot:
    return Slot(
        key=key,
        kind="welcome" if key == "welcome" else "closing",
        title=bilingual(key),
        starts=starts,
        ends=ends,
        place=Place(code="majlis", name=bilingual("majlis"), address=bilingual("Sehla")),
        assignments=(Assignment(person="host-01", role="host"),),
    )


def consult(body: str = "Ministry of Interior", **changes: Any) -> Consult:
    """An order to consult a body without veto."""
    values: dict[str, Any] = {
        "contact_name": "Fatima Doseri",
        "contact_email": "visits@interior.example",
        "contact_language": "en",
        "veto": False,
        "question": "May they tour the shelter?",
        "days": 5,
    }
    return Consult(body, **values | changes)


def consultation(status: Status = Status.OPEN, **changes: Any) -> Consultation:
    """A consultation as it typically is; it was opened at `NOW` for five days."""
    until = NOW + timedelta(days=5)
    values: dict[str, Any] = {
        "number": 1,
        "revision": 1,
        "body": "Ministry of Interior",
        "contact_name": "Fatima Doseri",
        "contact_email": "visits@interior.example",
        "contact_language": "en",
        "veto": False,
        "question": "May they tour the shelter?",
        "days": 5,
        "status": status,
        "opened_at": NOW,
        "respond_by": until,
        "act_at": until if status is Status.OPEN else None,
        "ended_at": None if status is Status.OPEN else until,
        "reason": "The shelter is closed." if status is Status.OBJECTED else None,
    }
    return Consultation(**values | changes)


def visit(state: State = State.SUBMITTED, **changes: Any) -> Visit:
    """A visit as it typically is in ``state``."""
    over = state in (State.COMPLETED, State.REPORTED)
    firm = state is not State.PROPOSED
    values: dict[str, Any] = {
        "id": UUID(int=7),
        "reference": "V-2027-000001",
        "client": UUID(int=1),
        "country": "QA",
        "state": state,
        "revision": 1,
        "approvable": 1,
        "request": request(),
        "programme": programme(firm=firm) if state in WITH_PROGRAMME else None,
        "advice": Advice((bilingual("No room is free"),), ()) if state is State.WAITLISTED else None,
        "report_due": date(2027, 2, 25) if over else None,
        "chase_at": datetime(2027, 2, 25, 21, tzinfo=UTC) if over else None,
        "report": "All went well." if state is State.REPORTED else None,
    }
    return Visit(**values | changes)
