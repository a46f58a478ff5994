"""What operators do to a service's parked messages and outbox, from outside its processes."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import asyncpg

from runtime.database import open_pool
from runtime.errors import UsageError
from runtime.inbox import receive
from runtime.incoming import HELD
from runtime.queries import load_queries
from runtime.transaction import Transaction, Transactions
from schemas.eventlog import OperatorActed, OperatorPeople

SQL = load_queries(__file__)


@asynccontextmanager
async def operating(dsn: str, service: str) -> AsyncIterator[Transactions]:
    """Open transactions in the schema of ``service``."""
    pool = await open_pool(dsn, service, 4)
    try:
        yield Transactions(pool)
    finally:
        await pool.close()


async def parked(
    connection: asyncpg.Connection,
    *,
    state: str | None = "parked",
    key: str | None = None,
    fingerprint: str | None = None,
    id: UUID | None = None,
) -> list[asyncpg.Record]:
    """Parked records that match, without their bodies, the oldest first."""
    return await connection.fetch(SQL["list_parked"], state, key, fingerprint, id)


async def parked_heads(
    connection: asyncpg.Connection, *, key: str | None, fingerprint: str | None
) -> list[asyncpg.Record]:
    """The first parked record of each key, with ``behind``: how many are held behind it."""
    return await connection.fetch(SQL["parked_heads"], key, fingerprint)


async def parked_groups(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    """What failed, by fingerprint: cause, types, how many, their keys, how many are held behind them."""
    return await connection.fetch(SQL["parked_groups"], f"{HELD}%")


async def parked_keys(
    connection: asyncpg.Connection,
    *,
    key: str | None,
    fingerprint: str | None,
    type: str | None,
    id: UUID | None,
) -> list[str]:
    """The keys that have a parked record which matches."""
    rows = await connection.fetch(SQL["parked_keys"], key, fingerprint, type, id)
    return sorted(row["key"] for row in rows)


async def count_parked(connection: asyncpg.Connection, keys: Sequence[str]) -> int:
    """How many records of ``keys`` are parked."""
    return int(await connection.fetchval(SQL["count_parked"], list(keys)))


async def parked_record(connection: asyncpg.Connection, id: UUID) -> asyncpg.Record | None:
    """One parked record with headers (pairs, base64) and body, or None."""
    return await connection.fetchrow(SQL["parked_record"], id)


async def ask_redrive(tx: Transaction, keys: Sequence[str], what: str, operator: str) -> None:
    """Have the service redrive the parked records of ``keys``, each in order; ``what`` names them."""
    for key in keys:
        await tx.remind("redrive", key, tx.now)
    _account(tx, "parked redrive", what, f"asked for by an operator, {len(keys)} key(s)", operator)


async def redrives_under_way(connection: asyncpg.Connection, keys: Sequence[str]) -> set[str]:
    """Which of ``keys`` the service has not finished redriving."""
    return {row["key"] for row in await connection.fetch(SQL["redrives_under_way"], list(keys))}


async def discard(tx: Transaction, id: UUID, reason: str, operator: str) -> None:
    """Give a parked record up for good, with a reason. Raises `UsageError` when it is not parked."""
    await tx.connection.execute(SQL["lock_parked"])
    rows = await parked(tx.connection, id=id)
    if not rows:
        raise UsageError(f"no message with the id {id} is parked here: see `wafd parked list`")
    await receive(tx, [id])  # a repeated delivery is no news any more
    await tx.connection.execute(SQL["settle_parked"], rows[0]["position"], "discarded", reason)
    _account(tx, "parked discard", str(id), reason, operator)


async def republish(connection: asyncpg.Connection, since: datetime) -> int:
    """Have the relay publish again what was recorded ``since``; inboxes skip what they know."""
    tag = await connection.execute(SQL["republish"], since)
    return int(tag.rsplit(" ", 1)[1])


def _account(tx: Transaction, action: str, target: str, reason: str, operator: str) -> None:
    people = OperatorPeople(operator=operator, reason=reason)
    acted = OperatorActed(action=action, target=repr(target[:200]), people=people)
    # A key of their own: under the target's they would be held behind what is parked.
    tx.emit(acted, subject="operators")


async def backlog(connection: asyncpg.Connection) -> dict[str, float]:
    """What waits: events to publish and the age of the oldest, parked records, failing timers."""
    row = await connection.fetchrow(SQL["backlog"])
    assert row is not None  # noqa: S101 -- an aggregate always gives a row
    return {**row, "oldest_unpublished_seconds": round(float(row["oldest_unpublished_seconds"]), 3)}
