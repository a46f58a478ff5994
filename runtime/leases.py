"""Which relay publishes which shard: leases in the database, shared out evenly over the relays that live."""

import asyncio
import time
from contextlib import suppress
from datetime import timedelta
from math import ceil
from uuid import UUID
from zlib import crc32

import asyncpg
import structlog

from runtime.database import borrowed, transaction
from runtime.queries import load_queries

log = structlog.get_logger()
SQL = load_queries(__file__)

SHARDS = 16
"""Parts of the keys; at most so many relays of a service share its outbox. The migration has as many rows."""

LEASE = timedelta(seconds=3)
"""How long a relay that falls silent keeps others from its shards; renewed three times as often."""


def shard_of(key: str) -> int:
    """The shard of a key, the same in every process and version."""
    return crc32(key.encode()) % SHARDS


class Leases:
    """The shards that one relay may publish, for as long as its leases last.

    The database's clock decides between relays. Here the time counts on the monotonic clock from before
    the renewal was sent, so that this process gives up before another one takes over, also when it was
    stopped in between.
    """

    def __init__(self, pool: asyncpg.Pool, relay: UUID) -> None:
        self._pool = pool
        self._relay = relay
        self._shards: list[int] = []
        self._until = time.monotonic()
        self.turn = asyncio.Lock()
        """Held while rows of the shards are in hand: none is given up meanwhile."""

    @property
    def shards(self) -> list[int]:
        """The shards that may be published at this moment; none once the leases have run out."""
        return self._shards if time.monotonic() < self._until else []

    @property
    def trouble(self) -> str | None:
        """Say that the leases have run out for longer than a pause explains, if so."""
        late = time.monotonic() - self._until
        return f"the leases of the outbox ran out {late:.0f} s ago" if late > LEASE.total_seconds() else None

    async def renew(self) -> bool:
        """Renew, take a fair part, give up what exceeds it; says whether there are new shards."""
        before, began = self.shards, time.monotonic()
        async with transaction(self._pool, LEASE.total_seconds()) as connection:
            # One that stands still in here must not keep others from its rows.
            await connection.execute("SET LOCAL idle_in_transaction_session_timeout = '3s'")
            await connection.execute(SQL["renew_relay"], self._relay, LEASE)
            await connection.execute(SQL["renew_shards"], self._relay, LEASE)
            await connection.execute(SQL["bury_relays"])
            fair = ceil(SHARDS / max(await connection.fetchval(SQL["living_relays"]), 1))
            await connection.execute(SQL["take_shards"], self._relay, LEASE, fair)
            held = await connection.fetch(SQL["held_shards"], self._relay)
        self._shards = [row["shard"] for row in held]
        self._until = began + LEASE.total_seconds()
        if len(held) > fair:
            with suppress(TimeoutError):  # busy for long: the next renewal tries again
                await self._release(fair)
        return not set(before).issuperset(self._shards)

    async def _release(self, fair: int) -> None:
        async with asyncio.timeout(LEASE.total_seconds() / 3), self.turn:
            async with transaction(self._pool) as connection:
                await connection.execute(SQL["release_shards"], self._relay, fair)
                held = await connection.fetch(SQL["held_shards"], self._relay)
            self._shards = [row["shard"] for row in held]
        log.info("shards released", shards=len(self._shards))

    async def end(self) -> None:
        """Let others take over at once."""
        self._shards = []
        async with borrowed(self._pool, LEASE.total_seconds()) as connection:
            await connection.execute(SQL["end_relay"], self._relay)
