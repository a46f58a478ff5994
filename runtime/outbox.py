"""The relay: publishes what transactions wrote to the outbox, in order, at least once."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from itertools import accumulate

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer
from prometheus_client import CollectorRegistry, Counter

from runtime.database import borrowed
from runtime.errors import OUTAGES, is_outage
from runtime.kafka import BATCH_BYTES, headers_of, send_all
from runtime.leases import LEASE, Leases
from runtime.queries import load_queries
from runtime.transaction import new_id

log = structlog.get_logger()
SQL = load_queries(__file__)

POLL_SECONDS = 1.0
"""How long a row may wait that another process wrote; rows of this process wake the relay."""


OVERHEAD = 500
"""Bytes of a record beside its payload, at most but for uncommonly long keys."""


class Relay:
    """Publishes a service's outbox; several processes share it by shards, see `runtime.leases`.

    Rows are forgotten as unpublished only after the broker acknowledged them, so a crash repeats some and
    loses none. What a relay that was held up publishes after its lease is a repetition too: another relay
    begins with the first row that was not acknowledged, so the first occurrences keep each key's order.
    """

    def __init__(
        self, pool: asyncpg.Pool, producer: AIOKafkaProducer, batch: int, registry: CollectorRegistry
    ) -> None:
        self._pool = pool
        self._producer = producer
        self._batch = batch
        self._id = new_id()
        self.leases = Leases(pool, self._id)
        self._wake = asyncio.Event()
        self._stopping = False
        self._published = Counter("wafd_outbox_published_total", "Events published.", registry=registry)
        self._failure: str | None = None

    def wake(self) -> None:
        """Publish soon: a transaction with events has committed."""
        self._wake.set()

    def stop(self) -> None:
        """Publish what is there and end."""
        self._stopping = True
        self._wake.set()

    @property
    def trouble(self) -> str | None:
        """Say in one sentence why nothing is published, or None while all is well."""
        return self._failure or self.leases.trouble

    async def run(self) -> None:
        """Publish until stopped; outages are waited out. Raises what is none."""
        keeper = asyncio.create_task(self._keep_leases(), name="leases")
        publisher = asyncio.create_task(self._run(), name="publisher")
        try:
            await asyncio.wait({keeper, publisher}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended = [task for task in (publisher, keeper) if task.done()]
            for task in (publisher, keeper):
                task.cancel()
            await asyncio.wait({keeper, publisher})
            with suppress(*OUTAGES):  # the leases end by themselves, a little later
                await self.leases.end()
        ended[0].result()

    async def _run(self) -> None:
        delay = 0.1
        while True:
            try:
                async with borrowed(self._pool) as connection:
                    await self._publish(connection)
                    return
            except OUTAGES as error:
                if not is_outage(error):
                    raise
                self._failure = f"events cannot be published: {type(error).__name__}"
                log.warning("relay waits", error=type(error).__name__, seconds=delay)
                if self._stopping:
                    return
                await asyncio.sleep(delay)
                delay = min(delay * 2, 5)

    async def _keep_leases(self) -> None:
        while True:
            try:
                if await self.leases.renew():
                    self.wake()
            except OUTAGES as error:
                if not is_outage(error):
                    raise
                log.warning("leases cannot be renewed", error=type(error).__name__)
            await asyncio.sleep(LEASE.total_seconds() / 3)

    async def _publish(self, connection: asyncpg.Connection) -> None:
        """Publish whatever comes, until stopped and nothing is left."""
        # A day's partition is empty when it begins: a plan made then, and kept, would scan it to its end.
        await connection.execute("SET enable_seqscan = off")
        if self._stopping:
            await self.leases.renew()
        while True:
            self._wake.clear()
            while await self.publish_once(connection):
                pass
            self._failure = None
            if self._stopping:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._wake.wait()

    async def publish_once(self, connection: asyncpg.Connection) -> bool:
        """Publish up to one batch; says whether there was any. Raises what the broker or database raised."""
        async with self.leases.turn:
            rows = _turn(await connection.fetch(SQL["unpublished"], self._batch, self.leases.shards))
            if not rows or not self.leases.shards:
                return False
            for topic in {row["topic"] for row in rows}:
                await self._producer.partitions_for(topic)  # so that no send has to wait for it
            errors = await send_all(
                self._producer,
                [
                    (
                        row["topic"],
                        row["key"],
                        row["payload"],
                        headers_of(row["type"], str(row["id"]), str(row["correlation"])),
                    )
                    for row in rows
                ],
            )
            acknowledged = _unbroken(rows, errors)
            await connection.execute(SQL["mark_published"], acknowledged, self._id)
        self._published.inc(len(acknowledged))
        for error in errors:
            if error is not None:
                raise error
        return True


def _turn(rows: Sequence[asyncpg.Record]) -> Sequence[asyncpg.Record]:
    """The first rows, as many as fit into one batch of the producer; at least one.

    So each partition gets one batch a turn, which is written as a whole or not at all: of two batches the
    second could be written although the first was not, and a key's events would change places.
    """
    sizes = accumulate(len(row["payload"]) + OVERHEAD for row in rows)
    return rows[: max(1, sum(1 for size in sizes if size <= BATCH_BYTES))]


def _unbroken(rows: Sequence[asyncpg.Record], errors: Sequence[BaseException | None]) -> list[int]:
    """Sequence numbers that count as published: of a key whose row failed, none from that row on."""
    broken: set[str] = set()
    done = []
    for row, error in zip(rows, errors, strict=True):
        if error is not None:
            broken.add(row["key"])
        elif row["key"] not in broken:
            done.append(row["seq"])
    return done
