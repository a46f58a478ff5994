"""Clocks that are moved, and hours that come twice: no timer fires early by its process's clock."""

import asyncio
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from runtime.timers import Timers
from runtime.transaction import Transaction, Transactions
from tests.conftest import OpenTransactions

START = datetime(2026, 10, 25, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


class Clock:
    """A clock that tests move."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


class Bells:
    """Notes when which timer fired, by the clock of its transaction."""

    def __init__(self) -> None:
        self.rung: list[tuple[str, datetime]] = []

    async def ring(self, tx: Transaction, key: str) -> None:
        self.rung.append((key, tx.now))


async def moved(open_: OpenTransactions, clock: Clock) -> tuple[Transactions, Timers, Bells]:
    transactions = await open_("eventlog")
    transactions.now = clock
    bells = Bells()
    return transactions, Timers(transactions, {"ring": bells.ring}), bells


async def fire_all(timers: Timers) -> None:
    while await timers.fire_one():
        await asyncio.sleep(0)


async def test_no_timer_fires_early_or_twice_when_the_clock_is_moved(transactions: OpenTransactions) -> None:
    clock = Clock(START)
    open_, timers, bells = await moved(transactions, clock)
    due = {f"in {minutes} min": START + timedelta(minutes=minutes) for minutes in (5, 15, 25)}
    async with open_() as tx:
        for key, at in due.items():
            await tx.remind("ring", key, at)
    for minutes in (0, -10, 10, 0, 5, -5, 16, 6, 30, 20):
        clock.now = START + timedelta(minutes=minutes)
        await fire_all(timers)
    assert [key for key, _ in bells.rung] == list(due)
    assert all(at >= due[key] for key, at in bells.rung)


async def test_of_two_processes_with_different_clocks_a_timer_fires_in_one(
    transactions: OpenTransactions,
) -> None:
    late, early = Clock(START - timedelta(minutes=10)), Clock(START)
    open_, slow, slow_bells = await moved(transactions, late)
    _, fast, fast_bells = await moved(transactions, early)
    async with open_() as tx:
        await tx.remind("ring", "a", START)
    await asyncio.gather(fire_all(slow), fire_all(fast))
    late.now = early.now = START + timedelta(minutes=10)
    await asyncio.gather(fire_all(slow), fire_all(fast))
    assert slow_bells.rung == []
    assert fast_bells.rung == [("a", START)]


async def test_an_hour_that_comes_twice_keeps_its_timers_apart(transactions: OpenTransactions) -> None:
    clock = Clock(START)
    open_, timers, bells = await moved(transactions, clock)
    summer = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=0)
    winter = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1)
    skipped = datetime(2027, 3, 28, 2, 30, tzinfo=BERLIN)  # there is no such hour
    async with open_() as tx:
        for key, at in (("summer", summer), ("winter", winter), ("skipped", skipped)):
            await tx.remind("ring", key, at)
    for minutes in (29, 30, 89, 90):
        clock.now = START + timedelta(minutes=minutes)
        await fire_all(timers)
    assert bells.rung == [
        ("summer", START + timedelta(minutes=30)),
        ("winter", START + timedelta(minutes=90)),
    ]
    clock.now = skipped.astimezone(UTC) - timedelta(seconds=1)
    await fire_all(timers)
    assert len(bells.rung) == 2
    clock.now += timedelta(seconds=1)
    await fire_all(timers)
    assert bells.rung[-1] == ("skipped", datetime(2027, 3, 28, 1, 30, tzinfo=UTC))
