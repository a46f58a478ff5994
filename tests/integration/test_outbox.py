"""The relay against a real database and broker: in order, at least once, whatever commits late."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import cast

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError
from prometheus_client import CollectorRegistry

from runtime.kafka import BATCH_BYTES, TOPICS, ensure_topics, new_producer
from runtime.outbox import Relay
from runtime.ring import OUTBOX_DAYS, slot
from runtime.settings import Settings
from runtime.transaction import SQL, Transaction, Transactions, new_id
from schemas.eventlog import OperatorActed, OperatorPeople
from tests.conftest import Broker, Database, OpenTransactions


def acted(what: str) -> OperatorActed:
    return OperatorActed(action=what, target="t", reason="r", people=OperatorPeople(operator="o"))


@pytest.fixture
async def settings(broker: Broker, database: Database) -> Settings:
    made = Settings.model_validate(
        {"database": database.admin, "kafka": broker.address, "kafka_session_seconds": 2}
    )
    await ensure_topics(made)
    return made


@pytest.fixture
async def producer(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    made = new_producer(settings, "test")
    await made.start()
    yield made
    await made.stop()


async def published(broker: Broker, run: str) -> list[tuple[str, str]]:
    """(key, action) of the events whose key begins with ``run``, in order within a partition."""
    consumer = AIOKafkaConsumer("eventlog", bootstrap_servers=broker.address, auto_offset_reset="earliest")
    await consumer.start()
    ends = await consumer.end_offsets(consumer.assignment())
    found = []
    async with asyncio.timeout(60):
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                pairs = [(r.key.decode(), json.loads(r.value)["data"]["action"]) for r in records]
                found += [(key.removeprefix(run), action) for key, action in pairs if key.startswith(run)]
    await consumer.stop()
    return found


@pytest.fixture
def run() -> str:
    """What the keys of one test begin with."""
    return f"{new_id()}/"


async def drain(relay: Relay) -> None:
    relay.stop()
    async with asyncio.timeout(60):
        await relay.run()


async def until_published(open_: Transactions) -> None:
    async with asyncio.timeout(60):
        while await open_.pool.fetchval("SELECT count(*) FROM unpublished"):
            await asyncio.sleep(0.05)


async def test_events_of_a_key_are_published_in_the_order_of_their_commits(
    transactions: OpenTransactions, producer: AIOKafkaProducer, broker: Broker, run: str
) -> None:
    open_ = await transactions("eventlog")
    for n in range(40):
        async with open_() as tx:
            tx.emit(acted(f"{n}a"), subject=f"{run}key-{n % 4}")
            tx.emit(acted(f"{n}b"), subject=f"{run}key-{n % 4}")
    await drain(Relay(open_.pool, producer, 7, CollectorRegistry()))
    found = await published(broker, run)
    assert len(found) == 80
    for key in range(4):
        expected = [f"{n}{part}" for n in range(40) if n % 4 == key for part in "ab"]
        assert [action for k, action in found if k == f"key-{key}"] == expected


async def test_a_lower_sequence_that_commits_late_is_published(
    transactions: OpenTransactions, producer: AIOKafkaProducer, broker: Broker, run: str
) -> None:
    open_ = await transactions("eventlog")
    slow_wrote, may_commit = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with open_.pool.acquire() as proxy, proxy.transaction():
            connection = cast("asyncpg.Connection", proxy)
            tx = Transaction(connection, datetime.now(UTC), new_id(), None)
            tx.emit(acted("slow"), subject=f"{run}a")
            await connection.execute(SQL["add_to_outbox"], *zip(*tx.outgoing, strict=True))
            slow_wrote.set()
            await may_commit.wait()

    task = asyncio.create_task(slow())
    await slow_wrote.wait()
    async with open_() as tx:
        tx.emit(acted("fast"), subject=f"{run}b")
    await drain(Relay(open_.pool, producer, 500, CollectorRegistry()))
    may_commit.set()
    await task
    await drain(Relay(open_.pool, producer, 500, CollectorRegistry()))
    assert sorted(action for _, action in await published(broker, run)) == ["fast", "slow"]


class DeadBroker:
    """A producer whose broker acknowledges only some keys."""

    def __init__(self, refused: set[str]) -> None:
        self.refused = refused
        self.turns: list[list[bytes]] = []

    async def partitions_for(self, _topic: str) -> set[int]:
        self.turns.append([])
        return {0}

    async def send(
        self, _topic: str, _value: bytes, *, key: bytes, **_headers: object
    ) -> asyncio.Future[None]:
        self.turns[-1].append(_value)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if key.decode() in self.refused:
            future.set_exception(KafkaError("not acknowledged"))
        else:
            future.set_result(None)
        return future


async def test_only_what_the_broker_acknowledged_counts_as_published(
    transactions: OpenTransactions, database: Database
) -> None:
    open_ = await transactions("eventlog")
    async with open_() as tx:
        for subject in ("good", "bad", "good", "bad"):
            tx.emit(acted(subject), subject=subject)
    relay = Relay(open_.pool, DeadBroker({"bad"}), 500, CollectorRegistry())
    admin = await asyncpg.connect(database.admin)
    await relay.leases.renew()
    async with open_.pool.acquire() as connection:
        with pytest.raises(KafkaError):
            await relay.publish_once(cast("asyncpg.Connection", connection))
    rows = await admin.fetch(
        "SELECT key, NOT EXISTS (SELECT FROM eventlog.unpublished WHERE seq = outbox.seq) AS done "
        "FROM eventlog.outbox ORDER BY seq"
    )
    assert [(row["key"], row["done"]) for row in rows] == [
        ("good", True), ("bad", False), ("good", True), ("bad", False),
    ]  # fmt: skip
    await admin.close()


async def test_of_two_relays_one_leads_and_the_other_takes_over(
    transactions: OpenTransactions, producer: AIOKafkaProducer, broker: Broker, run: str
) -> None:
    open_ = await transactions("eventlog")
    other = await transactions("eventlog")
    relays = [Relay(t.pool, producer, 500, CollectorRegistry()) for t in (open_, other)]
    running = [asyncio.create_task(relay.run()) for relay in relays]
    async with open_() as tx:
        tx.emit(acted("first"), subject=f"{run}a")
    await until_published(open_)
    relays[0].stop()
    await running[0]
    async with open_() as tx:
        tx.emit(acted("second"), subject=f"{run}a")
    await until_published(open_)
    relays[1].stop()
    await running[1]
    assert await published(broker, run) == [("a", "first"), ("a", "second")]


async def test_a_transaction_that_fails_emits_nothing(
    transactions: OpenTransactions, database: Database
) -> None:
    open_ = await transactions("eventlog")
    with pytest.raises(RuntimeError):
        async with open_() as tx:
            tx.emit(acted("never"), subject="a")
            raise RuntimeError
    admin = await asyncpg.connect(database.admin)
    assert await admin.fetchval("SELECT count(*) FROM eventlog.outbox") == 0
    await admin.close()


async def test_a_savepoint_that_fails_takes_back_what_it_emitted(transactions: OpenTransactions) -> None:
    open_: Transactions = await transactions("eventlog")
    async with open_() as tx:
        tx.emit(acted("kept"), subject="a")
        with pytest.raises(RuntimeError):
            async with tx.attempt() as inner:
                inner.emit(acted("taken back"), subject="a")
                raise RuntimeError
    payloads = await open_.pool.fetch("SELECT payload FROM outbox")
    assert [json.loads(row["payload"])["data"]["action"] for row in payloads] == ["kept"]


async def test_an_event_too_large_for_a_broker_is_refused_before_it_blocks_the_relay(
    transactions: OpenTransactions,
) -> None:
    open_ = await transactions("eventlog")
    large = OperatorActed.model_construct(
        action="x" * 1_000_000, target="t", people=OperatorPeople(operator="o")
    )
    with pytest.raises(ValueError, match="can be published"):
        async with open_() as tx:
            tx.emit(large, subject="a")


async def test_every_topic_exists_after_the_start(settings: Settings, broker: Broker) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.address)
    await consumer.start()
    assert set(TOPICS) <= await consumer.topics()
    await consumer.stop()


async def test_a_plan_that_was_made_on_an_empty_day_does_not_scan_it_when_it_is_full(
    transactions: OpenTransactions, database: Database
) -> None:
    open_ = await transactions("eventlog")
    admin = await asyncpg.connect(database.admin)
    await admin.execute("VACUUM ANALYZE eventlog.outbox, eventlog.unpublished")
    relay = Relay(open_.pool, DeadBroker(set()), 500, CollectorRegistry())
    running = asyncio.create_task(relay.run())
    for _ in range(20):  # PostgreSQL keeps a plan from the sixth use on
        await asyncio.sleep(0.05)
        relay.wake()
    for _ in range(3):
        async with open_() as tx:
            for n in range(500):
                tx.emit(acted("x"), subject=str(n))
    relay.stop()
    await running
    assert await open_.pool.fetchval("SELECT count(*) FROM unpublished") == 0
    await open_.pool.expire_connections()
    await open_.pool.close()  # what its sessions counted is known when they end
    scans = "SELECT seq_scan FROM pg_stat_user_tables WHERE schemaname = 'eventlog' AND relname = $1"
    today = f"outbox_{slot(new_id(), OUTBOX_DAYS)}"
    async with asyncio.timeout(60):
        while await admin.fetchval("SELECT count(*) FROM pg_stat_activity WHERE usename = 'wafd_eventlog'"):
            await asyncio.sleep(0.05)
    assert await admin.fetchval(scans, today) < 10
    await admin.close()


async def test_a_turn_is_no_larger_than_one_batch_of_the_producer(transactions: OpenTransactions) -> None:
    open_ = await transactions("eventlog")
    people = OperatorPeople(operator="o", reason="x" * 3900)
    for _ in range(4):
        async with open_() as tx:
            for n in range(120):
                tx.emit(OperatorActed(action="large", target="t", people=people), subject=str(n))
    broker = DeadBroker(set())
    await drain(Relay(open_.pool, broker, 500, CollectorRegistry()))
    assert [len(turn) > 0 for turn in broker.turns] == [True] * len(broker.turns)
    assert sum(len(turn) for turn in broker.turns) == 480
    assert len(broker.turns) > 1
    assert max(sum(map(len, turn)) for turn in broker.turns) < BATCH_BYTES


async def test_a_relay_whose_leases_cannot_be_kept_does_not_go_on_as_if_all_were_well(
    transactions: OpenTransactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_ = await transactions("eventlog")
    relay = Relay(open_.pool, DeadBroker(set()), 500, CollectorRegistry())

    async def broken() -> bool:
        raise LookupError

    monkeypatch.setattr(relay.leases, "renew", broken)
    async with asyncio.timeout(60):
        with pytest.raises(LookupError):
            await relay.run()


async def test_leases_that_ran_out_are_told(transactions: OpenTransactions) -> None:
    open_ = await transactions("eventlog")
    relay = Relay(open_.pool, DeadBroker(set()), 500, CollectorRegistry())
    await relay.leases.renew()
    assert relay.trouble is None
    relay.leases._until -= 10
    assert relay.trouble is not None
    assert relay.trouble.startswith("the leases of the outbox ran out")
