"""What scheduling does when it hears of visits, and when a visit is due for planning."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import asyncpg
import structlog

from runtime.transaction import Transaction
from schemas.event import Event
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
from schemas.visits import (
    RequestAmended,
    RequestApproved,
    RequestDeclined,
    RequestWithdrawn,
    VisitCancelled,
    VisitConfirmed,
)
from services.scheduling import store
from services.scheduling.budget import Clock
from services.scheduling.calendar import span_of
from services.scheduling.centre import Centre
from services.scheduling.problem import Infeasible, Problem, Solution
from services.scheduling.releases import difference, people_of
from services.scheduling.runs import horizon
from services.scheduling.store import Visit

log = structlog.get_logger()

PLAN = "plan"
"""The timer that has a visit planned; its key is the visit's id.

Set and drop it only after the visit's row is locked or written: whoever plans the visit locks the
row, too, before the timer is dropped, and the other order would be a deadlock.
"""

ATTEMPTS = 4
"""How often a plan is made when others book first or the visit changes; then the timer tries later."""


class Solver(Protocol):
    """Whoever finds programmes."""

    async def solve(self, problem: Problem) -> Solution | Infeasible:
        """Find the programme of one visit."""


class Outdated(Exception):
    """The visit changed while it was planned."""


class Contested(Exception):
    """Others kept taking what this programme needs, or changing the visit; it is planned again later."""


@dataclass(frozen=True)
class Office:
    """The planning office: the Centre that it plans for, its solver, and its terms."""

    centre: Centre
    solver: Solver
    seconds: float
    answer_days: int
    clock: Clock = time.monotonic

    async def want_programme(self, tx: Transaction, event: Event[RequestApproved]) -> None:
        """Note an approved request and have it planned at once."""
        data = event.data
        wanted = await store.want_visit(
            tx.connection, UUID(event.subject), data, data.needs, data.people, tx.now
        )
        if wanted:
            await tx.remind(PLAN, event.subject, tx.now)
        else:
            log.info("stale approval ignored", visit=event.subject, revision=data.revision)

    async def take_amendment(self, tx: Transaction, event: Event[RequestAmended]) -> None:
        """Keep a held programme until the amendment is approved; one that needs no approval holds at once."""
        data, visit = event.data, UUID(event.subject)
        if data.needs_approval:
            await store.note_amendment(tx.connection, visit, data, tx.now)
            await tx.forget(PLAN, event.subject)
        else:  # a plan that is just being made is made again
            await store.take_amendment(tx.connection, visit, data, tx.now)

    async def cancel_programme(
        self, tx: Transaction, event: Event[RequestDeclined | RequestWithdrawn | VisitCancelled]
    ) -> None:
        """Give back what a visit holds that will not take place."""
        visit = await store.lock_visit(tx.connection, UUID(event.subject))
        if visit is None or visit.state == "cancelled":
            return
        await tx.forget(PLAN, event.subject)
        release = await self._call_off(tx, visit, event.data.people.reason)
        await store.set_outcome(tx.connection, visit.id, "cancelled", release, (), (), tx.now)

    async def release_programme(self, tx: Transaction, event: Event[VisitConfirmed]) -> None:
        """Make the programme firm that the ministry accepted, if it is still the current one."""
        visit = await store.lock_visit(tx.connection, UUID(event.subject))
        if visit is None or visit.state != "proposed" or visit.release != event.data.release:
            log.info("stale confirmation ignored", visit=event.subject, release=event.data.release)
            return
        release, slots = visit.release + 1, visit.slots
        people = self._people(visit, slots)
        await store.set_outcome(tx.connection, visit.id, "released", release, slots, people.persons, tx.now)
        tx.emit(
            ProgrammeReleased(
                **visit.facts,
                release=release,
                time_zone=self.centre.time_zone,
                slots=slots,
                people=people,
            ),
            subject=event.subject,
        )

    async def propose_programme(self, tx: Transaction, key: str) -> None:
        """Plan a visit that waits for it, hold what the programme needs, and tell.

        Raises `Contested` when it has to be planned again too often or for too long.
        """
        begun = self.clock()
        for _ in range(ATTEMPTS):
            visit = await store.read_visit(tx.connection, UUID(key))
            if visit is None or not visit.is_to_be_planned:
                return
            outcome = await self.solver.solve(await self._problem(tx, visit))
            if await self._is_settled(tx, visit, outcome):
                return
            if self.clock() - begun >= self.seconds:  # a transaction must not stay open for long
                break
        raise Contested(f"the programme of visit {key} could not be settled")

    async def _problem(self, tx: Transaction, visit: Visit) -> Problem:
        span = span_of(self.centre, horizon(visit.needs, tx.now, self.centre))
        busy = await store.busy(tx.connection, visit.id, span)
        return Problem(self.centre, visit.needs, busy, tx.now, self.seconds)

    async def _is_settled(self, tx: Transaction, planned: Visit, outcome: Solution | Infeasible) -> bool:
        """Book and tell; says no when the visit changed meanwhile, or another one booked first."""
        try:
            async with tx.attempt() as attempt:
                visit = await store.lock_visit(attempt.connection, planned.id)
                if visit != planned:
                    raise Outdated  # and give the row back: its events need not wait for the next plan
                if isinstance(outcome, Solution):
                    await self._hold(attempt, visit, outcome.slots)
                else:
                    await self._tell_infeasible(attempt, visit, outcome)
        except (Outdated, asyncpg.ExclusionViolationError) as error:
            log.info("plan dropped", visit=str(planned.id), cause=type(error).__name__)
            return False
        return True

    async def _hold(self, tx: Transaction, visit: Visit, slots: tuple[Slot, ...]) -> None:
        release = visit.release + 1
        await store.book(tx.connection, visit.id, release, slots)
        now, persons = tx.now, self._people(visit, slots).persons
        await store.set_outcome(tx.connection, visit.id, "proposed", release, slots, persons, now)
        programme = {
            **visit.facts,
            "release": release,
            "time_zone": self.centre.time_zone,
            "slots": slots,
            "respond_by": _respond_by(now, self.answer_days, slots),
        }
        log.info("programme found", visit=str(visit.id), release=release, slots=len(slots))
        if visit.slots:
            what = difference(visit.slots, slots)
            people = self._people(visit, (*visit.slots, *slots))
            revised = ProgrammeRevised(
                **programme, removed=what.removed, changed=what.changed, affected=what.affected, people=people
            )
            tx.emit(revised, subject=str(visit.id))
        else:
            tx.emit(ProgrammeProposed(**programme, people=self._people(visit, slots)), subject=str(visit.id))

    async def _tell_infeasible(self, tx: Transaction, visit: Visit, outcome: Infeasible) -> None:
        release = await self._call_off(tx, visit, "no programme is possible as now asked for")
        await store.set_outcome(tx.connection, visit.id, "infeasible", release, (), (), tx.now)
        log.info("programme infeasible", visit=str(visit.id), alternatives=len(outcome.alternatives))
        tx.emit(
            ProgrammeInfeasible(
                **visit.facts,
                reasons=outcome.reasons,
                alternatives=outcome.alternatives,
                people=visit.people,
            ),
            subject=str(visit.id),
        )

    async def _call_off(self, tx: Transaction, visit: Visit, reason: str) -> int:
        """Give back the bookings of a programme, if there is one, and tell; returns the last release."""
        if not visit.slots:
            return visit.release
        await store.free_bookings(tx.connection, visit.id)
        release = visit.release + 1
        tx.emit(
            ProgrammeCancelled(
                **visit.facts,
                release=release,
                time_zone=self.centre.time_zone,
                slots=visit.slots,
                people=CancelledPeople(**dict(self._people(visit, visit.slots)), reason=reason),
            ),
            subject=str(visit.id),
        )
        return release

    def _people(self, visit: Visit, slots: tuple[Slot, ...]) -> ProgrammePeople:
        """Whom to write to of these slots; who has left the Centre since is known from the last release."""
        persons = people_of(self.centre, slots, visit.persons)
        return ProgrammePeople(focal_points=visit.people.focal_points, persons=persons)


def _respond_by(now: datetime, days: int, slots: tuple[Slot, ...]) -> datetime:
    """Until when a ministry may answer: for some days, but not into the visit."""
    return max(now, min(now + timedelta(days=days), *(slot.starts for slot in slots)))
