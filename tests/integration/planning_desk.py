"""Scheduling at work on a database, for tests: hears events, plans, and shows what became of it."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from runtime.timers import Timers
from runtime.transaction import Transactions
from schemas.event import EVENTS, Event, EventData, new_event, read_event
from schemas.visits import RequestApproved
from services.scheduling import app, store
from services.scheduling.explain import solve
from services.scheduling.planning import Office
from services.scheduling.problem import Infeasible, Problem, Solution
from services.scheduling.store import Visit
from tests.unit.scheduling.factories import NOW, needs

FOCAL_POINT = {"name": {"latin": "Amal Haddad", "arabic": "أمل حداد"}, "email": "amal@mfa.example"}
FACTS = {"reference": "V-2026-000017", "country": "QA", "ministry": "Ministry of Foreign Affairs"}
PEOPLE = {"focal_points": [FOCAL_POINT]}


@dataclass
class InThisProcess:
    """A solver that keeps what it was asked, and may let something happen meanwhile."""

    asked: list[Problem] = field(default_factory=list)
    meanwhile: list[Any] = field(default_factory=list)

    async def solve(self, problem: Problem) -> Solution | Infeasible:
        self.asked.append(problem)
        outcome = solve(problem)
        if self.meanwhile:
            await self.meanwhile.pop(0)()
        return outcome


@dataclass
class Desk:
    """Scheduling at work on a database."""

    transactions: Transactions
    solver: InThisProcess
    office: Office

    async def hear(self, kind: type[EventData], visit: UUID, **data: Any) -> None:
        event = approved(visit, **data) if kind is RequestApproved else told(kind, visit, **data)
        async with self.transactions() as tx:
            await app.handlers(self.office)[kind](tx, event)

    async def plan(self, visit: UUID) -> None:
        async with self.transactions() as tx:
            await self.office.propose_programme(tx, str(visit))

    async def rows(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        async with self.transactions() as tx:
            return await tx.connection.fetch(query, *arguments)

    async def emitted(self) -> list[Any]:
        rows = await self.rows("SELECT type, payload FROM outbox ORDER BY seq")
        return [read_event(row["type"], row["payload"]).data for row in rows]

    async def booked(self, visit: UUID) -> set[tuple[str, str]]:
        rows = await self.rows("SELECT slot_key, resource FROM booking WHERE visit_id = $1", visit)
        return {(row["slot_key"], row["resource"]) for row in rows}

    async def timers(self) -> set[str]:
        return {row["key"] for row in await self.rows("SELECT key FROM timer WHERE name = 'plan'")}

    async def kept(self, visit: UUID) -> Visit:
        async with self.transactions() as tx:
            found = await store.read_visit(tx.connection, visit)
        assert found is not None
        return found

    async def state(self, visit: UUID) -> str:
        return str((await self.rows("SELECT state FROM visit WHERE id = $1", visit))[0]["state"])


def told(kind: type[EventData], visit: UUID, *, reason: str = "No", **data: Any) -> Event[Any]:
    assert kind in EVENTS.values()
    people = PEOPLE | {"reason": reason, "subject": "A study visit"}
    return new_event(
        kind.model_validate(FACTS | {"revision": 1, "people": people} | data),
        id=uuid4(),
        time=NOW,
        subject=str(visit),
        correlationid=uuid4(),
        causationid=None,
    )


def approved(visit: UUID, *, revision: int = 1, country: str = "QA", **changes: Any) -> Event[Any]:
    return told(RequestApproved, visit, revision=revision, country=country, needs=needs(**changes))


async def propose(desk: Desk, visit: UUID, **changes: Any) -> Any:
    await desk.hear(RequestApproved, visit, **changes)
    await desk.plan(visit)
    return (await desk.emitted())[-1]


async def fire(desk: Desk) -> None:
    """Handle every timer that is due, and those that these set."""
    timers = Timers(desk.transactions, app.timers(desk.office))
    while await timers.fire_one():
        pass
