"""Eight planners with solver processes of their own, and many visits that fight for five venues.

The whole contest, of 500 visits, is asked for by WAFD_CONTEST=500; the suite has a smaller one.
"""

import asyncio
import os
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest

from runtime.timers import Timers
from runtime.transaction import Transactions
from schemas.scheduling import Slot
from schemas.visits import RequestApproved, RequestWithdrawn
from services.scheduling import app, orders
from services.scheduling.calendar import Interval
from services.scheduling.catalogue import CATALOGUE, OUTLINES
from services.scheduling.centre import Centre, Person
from services.scheduling.disruptions import Block
from services.scheduling.planning import ATTEMPTS, Office
from services.scheduling.problem import Infeasible, Problem, Solution
from services.scheduling.worker import SolverProcess
from tests.conftest import OpenTransactions
from tests.integration.planning_desk import Desk, InThisProcess
from tests.unit.scheduling.factories import CENTRE, NOW
from tests.unit.scheduling.held import at

VISITS = int(os.environ.get("WAFD_CONTEST", "60"))
PLANNERS = 8
SECONDS = 1.5
"""Limit of a search: eight processes share the cores, and most visits of the whole contest are in vain."""

SPAN = timedelta(days=max(1, VISITS * 11 // 500))
"""From the first to the last day of a window: about two of five visits find a place."""

ROOMS = ("majlis", "meeting-room-1", "meeting-room-2", "training-room", "hall")


def _five_of_each(people: tuple[Person, ...]) -> tuple[Person, ...]:
    """So many people that venues are what is fought for."""
    return tuple(
        one.model_copy(update={"code": f"{one.code}-{number}", "max_sessions_a_day": 3, "absences": ()})
        for one in people
        for number in range(5)
    )


FIVE_VENUES: Centre = CENTRE.model_copy(
    update={
        "catalogue": CATALOGUE,
        "outlines": OUTLINES,
        "venues": tuple(venue for venue in CENTRE.venues if venue.code in ROOMS),
        "people": _five_of_each(CENTRE.people),
    }
)


@dataclass
class Counted:
    """A solver process whose problems are counted."""

    process: SolverProcess
    solved: int = 0

    async def solve(self, problem: Problem) -> Solution | Infeasible:
        self.solved += 1
        return await self.process.solve(problem)


@asynccontextmanager
async def planners(transactions: Transactions) -> AsyncIterator[list[Counted]]:
    """Eight planners at work on one database."""
    solvers = [Counted(SolverProcess()) for _ in range(PLANNERS)]
    await asyncio.gather(*(one.process.warm(FIVE_VENUES, NOW) for one in solvers))
    offices = [Office(FIVE_VENUES, one, SECONDS, answer_days=7) for one in solvers]
    workers = [Timers(transactions, app.timers(office)) for office in offices]
    running = [asyncio.create_task(worker.run()) for worker in workers]
    try:
        yield solvers
    finally:
        for worker in workers:
            worker.stop()
        await asyncio.gather(*running)
        await asyncio.gather(*(one.process.stop() for one in solvers))


async def until_planned(transactions: Transactions) -> None:
    """Wait until no timer is left."""
    while await transactions.pool.fetchval("SELECT count(*) FROM timer"):
        await asyncio.sleep(0.2)


def wanted(draw: random.Random) -> dict[str, Any]:
    """A visit of one day in the first or the second week of January, about one theme."""
    first = date(2027, 1, 3) + timedelta(weeks=draw.randrange(2))
    return {
        "themes": [draw.choice(CENTRE.themes).code],
        "sites": [],
        "windows": [{"first": str(first), "last": str(first + SPAN)}],
        "days": 1,
        "size": draw.randint(3, 6),
        "head_rank": "officer",
    }


def double_bookings(programmes: dict[UUID, tuple[Slot, ...]]) -> list[str]:
    """Whoever and whatever is in two visits at one time, found without the database and the planner."""
    taken: dict[str, list[tuple[Any, Any, UUID]]] = {}
    for visit, slots in programmes.items():
        for slot in slots:
            for what in (slot.place.code, *(one.person for one in slot.assignments)):
                taken.setdefault(what, []).append((slot.starts, slot.ends, visit))
    return [
        f"{what} at {later[0]}"
        for what, spans in taken.items()
        for earlier, later in pairwise(sorted(spans))
        if later[0] < earlier[1]
    ]


def over_limit(programmes: dict[UUID, tuple[Slot, ...]]) -> list[tuple[str, date]]:
    """Who has more sessions on a day than the three that everybody may have."""
    counts = Counter(
        (one.person, slot.starts.astimezone(CENTRE.zone).date())
        for slots in programmes.values()
        for slot in slots
        for one in slot.assignments
    )
    return [who for who, count in counts.items() if count > 3]


@pytest.mark.timeout(600)
async def test_eight_planners_and_many_visits_never_double_book_five_venues(
    transactions: OpenTransactions, capsys: pytest.CaptureFixture[str]
) -> None:
    begun, draw = time.monotonic(), random.Random(7)  # noqa: S311 -- the same contest every time
    opened = replace(
        await transactions("scheduling"), now=lambda: NOW + timedelta(seconds=time.monotonic() - begun)
    )
    desk = Desk(opened, InThisProcess(), Office(FIVE_VENUES, InThisProcess(), 5, 7))
    async with opened() as tx:
        await app.publish_catalogue(tx, FIVE_VENUES)
    visits = [uuid4() for _ in range(VISITS)]
    async with planners(opened) as solvers:
        async with asyncio.timeout(540):
            for visit in visits:
                await desk.hear(RequestApproved, visit, **wanted(draw))
            await until_planned(opened)
            solved, planned = sum(one.solved for one in solvers), time.monotonic() - begun
            await disturb(desk, visits[: VISITS // 10])
            await until_planned(opened)
    told = {
        row["id"]: tuple(Slot.model_validate(slot) for slot in row["slots"])
        for row in await desk.rows("SELECT id, slots FROM visit WHERE jsonb_array_length(slots) > 0")
    }
    states = Counter(row["state"] for row in await desk.rows("SELECT state FROM visit"))
    with capsys.disabled():
        sys.stdout.write(f"{VISITS} visits: {dict(states)}, {solved} plans in {planned:.0f} s ")
    assert states["proposed"] == len(told) > 0
    assert set(states) <= {"proposed", "infeasible", "cancelled"}
    assert states["cancelled"] == VISITS // 10
    assert double_bookings(told) == []
    assert over_limit(told) == []
    assert await desk.rows(OVERLAPS) == []
    assert await desk.rows(NOT_AS_TOLD) == []
    assert solved <= VISITS * ATTEMPTS, "planners get into each other's way again and again"
    (deadlocks,) = await desk.rows(
        "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    )
    assert deadlocks["deadlocks"] == 0


async def disturb(desk: Desk, withdrawn: list[UUID]) -> None:
    """Withdraw some visits, four at a time, while a host falls ill and a room is closed."""

    async def withdraw(some: list[UUID]) -> None:
        for visit in some:
            await desk.hear(RequestWithdrawn, visit, reason="No")

    async def close(resource: str) -> None:
        async with desk.transactions() as tx:
            block = Block(uuid4(), resource, Interval(at(4, 0), at(8, 0)), "closed", "Huda")
            await orders.add_block(tx, FIVE_VENUES, block)

    withdrawals = (withdraw(withdrawn[number::4]) for number in range(4))
    await asyncio.gather(*withdrawals, close("person:host-06-0"), close("venue:hall"))


OVERLAPS = """
SELECT one.resource FROM booking AS one JOIN booking AS other
ON one.resource = other.resource AND one.during && other.during AND one.ctid < other.ctid
"""
NOT_AS_TOLD = """
SELECT id FROM visit
WHERE jsonb_array_length(slots)
    <> (SELECT count(*) FROM booking WHERE visit_id = id AND resource LIKE 'venue:%')
"""
