"""Durable timers against a real database: once each, in time, again after a failure."""

import asyncio
import json
from datetime import timedelta

from runtime.timers import Timers
from runtime.transaction import Transaction, Transactions, new_id
from schemas.eventlog import OperatorActed, OperatorPeople
from tests.conftest import OpenTransactions


class Fired:
    def __init__(self, failures: int = 0) -> None:
        self.keys: list[str] = []
        self.failures = failures

    async def __call__(self, tx: Transaction, key: str) -> None:
        self.keys.append(key)
        await asyncio.sleep(0.01)
        if self.failures:
            self.failures -= 1
            raise ValueError("not yet")
        data = OperatorActed(action="fired", target=key, reason="r", people=OperatorPeople(operator="o"))
        tx.emit(data, subject=key)


def timers(open_: Transactions, handler: Fired) -> Timers:
    return Timers(open_, {"test": handler})


async def emitted(open_: Transactions) -> list[str]:
    rows = await open_.pool.fetch("SELECT payload FROM outbox ORDER BY seq")
    return [json.loads(row["payload"])["data"]["target"] for row in rows]


async def test_a_timer_fires_once_though_many_workers_look(transactions: OpenTransactions) -> None:
    open_ = await transactions("eventlog")
    fired = Fired()
    async with open_() as tx:
        for n in range(20):
            await tx.remind("test", str(n), tx.now)
    workers = [timers(open_, fired) for _ in range(4)]

    async def work(worker: Timers) -> None:
        while await worker.fire_one():
            pass

    await asyncio.gather(*(work(worker) for worker in workers))
    assert sorted(fired.keys, key=int) == [str(n) for n in range(20)]
    assert sorted(await emitted(open_), key=int) == [str(n) for n in range(20)]


async def test_a_timer_waits_until_it_is_due_and_a_later_call_moves_it(
    transactions: OpenTransactions,
) -> None:
    open_ = await transactions("eventlog")
    fired = Fired()
    async with open_() as tx:
        await tx.remind("test", "a", tx.now)
        await tx.remind("test", "a", tx.now + timedelta(hours=1))
        await tx.remind("test", "b", tx.now + timedelta(hours=1))
        await tx.forget("test", "b")
    assert not await timers(open_, fired).fire_one()
    now = open_.now
    open_.now = lambda: now() + timedelta(hours=1, seconds=1)
    assert await timers(open_, fired).fire_one()
    assert fired.keys == ["a"]


async def test_a_failing_timer_writes_nothing_and_fires_again_later(transactions: OpenTransactions) -> None:
    open_ = await transactions("eventlog")
    fired = Fired(failures=2)
    async with open_() as tx:
        await tx.remind("test", "a", tx.now)
    now = open_.now()
    for tries in range(3):
        open_.now = lambda at=now + tries * timedelta(minutes=10): at  # type: ignore[misc]
        assert await timers(open_, fired).fire_one()
        assert not await timers(open_, fired).fire_one(), "it is put off"
    assert fired.keys == ["a", "a", "a"]
    assert await emitted(open_) == ["a"]


async def test_what_a_timer_emits_belongs_to_what_set_it(transactions: OpenTransactions) -> None:
    open_ = await transactions("eventlog")
    correlation, cause = new_id(), new_id()
    async with open_(correlation, cause) as tx:
        await tx.remind("test", "a", tx.now)
    await timers(open_, Fired()).fire_one()
    row = json.loads(await open_.pool.fetchval("SELECT payload FROM outbox"))
    assert (row["correlationid"], row["causationid"]) == (str(correlation), str(cause))


async def test_a_timer_may_set_itself_again(transactions: OpenTransactions) -> None:
    open_ = await transactions("eventlog")
    times = []

    async def again(tx: Transaction, key: str) -> None:
        times.append(key)
        await tx.remind("test", key, tx.now + timedelta(days=len(times)))

    async with open_() as tx:
        await tx.remind("test", "a", tx.now)
    worker = Timers(open_, {"test": again})
    assert await worker.fire_one()
    assert not await worker.fire_one()
    assert await open_.pool.fetchval("SELECT count(*) FROM timer") == 1


async def test_a_timer_whose_server_is_away_does_not_hold_up_the_others(
    transactions: OpenTransactions,
) -> None:
    open_ = await transactions("eventlog")
    done = []

    async def call(_tx: Transaction, key: str) -> None:
        if key == "away":
            raise ConnectionRefusedError
        done.append(key)

    async with open_() as tx:
        await tx.remind("test", "away", tx.now - timedelta(seconds=5))
        await tx.remind("test", "there", tx.now)
    worker = Timers(open_, {"test": call})
    assert await worker.fire_one()
    assert await worker.fire_one()
    assert done == ["there"]
