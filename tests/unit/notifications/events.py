"""Events for the tests of notices, valid by default."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from schemas.event import Event, EventData, new_event, read_event
from schemas.scheduling import (
    Alternative,
    Assignment,
    CancelledPeople,
    CentrePerson,
    Place,
    ProgrammeCancelled,
    ProgrammeInfeasible,
    ProgrammePeople,
    ProgrammeProposed,
    ProgrammeReleased,
    ProgrammeRevised,
    Slot,
)
from schemas.terms import Bilingual, Contact, DateWindow, PersonName, Rank, VisitKind
from schemas.visits import (
    AmendmentPeople,
    AnswerPeople,
    BodyContact,
    ConsultationAnswered,
    ConsultationOpened,
    ConsultationOverdue,
    ConsultationPeople,
    ConsultedPeople,
    DelegationPeople,
    InformationRequested,
    MinistryPeople,
    Needs,
    QuestionPeople,
    ReasonPeople,
    ReportOverdue,
    ReportPeople,
    RequestAmended,
    RequestDeclined,
    RequestSubmitted,
    RequestWithdrawn,
    VisitCancelled,
    VisitCompleted,
    VisitReported,
)
from services.notifications.notice import Office

VISIT = UUID("01990a6e-3c00-7000-8000-000000000017")
NOW = datetime(2026, 9, 6, 9, 12, 44, tzinfo=UTC)
OFFICE = Office("protocol@centre.example", "en")
MARIAM = Contact(
    name=PersonName(latin="Mariam Al-Kuwari", arabic="مريم الكواري"),
    email="mariam@mofa.example",
    phone="+974 5550 0142",
    language="ar",
)
THOMAS = Contact(name=PersonName(latin="Thomas Berger", arabic="توماس بيرغر"), email="thomas@mission.example")
NOORA = CentrePerson(
    person="p-001",
    name=PersonName(latin="Noora Al-Khalifa", arabic="نورة آل خليفة"),
    email="noora@centre.example",
    language="ar",
)
YUSUF = CentrePerson(
    person="p-007",
    name=PersonName(latin="Yusuf Jaffar", arabic="يوسف جعفر"),
    email="yusuf@centre.example",
    language="en",
)
ALI = CentrePerson(
    person="p-021", name=PersonName(latin="Ali Marhoon", arabic="علي مرهون"), email=None, language="ar"
)
NEEDS = Needs(
    kind=VisitKind.STUDY,
    themes=("referral", "shelter"),
    sites=("protection-centre",),
    windows=(DateWindow(first=date(2026, 10, 11), last=date(2026, 10, 15)),),
    days=2,
    blackout_dates=(date(2026, 10, 13),),
    size=6,
    head_rank=Rank.DIRECTOR_GENERAL,
    languages=("ar", "en"),
    access_needs=("step-free",),
)
VISIT_FACTS: dict[str, Any] = {
    "reference": "V-2026-000017",
    "revision": 2,
    "country": "QA",
    "ministry": "Ministry of Foreign Affairs",
}


def slot(key: str, parts: Iterable[tuple[str, str]], hour: int = 6) -> Slot:
    """A session of one hour on 11 October 2026; ``hour`` is UTC, the Centre is three ahead."""
    starts = datetime(2026, 10, 11, hour, tzinfo=UTC)
    return Slot(
        key=key,
        kind="briefing",
        title=Bilingual(ar=f"إحاطة {key}", en=f"Briefing {key}"),
        starts=starts,
        ends=starts + timedelta(hours=1),
        place=Place(
            code="hall",
            name=Bilingual(ar="قاعة التدريب", en="Training Hall"),
            address=Bilingual(ar="مبنى 855، السيف", en="Building 855, Seef"),
        ),
        assignments=tuple(Assignment.model_validate({"person": p, "role": r}) for p, r in parts),
    )


WELCOME = slot("welcome", [("p-001", "host")])
REFERRAL = slot("referral", [("p-007", "expert"), ("p-001", "host")], hour=8)
CLOSING = slot("closing", [("p-007", "interpreter"), ("p-021", "escort")], hour=10)
SLOTS = (WELCOME, REFERRAL, CLOSING)


def ministry(*contacts: Contact) -> MinistryPeople:
    return MinistryPeople(focal_points=contacts or (MARIAM, THOMAS))


def why(reason: str, *contacts: Contact) -> ReasonPeople:
    return ReasonPeople(focal_points=contacts or (MARIAM, THOMAS), reason=reason)


def _programme(slots: Iterable[Slot], persons: Iterable[CentrePerson], release: int) -> dict[str, Any]:
    return {
        **VISIT_FACTS,
        "release": release,
        "time_zone": "Asia/Bahrain",
        "slots": tuple(slots),
        "people": ProgrammePeople(focal_points=(MARIAM, THOMAS), persons=tuple(persons)),
    }


EVERYBODY = (NOORA, YUSUF, ALI)
RESPOND_BY = datetime(2026, 9, 20, 21, 30, tzinfo=UTC)


def proposed(
    slots: Iterable[Slot] = SLOTS, persons: Iterable[CentrePerson] = EVERYBODY, release: int = 1
) -> ProgrammeProposed:
    return ProgrammeProposed(**_programme(slots, persons, release), respond_by=RESPOND_BY)


def released(slots: Iterable[Slot] = SLOTS, release: int = 1) -> ProgrammeReleased:
    return ProgrammeReleased(**_programme(slots, EVERYBODY, release))


def revised(
    slots: Iterable[Slot] = SLOTS,
    *,
    removed: Iterable[Slot] = (),
    changed: Iterable[str] = (),
    affected: Iterable[str] = (),
    release: int = 2,
) -> ProgrammeRevised:
    return ProgrammeRevised(
        **_programme(slots, EVERYBODY, release),
        removed=tuple(removed),
        changed=tuple(changed),
        affected=tuple(affected),
        respond_by=RESPOND_BY,
    )


def cancelled(slots: Iterable[Slot] = SLOTS, release: int = 1) -> ProgrammeCancelled:
    facts = _programme(slots, EVERYBODY, release)
    people = CancelledPeople(**dict(facts.pop("people")), reason="The delegation cannot come.")
    return ProgrammeCancelled(**facts, people=people)


def infeasible() -> ProgrammeInfeasible:
    return ProgrammeInfeasible(
        **VISIT_FACTS,
        reasons=(Bilingual(ar="لا توجد قاعة متاحة", en="No venue is free"),),
        alternatives=(
            Alternative(
                window=DateWindow(first=date(2026, 10, 18), last=date(2026, 10, 22)),
                first_day=date(2026, 10, 18),
                themes=("referral",),
                note=Bilingual(ar="بعد أسبوع", en="A week later"),
            ),
        ),
        people=ministry(),
    )


def submitted(**changes: Any) -> RequestSubmitted:
    facts = {
        **VISIT_FACTS,
        "sender_reference": "MOFA/117",
        "note_verbale": "NV 12/2026",
        "needs": NEEDS,
        "people": DelegationPeople(focal_points=(MARIAM, THOMAS), subject="Study of the referral mechanism"),
    }
    return RequestSubmitted(**(facts | changes))


def amended(changed: tuple[str, ...] = ("/needs/size",), message: str | None = None) -> RequestAmended:
    return RequestAmended(
        **VISIT_FACTS,
        changed=changed,
        needs_approval=True,
        needs=NEEDS,
        people=AmendmentPeople(focal_points=(MARIAM, THOMAS), subject="A study visit", message=message),
    )


def declined(reason: str = "The shelter is closed.\nPlease ask again in spring.") -> RequestDeclined:
    return RequestDeclined(**VISIT_FACTS, people=why(reason))


CONTACT = BodyContact(name="Fatima Al-Doseri", email="fatima@interior.example", language="en")


def _consultation(kind: type[ConsultationPeople], *free_text: str, **changes: Any) -> dict[str, Any]:
    people = {"contact": CONTACT, "question": "May they tour the shelter?"}
    people |= {name: changes.pop(name) for name in ("question", *free_text) if name in changes}
    return {
        **VISIT_FACTS,
        "consultation": 3,
        "body": "Ministry of Interior",
        "veto": False,
        "respond_by": RESPOND_BY,
        "time_zone": "Asia/Bahrain",
        "people": kind(**people),
    } | changes


def consultation_opened(**changes: Any) -> ConsultationOpened:
    asked = {"subject": "Study of the referral mechanism", "needs": NEEDS}
    return ConsultationOpened(**_consultation(ConsultedPeople, "subject", **asked | changes))


def consultation_answered(**changes: Any) -> ConsultationAnswered:
    said = {"answer": "object", "reason": "The shelter is closed."}
    return ConsultationAnswered(**_consultation(AnswerPeople, "reason", **said | changes))


def consultation_overdue() -> ConsultationOverdue:
    subject = "Study of the referral mechanism"
    return ConsultationOverdue(**_consultation(ConsultedPeople, "subject", veto=True, subject=subject))


EACH: tuple[EventData, ...] = (
    submitted(),
    amended(),
    InformationRequested(
        **VISIT_FACTS,
        people=QuestionPeople(focal_points=(MARIAM, THOMAS), question="Who leads the delegation?"),
    ),
    declined(),
    RequestWithdrawn(**VISIT_FACTS, people=why("The dates no longer suit.")),
    VisitCancelled(**VISIT_FACTS, people=why("Nobody answered.")),
    VisitCompleted(**VISIT_FACTS, completed_at=NOW, report_due=date(2026, 11, 12), people=ministry()),
    ReportOverdue(**VISIT_FACTS, report_due=date(2026, 11, 12), people=ministry()),
    VisitReported(
        **VISIT_FACTS, people=ReportPeople(focal_points=(MARIAM, THOMAS), summary="A fruitful visit.")
    ),
    consultation_opened(),
    consultation_answered(),
    consultation_overdue(),
    infeasible(),
    proposed(),
    revised((WELCOME, CLOSING), removed=(REFERRAL,), changed=("closing",), affected=("p-001", "p-007")),
    released(),
    cancelled(),
)
"""One event of every type that causes notices."""


def event(data: EventData, number: int = 31) -> Event[Any]:
    return new_event(
        data,
        id=UUID(int=0x01990A6E3C0070008000000000000000 + number),
        time=NOW,
        subject=str(VISIT),
        correlationid=VISIT,
        causationid=None,
    )


def golden(type_: str) -> list[Event[Any]]:
    """The messages kept for an event type."""
    return [
        read_event(type_, path.read_bytes()) for path in sorted(Path("schemas/golden", type_).glob("*.json"))
    ]
