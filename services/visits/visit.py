"""A visit as a value, what is decided about it, and the deadlines that follow from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TypedDict
from uuid import UUID
from zoneinfo import ZoneInfo

from schemas.scheduling import Alternative
from schemas.terms import Bilingual
from schemas.visits import VisitFacts
from services.visits.consultation import Consultation
from services.visits.programme import StoredProgramme
from services.visits.request import VisitRequest
from services.visits.transitions import HOLDING, WITH_PROGRAMME, State

CENTRE = ZoneInfo("Asia/Bahrain")


@dataclass(frozen=True, slots=True)
class Advice:
    """Why no programme is possible as asked, and what would be."""

    reasons: tuple[Bilingual, ...]
    alternatives: tuple[Alternative, ...]


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit from its request to its report. ``approvable`` is the revision that last changed the needs."""

    id: UUID
    reference: str
    client: UUID
    country: str
    state: State
    revision: int
    approvable: int
    request: VisitRequest
    reason: str | None = None
    programme: StoredProgramme | None = None
    advice: Advice | None = None
    report_due: date | None = None
    chase_at: datetime | None = None
    report: str | None = None
    consultations: tuple[Consultation, ...] = ()
    """In the order of their numbers, which are 1, 2, 3 …"""

    @property
    def is_held(self) -> bool:
        """Whether its programme is an earlier one, held until an amendment is decided and planned."""
        return self.programme is not None and self.state in HOLDING


class Facts(TypedDict):
    """What every event of a visit says."""

    reference: str
    revision: int
    country: str
    ministry: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The visit as it is now, what others are told, and the deadlines that changed (None: dropped)."""

    visit: Visit
    events: tuple[VisitFacts, ...] = ()
    timers: Mapping[str, datetime | None] = field(default_factory=dict)


class Stale(Exception):
    """News about a revision or a release that a newer one has overtaken."""


def moved(
    visit: Visit,
    state: State,
    *,
    reason: str | None = None,
    revision: int | None = None,
    approvable: int | None = None,
    request: VisitRequest | None = None,
) -> Visit:
    """Put the visit into ``state``; reason, advice and programme belong to states and do not outlive them.

    A programme stays while an amendment waits for its decision: scheduling holds it until then.
    """
    return replace(
        visit,
        state=state,
        revision=revision or visit.revision,
        approvable=approvable or visit.approvable,
        request=request or visit.request,
        reason=reason if state is not visit.state or reason else visit.reason,
        advice=visit.advice if state is State.WAITLISTED else None,
        programme=visit.programme if state in WITH_PROGRAMME | HOLDING else None,
    )


def deadlines(visit: Visit) -> dict[str, datetime]:
    """List the timers that a visit in this state has running."""
    if waiting := [each.act_at for each in visit.consultations if each.act_at]:
        return {"expire-consultations": min(waiting)}
    return _deadlines_of_programme(visit)


def _deadlines_of_programme(visit: Visit) -> dict[str, datetime]:
    programme = visit.programme
    if visit.state is State.COMPLETED and visit.chase_at:
        return {"chase-report": visit.chase_at}
    if programme is None:
        return {}
    if visit.state is State.PROPOSED and programme.respond_by:
        return {"expire-proposal": programme.respond_by}
    if visit.state is State.CONFIRMED and programme.firm:
        return {"begin": programme.starts, "complete": programme.ends}
    if visit.state is State.IN_PROGRESS:
        return {"complete": programme.ends}
    return {}


def changed_deadlines(before: Visit, after: Visit) -> dict[str, datetime | None]:
    """List the timers to set, and those to drop (None), when ``before`` has become ``after``."""
    old, new = deadlines(before), deadlines(after)
    return {name: new.get(name) for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)}


def facts_of(visit: Visit) -> Facts:
    """Say what every event of the visit says."""
    return {
        "reference": visit.reference,
        "revision": visit.revision,
        "country": visit.country,
        "ministry": visit.request.ministry,
    }
