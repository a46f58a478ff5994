"""What the measurements share: servers, the events that flow, and Wafd's way through them."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import asyncpg
from prometheus_client import CollectorRegistry

from embedded import broker as embedded_broker
from embedded import postgres as embedded_postgres
from runtime.database import migrate, open_pool
from runtime.inbox import Inbox
from runtime.kafka import Records, Subscription, ensure_topics, headers_of, new_producer
from runtime.outbox import Relay
from runtime.settings import Settings
from runtime.transaction import Transaction, Transactions, clock, new_id
from schemas.event import Event, new_event, topic_of
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
            subject="Study of the national referral mechanism",
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


async def produce(settings: Settings, events: int) -> None:
    """Publish ``events`` approved requests, each of a visit of its own."""
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


async def clear(admin: str) -> None:
    """Empty what the contestants wrote."""
    connection = await asyncpg.connect(admin)
    await connection.execute(
        f"TRUNCATE {SCHEMA}.inbox, {SCHEMA}.outbox, {SCHEMA}.unpublished, "
        f"{SCHEMA}.plain_inbox, {SCHEMA}.plain_outbox"
    )
    await connection.execute("CHECKPOINT")
    await connection.close()


@dataclass(frozen=True)
class Flow:
    """A running inbox with a handler that answers each event, and its relay."""

    registry: CollectorRegistry
    relay: Relay

    @property
    def published(self) -> int:
        """Answers that the broker has acknowledged."""
        return int(self.registry.get_sample_value("wafd_outbox_published_total") or 0)

    async def until_published(self, events: int) -> None:
        """Wait for so many answers."""
        while self.published < events:  # noqa: ASYNC110 -- a counter tells nobody
            await asyncio.sleep(0.005)

    async def until_quiet(self) -> None:
        """Wait until nothing has been published for a second."""
        before = -1
        while before != self.published:
            before = self.published
            await asyncio.sleep(1)


@asynccontextmanager
async def flow(used: Servers, group: str, began: Callable[[], None] = lambda: None) -> AsyncIterator[Flow]:
    """Run Wafd's parts as a service does: the group ``group`` reads all approved requests, from the first on.

    ``began`` is called with every batch.
    """
    registry = CollectorRegistry()
    pool = await open_pool(used.admin, SCHEMA, 6)
    transactions = Transactions(pool)
    producer = new_producer(used.settings, group)
    await producer.start()
    relay = Relay(pool, producer, BATCH, registry)
    transactions.on_events = relay.wake

    async def propose(tx: Transaction, event: Event[RequestApproved]) -> None:
        tx.emit(answer(event), subject=event.subject)

    inbox = Inbox(transactions, {RequestApproved.TYPE: propose}, registry)

    async def consume(records: Records) -> None:
        began()
        await inbox.consume(records)

    subscription = Subscription(used.settings, group, [topic_of(RequestApproved.TYPE)], consume, registry)
    running = asyncio.create_task(relay.run())
    await subscription.start()
    yield Flow(registry, relay)
    await subscription.stop()
    relay.stop()
    await running
    await producer.stop()
    await pool.close()


def percentile(figures: Sequence[float], part: float) -> float:
    """The smallest figure that at least ``part`` (0 to 1) of all do not exceed."""
    ordered = sorted(figures)
    return ordered[min(len(ordered) - 1, ceil(len(ordered) * part) - 1)]
