"""Throughput of inbox + handler + outbox + relay against a hand-written loop of the same durability.

Both read the same records, validate them against the same schema, write an inbox and an outbox row
for each in one transaction a batch of 500, publish an answer, mark it published after the broker's
acknowledgement, and commit the offset last. They take turns, and the ratio is that of the medians.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from prometheus_client import CollectorRegistry

from embedded import broker as embedded_broker
from embedded import postgres as embedded_postgres
from runtime.database import encode_json, migrate, open_pool
from runtime.inbox import Inbox
from runtime.kafka import Records, Subscription, ensure_topics, headers_of, new_producer
from runtime.outbox import Relay
from runtime.settings import Settings
from runtime.transaction import Transaction, Transactions, clock, new_id
from schemas.event import Event, envelope, new_event, topic_of
from schemas.scheduling import ProgrammeInfeasible
from schemas.terms import Bilingual, Contact, DateWindow, PersonName, Rank, VisitKind
from schemas.visits import DelegationPeople, Guest, MinistryPeople, Needs, RequestApproved

SCHEMA = "bench"
BATCH = 500
CONTACT = Contact(name=PersonName(latin="Noor Example", arabic="نور مثال"), email="noor@ministry.example")
REASONS = (Bilingual(ar="لا تتوفر قاعة في هذه الأيام", en="No venue is free on these days"),)


FLOOR_TABLES = f"""
CREATE TABLE IF NOT EXISTS {SCHEMA}.plain_inbox (id uuid PRIMARY KEY);
CREATE TABLE IF NOT EXISTS {SCHEMA}.plain_outbox (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id uuid NOT NULL, topic text NOT NULL,
    key text NOT NULL, type text NOT NULL, correlation uuid NOT NULL, payload bytea NOT NULL,
    published_at timestamptz
);
CREATE INDEX IF NOT EXISTS plain_unpublished ON {SCHEMA}.plain_outbox (seq) WHERE published_at IS NULL;
"""
"""What somebody would write who needs the same durability: an inbox, and an outbox that is kept."""


@dataclass(frozen=True)
class Servers:
    """Where the servers under both contestants are."""

    settings: Settings
    admin: str


@asynccontextmanager
async def servers(kafka: str | None, postgres: str | None) -> AsyncIterator[Servers]:
    """Start what is not named, for the length of the block."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wafd-bench-")))
        if postgres is None:
            database = await embedded_postgres.start(folder)
            stack.push_async_callback(database.stop)
            postgres = database.dsn
        if kafka is None:
            log = await embedded_broker.start(folder)
            stack.push_async_callback(log.stop)
            kafka = log.address
        settings = Settings.model_validate(
            {"database": postgres, "kafka": kafka, "kafka_session_seconds": 2, "batch_records": BATCH}
        )
        admin = await asyncpg.connect(postgres)
        await migrate(admin, SCHEMA, None)
        await admin.execute(FLOOR_TABLES)
        await admin.close()
        await ensure_topics(settings)
        yield Servers(settings, postgres)


async def pipeline(events: int, rounds: int, kafka: str | None, postgres: str | None) -> dict[str, Any]:
    """Measure both contestants in turn; figures are events a second."""
    async with servers(kafka, postgres) as used:
        await _produce(used.settings, events)
        floor: list[float] = []
        wafd: list[float] = []
        for number in range(rounds + 1):
            for contestant, figures in ((_hand_written, floor), (_wafd, wafd)):
                await _clear(used.admin)
                seconds = await contestant(used, f"{SCHEMA}-{contestant.__name__}-{number}", events)
                if number:  # the first round warms up
                    figures.append(events / seconds)
    return {
        "events": events,
        "batch": BATCH,
        "rounds": rounds,
        "broker": kafka or "embedded",
        "floor_events_per_second": round(statistics.median(floor)),
        "wafd_events_per_second": round(statistics.median(wafd)),
        "ratio": round(statistics.median(wafd) / statistics.median(floor), 3),
        "ratios": [round(ours / theirs, 3) for ours, theirs in zip(wafd, floor, strict=True)],
    }


def approved(subject: str) -> Event[RequestApproved]:
    """An approved request of ordinary size."""
    data = RequestApproved(
        reference="V-2026-000017",
        revision=1,
        country="QA",
        ministry="Ministry of Foreign Affairs",
        subject="Study of the national referral mechanism",
        needs=Needs(
            kind=VisitKind.STUDY,
            themes=("national-referral-mechanism", "victim-identification"),
            sites=("shelter",),
            windows=(DateWindow.model_validate({"first": "2026-02-01", "last": "2026-02-12"}),),
            days=2,
            size=4,
            head_rank=Rank.DIRECTOR,
            languages=("ar", "en"),
        ),
        people=DelegationPeople(
            focal_points=(CONTACT,),
            guests=(Guest(name=CONTACT.name, role="head", rank=Rank.DIRECTOR, position="Director"),),
        ),
    )
    return new_event(
        data, id=new_id(), time=clock(), subject=subject, correlationid=new_id(), causationid=None
    )


def answer(event: Event[RequestApproved]) -> ProgrammeInfeasible:
    """What both contestants answer."""
    asked = event.data
    return ProgrammeInfeasible(
        reference=asked.reference,
        revision=asked.revision,
        country=asked.country,
        ministry=asked.ministry,
        reasons=REASONS,
        alternatives=(),
        people=MinistryPeople(focal_points=asked.people.focal_points),
    )


async def _produce(settings: Settings, events: int) -> None:
    producer = new_producer(settings, "bench-feeder")
    await producer.start()
    for start in range(0, events, BATCH):
        futures = []
        for _ in range(start, min(start + BATCH, events)):
            event = approved(str(new_id()))
            headers = headers_of(event.type, str(event.id), str(event.correlationid))
            value = event.model_dump_json().encode()
            futures.append(
                await producer.send(topic_of(event.type), value, key=event.subject.encode(), headers=headers)
            )
        await asyncio.gather(*futures)
    await producer.stop()


async def _clear(admin: str) -> None:
    connection = await asyncpg.connect(admin)
    await connection.execute(
        f"TRUNCATE {SCHEMA}.inbox, {SCHEMA}.outbox, {SCHEMA}.unpublished, "
        f"{SCHEMA}.plain_inbox, {SCHEMA}.plain_outbox"
    )
    await connection.execute("CHECKPOINT")
    await connection.close()


async def _wafd(used: Servers, group: str, events: int) -> float:
    registry = CollectorRegistry()
    pool = await open_pool(used.admin, SCHEMA, 4)
    transactions = Transactions(pool)
    producer = new_producer(used.settings, group)
    await producer.start()
    relay = Relay(pool, producer, BATCH, registry)
    transactions.on_events = relay.wake
    began: list[float] = []

    async def propose(tx: Transaction, event: Event[RequestApproved]) -> None:
        tx.emit(answer(event), subject=event.subject)

    inbox = Inbox(transactions, {RequestApproved.TYPE: propose}, registry)

    async def consume(records: Records) -> None:
        if not began:
            began.append(time.perf_counter())
        await inbox.consume(records)

    topics = [topic_of(RequestApproved.TYPE)]
    subscription = Subscription(used.settings, group, topics, consume, registry)
    running = asyncio.create_task(relay.run())
    await subscription.start()
    while (registry.get_sample_value("wafd_outbox_published_total") or 0) < events:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    seconds = time.perf_counter() - began[0]
    await subscription.stop()
    relay.stop()
    await running
    await producer.stop()
    await pool.close()
    return seconds


async def _hand_written(used: Servers, group: str, events: int) -> float:
    """The shortest loop with an inbox, an outbox and offsets that move last."""
    connection = await asyncpg.connect(used.admin, server_settings={"search_path": SCHEMA})
    await encode_json(connection)
    producer = new_producer(used.settings, group)
    consumer = AIOKafkaConsumer(
        topic_of(RequestApproved.TYPE),
        bootstrap_servers=used.settings.kafka,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=2000,
        heartbeat_interval_ms=400,
        max_partition_fetch_bytes=8 * 1024 * 1024,
    )
    await producer.start()
    await consumer.start()
    done, began = 0, 0.0
    while done < events:
        fetched = await consumer.getmany(timeout_ms=100, max_records=BATCH)
        if fetched:
            began = began or time.perf_counter()
            done += await _one_batch(connection, producer, list(chain(*fetched.values())))
            await consumer.commit()
    seconds = time.perf_counter() - began
    await consumer.stop()
    await producer.stop()
    await connection.close()
    return seconds


async def _one_batch(connection: asyncpg.Connection, producer: AIOKafkaProducer, records: list[Any]) -> int:
    model = envelope(RequestApproved.TYPE)
    incoming = {event.id: event for event in (model.model_validate_json(record.value) for record in records)}
    async with connection.transaction():
        fresh = await connection.fetch(
            "INSERT INTO plain_inbox (id) SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING RETURNING id",
            list(incoming),
        )
        outgoing = [_answered(incoming[row["id"]]) for row in fresh]
        rows = await connection.fetch(
            "INSERT INTO plain_outbox (id, topic, key, type, correlation, payload) "
            "SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::bytea[]) "
            "RETURNING seq",
            *zip(*outgoing, strict=True),
        )
    futures = [
        await producer.send(
            topic, payload, key=key.encode(), headers=headers_of(type_, str(id_), str(correlation))
        )
        for id_, topic, key, type_, correlation, payload in outgoing
    ]
    await asyncio.gather(*futures)
    await connection.execute(
        "UPDATE plain_outbox SET published_at = now() WHERE seq = ANY ($1::bigint[])",
        [row["seq"] for row in rows],
    )
    return len(fresh)


def _answered(event: Event[RequestApproved]) -> tuple[Any, ...]:
    out = new_event(
        answer(event),
        id=new_id(),
        time=clock(),
        subject=event.subject,
        correlationid=event.correlationid,
        causationid=event.id,
    )
    payload = out.model_dump_json().encode()
    return out.id, topic_of(out.type), out.subject, out.type, out.correlationid, payload
