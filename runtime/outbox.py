"""The relay: publishes what transactions wrote to the outbox, in order, at least once."""

import asyncio
from collections.abc import Sequence
from typing import cast

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer
from prometheus_client import CollectorRegistry, Counter

from runtime.errors import OUTAGES, is_outage
from runtime.kafka import headers_of, send_all
from runtime.queries import load_queries

log = structlog.get_logger()
SQL = load_queries(__file__)

POLL_SECONDS = 1.0
"""How long a row may wait that another process wrote; rows of this process wake the relay."""


class Relay:
    """Publishes a service's outbox; of several processes one at a time, by an advisory lock.

    Rows are marked only after the broker acknowledged them, so a crash repeats some and loses none.
    """

    def __init__(
        self, pool: asyncpg.Pool, producer: AIOKafkaProducer, batch: int, registry: CollectorRegistry
    ) -> None:
        self._pool = pool
        self._producer = producer
        self._batch = batch
        self._wake = asyncio.Event()
        self._stopping = False
        self._published = Counter("wafd_outbox_published_total", "Events published.", registry=registry)
        self.trouble: str | None = None

    def wake(self) -> None:
        """Publish soon: a transaction with events has committed."""
        self._wake.set()

    def stop(self) -> None:
        """Publish what is there and end."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Publish until stopped; outages are waited out."""
        delay = 0.1
        while True:
            try:
                async with self._pool.acquire(timeout=10) as connection:
                    await self._publish_as_leader(cast("asyncpg.Connection", connection))
                if self._stopping:
                    return
                delay = 0.1
            except OUTAGES as error:
                if not is_outage(error):
                    raise
                self.trouble = f"events cannot be published: {type(error).__name__}"
                log.warning("relay waits", error=type(error).__name__, seconds=delay)
                if self._stopping:
                    return
                await asyncio.sleep(delay)
                delay = min(delay * 2, 5)

    async def _publish_as_leader(self, connection: asyncpg.Connection) -> None:
        # The lock goes with the connection: a killed leader frees it at once, the pool's reset otherwise.
        lock = "('outbox'::regclass::oid::bigint)"
        if not await connection.fetchval(f"SELECT pg_try_advisory_lock{lock}"):
            if not self._stopping:
                await asyncio.sleep(POLL_SECONDS / 4)
            return
        while True:
            self._wake.clear()
            while await self.publish_once(connection):
                pass
            self.trouble = None
            if self._stopping:
                return
            await self._wait()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            return

    async def publish_once(self, connection: asyncpg.Connection) -> bool:
        """Publish up to one batch; says whether there was any. Raises what the broker or database raised."""
        rows = await connection.fetch(SQL["unpublished"], self._batch)
        if not rows:
            return False
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
        await connection.execute(SQL["mark_published"], acknowledged)
        self._published.inc(len(acknowledged))
        for error in errors:
            if error is not None:
                raise error
        return True


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
