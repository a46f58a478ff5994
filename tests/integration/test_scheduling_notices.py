"""From scheduling's own news to notices: who is written to when a programme changes, and who is not."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from runtime.transaction import Transactions
from schemas.event import Event, read_event
from schemas.scheduling import ProgrammeReleased, ProgrammeRevised
from schemas.visits import VisitConfirmed
from services.notifications.delivery import Retries
from services.notifications.handlers import Desk as Notifier
from services.notifications.handlers import telling
from services.notifications.mail import Sender, post
from services.scheduling import orders
from services.scheduling.app import publish_catalogue
from services.scheduling.calendar import Interval
from services.scheduling.disruptions import Block
from services.scheduling.planning import Office
from tests.conftest import OpenTransactions
from tests.integration.planning_desk import Desk, InThisProcess, fire, propose
from tests.unit.notifications.events import OFFICE
from tests.unit.scheduling.factories import CENTRE, NOW
from tests.unit.scheduling.held import at


class Correspondence:
    """Scheduling and notifications on one database; what the first tells, the second is handed."""

    def __init__(self, desk: Desk, notifications: Transactions) -> None:
        self.desk = desk
        self.notifications = notifications
        self._notifier = Notifier(
            office=OFFICE,
            sender=Sender("visits@centre.example", "Centre", OFFICE.address, "centre.example"),
            post=post("smtp://127.0.0.1:9", "offered"),
            retries=Retries(attempts=1, first=timedelta(minutes=1)),
        )
        self._handed = 0

    async def deliver(self) -> tuple[Any, set[str]]:
        """Hand over what was told since; returns the last event and the persons of the Centre written to."""
        rows = await self.desk.rows("SELECT type, payload FROM outbox ORDER BY seq")
        news = [read_event(row["type"], row["payload"]) for row in rows][self._handed :]
        self._handed = len(rows)
        before = await self._persons()
        for event in news:
            if event.type.startswith("scheduling.programme."):
                await self._tell(event)
        programme = [one for one in news if one.type.startswith("scheduling.programme.")][-1]
        return programme.data, set((await self._persons())[len(before) :])

    async def _tell(self, event: Event[Any]) -> None:
        async with self.notifications(event.correlationid, event.id) as tx:
            await telling(self._notifier)(tx, event)

    async def _persons(self) -> list[str]:
        rows = await self.notifications.pool.fetch(
            "SELECT person FROM notice WHERE person IS NOT NULL ORDER BY created_at, id"
        )
        return [row["person"] for row in rows]


@pytest.fixture
async def letters(transactions: OpenTransactions) -> Correspondence:
    opened = replace(await transactions("scheduling"), now=lambda: NOW)
    solver = InThisProcess()
    desk = Desk(opened, solver, Office(CENTRE, solver, seconds=20, answer_days=7))
    async with desk.transactions() as tx:
        await publish_catalogue(tx, CENTRE)
    return Correspondence(desk, await transactions("notifications"))


def parts(programme: Any) -> set[str]:
    return {one.person for slot in programme.slots for one in slot.assignments}


async def test_only_the_people_whose_slot_changed_are_told(letters: Correspondence) -> None:
    visit = uuid4()
    await propose(letters.desk, visit)
    first, told = await letters.deliver()
    assert told == parts(first)
    await letters.desk.hear(VisitConfirmed, visit, release=1)
    _, told = await letters.deliver()
    assert told == parts(first)

    ill = first.slots[1].assignments[0].person
    await fall_ill(letters.desk, ill)
    revised, told = await letters.deliver()
    assert isinstance(revised, ProgrammeRevised)
    unchanged = {code for code in parts(first) if own(first, code) == own(revised, code)}
    assert unchanged, "the test needs somebody whose part stays"
    assert told == (parts(first) | parts(revised)) - unchanged
    assert ill in told

    await letters.desk.hear(VisitConfirmed, visit, release=3)
    released, told_again = await letters.deliver()
    assert isinstance(released, ProgrammeReleased)
    assert told_again == told - {ill} | ({ill} & told_again), (
        "whoever knows the firm part hears of it no more"
    )
    assert not told_again & unchanged


async def fall_ill(desk: Desk, person: str) -> None:
    async with desk.transactions() as tx:
        block = Block(uuid4(), f"person:{person}", Interval(at(1, 0), at(31, 0)), "Flu", "Huda")
        await orders.add_block(tx, CENTRE, block)
    await fire(desk)


def own(programme: Any, person: str) -> set[tuple[Any, ...]]:
    """What a person knows of a programme: when, where, and as what."""
    return {
        (slot.key, slot.starts, slot.ends, slot.place.code, one.role)
        for slot in programme.slots
        for one in slot.assignments
        if one.person == person
    }


async def test_a_reason_why_an_officer_ordered_something_reaches_nobody(letters: Correspondence) -> None:
    visit: UUID = uuid4()
    first = await propose(letters.desk, visit)
    await letters.deliver()
    await fall_ill(letters.desk, first.slots[1].assignments[0].person)
    revised, _ = await letters.deliver()
    assert "Flu" not in revised.model_dump_json()
