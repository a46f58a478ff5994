"""Parked messages: what cannot be handled is set aside with the later ones of its key, and taken up again."""

import hashlib
import traceback
from base64 import b64decode, b64encode
from datetime import datetime
from pathlib import Path

import asyncpg
from aiokafka import ConsumerRecord
from pydantic import ValidationError

from runtime.database import borrowed
from runtime.incoming import HELD, Held, Incoming, Poison, storable
from runtime.queries import load_queries
from runtime.transaction import Transaction, Transactions

SQL = load_queries(__file__)


def held_behind(key: str) -> Held:
    """Say why a good record is parked: an earlier one of its key is."""
    return Held(f"{HELD} an earlier message of the key {key}")


def why(error: Exception) -> str:
    """Say what went wrong in one line, without the values that were wrong: they may be personal."""
    if isinstance(error, ValidationError):
        places = ", ".join(
            f"/{'/'.join(map(str, problem['loc']))}: {problem['type']}" for problem in error.errors()[:5]
        )
        return storable(f"not a valid event ({places})"[:500])
    if isinstance(error, Poison):
        return storable(str(error)[:500])
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


def fingerprint(error: Exception) -> str:
    """Identify the kind of a failure: its class and the place it was raised at, 12 hexadecimal digits."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].name}" if frames else ""
    return hashlib.sha256(f"{type(error).__qualname__}|{place}".encode()).hexdigest()[:12]


async def look(transactions: Transactions, keys: set[str]) -> tuple[set[str], datetime, datetime]:
    """Which of ``keys`` have a parked message, since when the inbox remembers, and the database's time.

    No lock is taken. The time is that of all processes: one wrong clock must not park everything.
    """
    async with borrowed(transactions.pool) as connection:
        row = await connection.fetchrow(SQL["look"], list(keys))
    assert row is not None  # noqa: S101 -- there are no tables in its FROM
    return set(row["held"]), row["memory_begins"], row["now"]


async def held_now(tx: Transaction, keys: set[str]) -> set[str]:
    """Which of ``keys`` have a parked message, under the lock that keeps redrives out."""
    await tx.connection.execute(SQL["share_parked"])
    return {row["key"] for row in await tx.connection.fetch(SQL["held_keys"], list(keys))}


async def park(tx: Transaction, item: Incoming, error: Exception, attempts: int) -> bool:
    """Keep a record as it came; says whether it was not parked already."""
    await tx.connection.execute(SQL["share_parked"])
    record = item.record
    headers = [[storable(name), b64encode(value or b"").decode()] for name, value in record.headers or ()]
    position = await tx.connection.fetchval(
        SQL["park"], item.id, record.topic, record.partition, record.offset, item.key, item.type, headers,
        record.value, why(error), fingerprint(error), attempts,
    )  # fmt: skip
    return position is not None


async def note_failure(tx: Transaction, position: int, error: Exception) -> None:
    """Keep why a redrive failed."""
    await tx.connection.execute(SQL["note_failed_redrive"], position, why(error), fingerprint(error))


def record_of(row: asyncpg.Record) -> ConsumerRecord:
    """Make the record again that was parked."""
    headers = tuple((name, b64decode(value)) for name, value in row["headers"])
    return ConsumerRecord(
        row["topic"], row["partition"], row["record_offset"], 0, 0,
        row["key"].encode(), row["value"], None, 0, 0, headers,
    )  # fmt: skip
