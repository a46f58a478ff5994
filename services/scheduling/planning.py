"""Plans visits: solves outside any lock, books under it, and tells, or does it all again."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import UUID

import asyncpg
import structlog

from runtime.transaction import Transaction
from schemas.scheduling import Slot
from schemas.terms import DateWindow
from services.scheduling import blocking, store
from services.scheduling.budget import Clock
from services.scheduling.calendar import span_of
from services.scheduling.centre import Centre
from services.scheduling.disruptions import misfits, still_asked_for
from services.scheduling.problem import Infeasible, Problem, Solution, Wish
from services.scheduling.publishing import hold, tell_infeasible
from services.scheduling.recheck import in_the_way
from services.scheduling.runs import horizon
from services.scheduling.store import Visit
from services.scheduling.waiting import given_back, set_tried, try_on, waiting_list
from services.scheduling.waitlist import next_in_turn

log = structlog.get_logger()

PLAN = "plan"
"""The timer that has a visit planned; its key is the visit's id.

Set and drop it only after the visit's row is locked or written: whoever plans the visit locks the
row, too, before the timer is dropped, and the other order would be a deadlock.
"""

ATTEMPTS = 4
"""How often a plan is made when others book first or the visit changes; then the timer tries later."""


FAULTS = (ArithmeticError, AssertionError, LookupError, TypeError, ValueError)
"""What a defect of the planner raises, other than an outage or contention, which time mends."""


class Solver(Protocol):
    """Whoever finds programmes."""

    async def solve(self, problem: Problem) -> Solution | Infeasible:
        """Find the programme of one visit."""


class Outdated(Exception):
    """The visit changed while it was planned."""


class Overtaken(Exception):
    """Somebody else took, or an officer blocked, what the plan needs; the database need not have seen it."""


class Contested(Exception):
    """Others kept taking what this programme needs, or changing the visit; it is planned again later."""


@dataclass(frozen=True)
class Task:
    """Why a visit is planned: whether it still has to be, what is wished, and what if nothing is possible.

    ``in_vain`` gets the number of `given_back` that the plan knew of.
    """

    concerns: Callable[[Visit], bool]
    in_vain: Callable[[Transaction, Visit, Infeasible, int], Awaitable[None]]
    cause: str | None = None
    wishes: tuple[Wish, ...] = ()


@dataclass(frozen=True)
class Office:
    """The planning office: the Centre that it plans for, its solver, and its terms."""

    centre: Centre
    solver: Solver
    seconds: float
    answer_days: int
    clock: Clock = time.monotonic

    async def propose_programme(self, tx: Transaction, key: str) -> None:
        """Plan a visit that waits for it, hold what the programme needs, and tell.

        Raises `Contested` when it has to be planned again too often or for too long.
        """
        await self.settle(tx, UUID(key), Task(lambda visit: visit.is_to_be_planned, self._tell_in_vain))

    async def try_waiting(self, tx: Transaction, _key: str) -> None:
        """Try the next visit on the waiting list, and have the one after it tried later.

        Who is tried in vain is told nothing new. Raises as `propose_programme`.
        """
        known = await given_back(tx.connection)
        chosen = next_in_turn(await waiting_list(tx.connection, self.centre, tx.now), known)
        if chosen is None:
            return
        task = Task(lambda visit: visit.waits, _go_on_waiting, "something was given back")
        try:
            await self.settle(tx, chosen.id, task)
        except FAULTS:  # of this visit: those behind it must not wait for its repair
            log.exception("waiting visit cannot be planned", visit=str(chosen.id))
            await set_tried(tx.connection, chosen.id, known)
        try_on(tx)

    async def settle(self, tx: Transaction, id: UUID, task: Task) -> None:
        """Plan one visit until the outcome holds. Raises `Contested`, and whatever the task raises."""
        begun = self.clock()
        for _ in range(ATTEMPTS):
            known = await given_back(tx.connection)
            visit = await store.read_visit(tx.connection, id)
            if visit is None or not task.concerns(visit):
                return
            problem = await self._problem(tx, visit, task.wishes)
            outcome = await self.solver.solve(problem)
            if isinstance(outcome, Infeasible) and problem.pinned and not task.wishes:
                # Better a programme with fewer pins than none; an officer's move breaks no pin.
                outcome = await self.solver.solve(replace(problem, pinned=frozenset()))
            if await self._is_settled(tx, visit, outcome, task, known):
                return
            if self.clock() - begun >= self.seconds:  # a transaction must not stay open for long
                break
        raise Contested(f"the programme of visit {id} could not be settled")

    async def _problem(self, tx: Transaction, visit: Visit, wishes: tuple[Wish, ...]) -> Problem:
        held = still_asked_for(visit.slots, visit.needs, self.centre, tx.now)
        span = span_of(self.centre, horizon(visit.needs, tx.now, self.centre, held))
        loose = {wish.key for wish in wishes} | (await self._misfits(tx, visit)).keys()
        return Problem(
            self.centre,
            visit.needs,
            await store.busy(tx.connection, visit.id, span),
            tx.now,
            self.seconds,
            country=visit.country,
            held=held,
            pinned=visit.pinned - loose,
            wishes=wishes,
        )

    async def _misfits(self, tx: Transaction, visit: Visit) -> dict[str, str]:
        blocks = await blocking.blocks(tx.connection, tx.now)
        return misfits(visit.slots, visit.needs, self.centre, blocks, tx.now)

    async def _is_settled(
        self, tx: Transaction, planned: Visit, outcome: Solution | Infeasible, task: Task, known: int
    ) -> bool:
        """Book and tell; says no when the visit changed meanwhile, or another one booked first."""
        try:
            async with tx.attempt() as attempt:
                visit = await store.lock_visit(attempt.connection, planned.id)
                if visit != planned:
                    raise Outdated  # and give the row back: its events need not wait for the next plan
                if isinstance(outcome, Solution):
                    await self._hold(attempt, visit, outcome, task)
                else:
                    await task.in_vain(attempt, visit, outcome, known)
        except (Outdated, Overtaken, asyncpg.ExclusionViolationError) as error:
            log.info("plan dropped", visit=str(planned.id), cause=type(error).__name__)
            return False
        return True

    async def _hold(self, tx: Transaction, visit: Visit, found: Solution, task: Task) -> None:
        await self._look_again(tx, visit, found.slots)
        pinned = visit.pinned | {wish.key for wish in task.wishes}
        cause = task.cause or visit.replan_because or f"approved, revision {visit.revision}"
        await hold(tx, self, visit, found, pinned=pinned, cause=cause)

    async def _look_again(self, tx: Transaction, visit: Visit, slots: tuple[Slot, ...]) -> None:
        """See under the lock that nothing has come in the way that no constraint of the database forbids."""
        await store.lock_bookings(tx.connection)
        days = [slot.starts.astimezone(self.centre.zone).date() for slot in slots]
        span = span_of(self.centre, DateWindow(first=min(days), last=max(days)))
        busy = await store.busy(tx.connection, visit.id, span)
        if why := in_the_way(slots, visit.slots, self.centre, busy, tx.now):
            raise Overtaken(why)

    async def _tell_in_vain(self, tx: Transaction, visit: Visit, outcome: Infeasible, known: int) -> None:
        """Give up the programme; of a visit in progress only what cannot stay, for its guests are there."""
        if not visit.is_in_progress(tx.now):
            await tell_infeasible(tx, self.centre, visit, outcome)
            await set_tried(tx.connection, visit.id, known)
            try_on(tx)  # something may have been given back since the plan was begun
            return
        gone = await self._misfits(tx, visit)
        left = tuple(slot for slot in visit.slots if slot.key not in gone)
        log.warning("sessions of a visit in progress fall away", visit=str(visit.id), sessions=sorted(gone))
        cause = visit.replan_because or f"amended, revision {visit.revision}"
        await hold(tx, self, visit, Solution(left, (), ()), pinned=visit.pinned, cause=cause)


async def _go_on_waiting(tx: Transaction, visit: Visit, _outcome: Infeasible, known: int) -> None:
    await set_tried(tx.connection, visit.id, known)
