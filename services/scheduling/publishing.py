"""Books, keeps and tells programmes: held, made firm, called off, or impossible."""

from datetime import datetime, timedelta
from typing import Protocol

import structlog

from runtime.transaction import Transaction
from schemas.scheduling import (
    CancelledPeople,
    ProgrammeCancelled,
    ProgrammeInfeasible,
    ProgrammePeople,
    ProgrammeProposed,
    ProgrammeReleased,
    ProgrammeRevised,
    Slot,
)
from services.scheduling import archive, store
from services.scheduling.centre import Centre
from services.scheduling.problem import Infeasible, Solution
from services.scheduling.releases import Kind, Release, difference, news_since_firm, people_of
from services.scheduling.store import State, Visit
from services.scheduling.waiting import give_back

log = structlog.get_logger()


class Terms(Protocol):
    """For whom a programme is held, and how long the ministry has to answer, in days."""

    @property
    def centre(self) -> Centre:
        """The Centre."""

    @property
    def answer_days(self) -> int:
        """Days to answer a proposal."""


async def hold(
    tx: Transaction, terms: Terms, visit: Visit, found: Solution, *, pinned: frozenset[str], cause: str
) -> None:
    """Book a programme instead of the one held, keep and tell it; one that changes nothing is not told.

    ``cause`` is kept with the release, in words. Only those of ``pinned`` that the programme has stay
    pinned. Raises `asyncpg.ExclusionViolationError` when another visit has something of it.
    """
    slots, now, release = found.slots, tx.now, visit.release + 1
    pinned &= {slot.key for slot in slots}
    if difference(visit.slots, slots).is_none and visit.state != "wanted":
        await store.keep_programme(tx.connection, visit.id, pinned)
        log.info("programme stays", visit=str(visit.id), release=visit.release)
        return
    await store.book(tx.connection, visit.id, release, slots)
    state: State = "released" if visit.is_in_progress(now) else "proposed"
    persons = _people(terms.centre, visit, slots).persons
    await store.set_outcome(tx.connection, visit.id, state, release, slots, persons, now, pinned)
    kind: Kind = "revised" if visit.slots else "proposed"
    kept = Release(release, visit.revision, kind, slots, found.score, cause, now)
    await archive.keep_release(tx.connection, visit.id, kept)
    log.info("programme found", visit=str(visit.id), release=release, slots=len(slots), kind=kind)
    tx.emit(_news(terms, visit, kept), subject=str(visit.id))
    if visit.slots:
        give_back(tx)


def _news(terms: Terms, visit: Visit, new: Release) -> ProgrammeProposed | ProgrammeRevised:
    programme = {
        **visit.facts,
        "release": new.release,
        "time_zone": terms.centre.time_zone,
        "slots": new.slots,
        "score": new.score,
        "respond_by": respond_by(new.made_at, terms.answer_days, new.slots),
        "people": _people(terms.centre, visit, (*visit.slots, *new.slots)),
    }
    if new.kind == "proposed":
        return ProgrammeProposed(**programme)
    what = difference(visit.slots, new.slots)
    return ProgrammeRevised(**programme, removed=what.removed, changed=what.changed, affected=what.affected)


async def make_firm(tx: Transaction, centre: Centre, visit: Visit) -> None:
    """Make the programme firm that the ministry accepted, and tell those for whom that is news."""
    release = visit.release + 1
    people = _people(centre, visit, visit.slots)
    before = await archive.releases(tx.connection, visit.id)
    score = before[-1].score if before else None
    await store.make_firm(tx.connection, visit.id, release, people.persons, tx.now)
    kept = Release(release, visit.revision, "firm", visit.slots, score, "accepted by the ministry", tx.now)
    await archive.keep_release(tx.connection, visit.id, kept)
    firm = ProgrammeReleased(
        **visit.facts,
        release=release,
        time_zone=centre.time_zone,
        slots=visit.slots,
        score=score,
        affected=news_since_firm(before),
        people=people,
    )
    tx.emit(firm, subject=str(visit.id))


async def tell_infeasible(tx: Transaction, centre: Centre, visit: Visit, outcome: Infeasible) -> None:
    """Give up the programme of a visit, if it holds one, and put it on the waiting list."""
    why = "no programme is possible as now asked for"
    release = await call_off(tx, centre, visit, reason=why, cause=visit.replan_because or why)
    await store.set_outcome(tx.connection, visit.id, "infeasible", release, (), (), tx.now)
    log.info("programme infeasible", visit=str(visit.id), alternatives=len(outcome.alternatives))
    infeasible = ProgrammeInfeasible(
        **visit.facts, reasons=outcome.reasons, alternatives=outcome.alternatives, people=visit.people
    )
    tx.emit(infeasible, subject=str(visit.id))


async def call_off(tx: Transaction, centre: Centre, visit: Visit, *, reason: str, cause: str) -> int:
    """Give back the bookings of a programme, if there is one, and tell; returns the last release.

    The people are told the ``reason``, which may name anybody; the ``cause`` is kept with the release.
    """
    if not visit.slots:
        return visit.release
    await store.free_bookings(tx.connection, visit.id)
    release = visit.release + 1
    kept = Release(release, visit.revision, "cancelled", (), None, cause, tx.now)
    await archive.keep_release(tx.connection, visit.id, kept)
    people = CancelledPeople(**dict(_people(centre, visit, visit.slots)), reason=reason)
    cancelled = ProgrammeCancelled(
        **visit.facts, release=release, time_zone=centre.time_zone, slots=visit.slots, people=people
    )
    tx.emit(cancelled, subject=str(visit.id))
    give_back(tx)
    return release


def _people(centre: Centre, visit: Visit, slots: tuple[Slot, ...]) -> ProgrammePeople:
    """Whom to write to of these slots; who has left the Centre since is known from the last release."""
    persons = people_of(centre, slots, visit.persons)
    return ProgrammePeople(focal_points=visit.people.focal_points, persons=persons)


def respond_by(now: datetime, days: int, slots: tuple[Slot, ...]) -> datetime:
    """Until when a ministry may answer: for some days, but not into the visit."""
    return max(now, min(now + timedelta(days=days), *(slot.starts for slot in slots)))
