"""Several relays of one service: they share its shards, and one that was held up does no harm."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import cast

import asyncpg
import pytest
from prometheus_client import CollectorRegistry

from runtime.database import transaction
from runtime.leases import SHARDS, shard_of
from runtime.outbox import Relay
from runtime.transaction import Transactions, new_id
from schemas.eventlog import OperatorActed, OperatorPeople
from tests.conftest import OpenTransactions


class Broker:
    """Takes everything, and remembers who published what in which order."""

    def __init__(self) -> None:
        self.published: list[tuple[str, str, str]] = []

    def producer(self, name: str) -> "Producer":
        return Producer(self, name)

    def first_occurrences(self, key: str) -> list[str]:
        return list(dict.fromkeys(action for _, k, action in self.published if k == key))


class Producer:
    def __init__(self, broker: Broker, name: str) -> None:
        self.broker, self.name = broker, name
        self.held_up: asyncio.Event | None = None

    async def partitions_for(self, _topic: str) -> set[int]:
        return {0}

    async def send(
        self, _topic: str, value: bytes, *, key: bytes, **_headers: object
    ) -> asyncio.Future[None]:
        if self.held_up:
            await self.held_up.wait()
        action = json.loads(value)["data"]["action"]
        self.broker.published.append((self.name, key.decode(), action))
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future


NewRelay = Callable[[Producer], Awaitable[Relay]]


@pytest.fixture
async def open_(transactions: OpenTransactions) -> Transactions:
    return await transactions("eventlog")


@pytest.fixture
async def started(transactions: OpenTransactions) -> AsyncIterator[NewRelay]:
    """Starts relays, each with a pool of its own as in a process, and stops those that still run."""
    running: list[tuple[Relay, asyncio.Task[None]]] = []

    async def start(producer: Producer) -> Relay:
        relay = Relay((await transactions("eventlog")).pool, producer, 50, CollectorRegistry())
        running.append((relay, asyncio.create_task(relay.run())))
        return relay

    yield start
    for relay, task in running:
        relay.stop()
        await task


async def emit(open_: Transactions, actions: range, keys: int) -> None:
    for n in actions:
        async with open_() as tx:
            data = OperatorActed(action=str(n), target="t", reason="r", people=OperatorPeople(operator="o"))
            tx.emit(data, subject=f"key-{n % keys}")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.05)


def test_keys_are_spread_over_all_shards_and_stay_where_they_are() -> None:
    counts = Counter(shard_of(f"visit-{n}") for n in range(1600))
    assert len(counts) == SHARDS
    assert max(counts.values()) < 200
    assert shard_of("visit-1") == 2


async def test_relays_share_the_shards_and_those_of_one_that_ends_go_to_the_others(
    open_: Transactions, started: NewRelay
) -> None:
    broker = Broker()
    first = await started(broker.producer("first"))
    await until(lambda: len(first.leases.shards) == SHARDS)
    second = await started(broker.producer("second"))
    await until(lambda: len(first.leases.shards) == len(second.leases.shards) == SHARDS // 2)
    assert not set(first.leases.shards) & set(second.leases.shards)
    await emit(open_, range(100), keys=40)
    await until(lambda: len(broker.published) >= 100)
    assert {name for name, *_ in broker.published} == {"first", "second"}
    first.stop()
    await until(lambda: len(second.leases.shards) == SHARDS)
    await emit(open_, range(100, 140), keys=40)
    await until(lambda: len({action for *_, action in broker.published}) == 140)
    for key in range(40):
        expected = [str(n) for n in range(140) if n % 40 == key]
        assert broker.first_occurrences(f"key-{key}") == expected


async def test_what_a_relay_publishes_after_its_lease_is_a_repetition_and_it_marks_nothing(
    open_: Transactions, started: NewRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = Broker()
    slow = broker.producer("held up")
    slow.held_up = asyncio.Event()
    await emit(open_, range(6), keys=2)
    late = await started(slow)
    await until(late.leases.turn.locked)

    async def not_at_all() -> bool:  # the whole process stands still, its renewals too
        return False

    monkeypatch.setattr(late.leases, "renew", not_at_all)
    await started(broker.producer("successor"))
    await until(lambda: len(broker.published) == 6)
    await emit(open_, range(6, 8), keys=2)
    await until(lambda: len(broker.published) == 8)

    await open_.pool.execute(  # as if the successor had not got as far yet
        "INSERT INTO unpublished SELECT seq, slot, id, shard FROM outbox ORDER BY seq LIMIT 6"
    )
    slow.held_up.set()

    def repeated() -> list[str]:
        return [action for name, _, action in broker.published if name == "held up"]

    await until(lambda: len(repeated()) >= 6)
    await until(lambda: not late.leases.turn.locked())
    assert repeated() == [str(n) for n in range(6)]
    for key in (0, 1):
        expected = [str(n) for n in range(8) if n % 2 == key]
        assert broker.first_occurrences(f"key-{key}") == expected
    assert not late.leases.shards


async def test_a_relay_without_lease_publishes_nothing(
    open_: Transactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = Broker()
    relay = Relay(open_.pool, broker.producer("x"), 50, CollectorRegistry())
    await emit(open_, range(2), keys=2)
    async with open_.pool.acquire() as connection:
        assert not await relay.publish_once(cast("asyncpg.Connection", connection))
        await relay.leases.renew()
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now + 3.1)
        assert not await relay.publish_once(cast("asyncpg.Connection", connection))
        assert broker.published == []
        await relay.leases.renew()
        assert await relay.publish_once(cast("asyncpg.Connection", connection))
    assert len(broker.published) == 2


async def test_a_relay_that_is_being_renewed_holds_nobody_up_and_is_not_forgotten(
    open_: Transactions,
) -> None:
    relay = Relay(open_.pool, Broker().producer("x"), 50, CollectorRegistry())
    long_silent, dead = new_id(), new_id()
    await open_.pool.execute(
        "INSERT INTO relay (id, until) SELECT id, clock_timestamp() - interval '2 minutes' "
        "FROM unnest($1::uuid[]) AS id",
        [long_silent, dead],
    )
    async with open_() as tx:  # as a process does that was stopped in the middle of its renewal
        await tx.connection.execute("SELECT FROM relay WHERE id = $1 FOR UPDATE", long_silent)
        async with asyncio.timeout(2):
            assert await relay.leases.renew()
        left = {row["id"] for row in await open_.pool.fetch("SELECT id FROM relay")}
        assert left == {relay._id, long_silent}
    await relay.leases.renew()
    assert await open_.pool.fetchval("SELECT count(*) FROM relay") == 1


async def test_whoever_is_ended_in_a_transaction_ends_and_does_not_see_an_outage(
    transactions: OpenTransactions,
) -> None:
    open_ = await transactions("eventlog")

    async def work() -> None:
        async with transaction(open_.pool, 30) as connection:
            await connection.execute("SELECT pg_sleep(60)")

    working = asyncio.create_task(work())
    await asyncio.sleep(0.2)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(working, 30)
