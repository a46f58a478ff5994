"""Parked messages: what cannot be handled is set aside with the later ones of its key, and taken up again."""

import hashlib
import traceback
from base64 import b64decode, b64encode
from uuid import UUID

import asyncpg
from aiokafka import ConsumerRecord
from pydantic import ValidationError

from runtime.queries import load_queries
from runtime.transaction import Transaction, Transactions

SQL = load_queries(__file__)


HELD = "held behind"
"""How the cause of a good record begins that waits for an earlier one of its key."""


class Poison(Exception):
    """A record that no attempt will get handled."""


class Held(Poison):
    """A good record that waits for an earlier one of its key."""


def held_behind(key: str) -> Held:
    """Say why a good record is parked: an earlier one of its key is."""
    return Held(f"{HELD} an earlier message of the key {key}")


def why(error: Exception) -> str:
    """Say what went wrong in one line, without the values that were wrong: they may be personal."""
    if isinstance(error, ValidationError):
        places = ", ".join(
            f"/{'/'.join(map(str, problem['loc']))}: {problem['type']}" for problem in error.errors()[:5]
        )
        return f"not a valid event ({places})"
    if isinstance(error, asyncpg.PostgresError):  # its detail quotes rows
        return f"{type(error).__name__}: {error.args[0] if error.args else ''}"
    if isinstance(error, Poison):
        return str(error)
    return f"{type(error).__name__}: {error}"[:500]


def fingerprint(error: Exception) -> str:
    """Identify the kind of a failure: its class and the place it was raised at, 12 hexadecimal digits."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].name}" if frames else ""
    return hashlib.sha256(f"{type(error).__qualname__}|{place}".encode()).hexdigest()[:12]


class Parking:
    """The parked messages of a service."""

    async def held(self, transactions: Transactions, keys: set[str]) -> set[str]:
        """Which of ``keys`` have a parked message, outside any transaction: a first, cheap look."""
        async with transactions.pool.acquire(timeout=10) as connection:
            return {row["key"] for row in await connection.fetch(SQL["held_keys"], list(keys))}

    async def held_keys(self, tx: Transaction, keys: set[str]) -> set[str]:
        """Which of ``keys`` have a parked message; the caller holds the shared lock."""
        return {row["key"] for row in await tx.connection.fetch(SQL["held_keys"], list(keys))}

    async def park(
        self,
        tx: Transaction,
        record: ConsumerRecord,
        id: UUID,
        key: str,
        type: str | None,
        error: Exception,
        attempts: int,
    ) -> bool:
        """Keep a record as it came; says whether it was not parked already."""
        headers = [[name, b64encode(value or b"").decode()] for name, value in record.headers or ()]
        position = await tx.connection.fetchval(
            SQL["park"], id, record.topic, record.partition, record.offset, key, type, headers,
            record.value, _storable(why(error)), fingerprint(error), attempts,
        )  # fmt: skip
        return position is not None

    async def note_failure(self, tx: Transaction, position: int, error: Exception) -> None:
        """Keep why a redrive failed."""
        await tx.connection.execute(
            SQL["note_failed_redrive"], position, _storable(why(error)), fingerprint(error)
        )

    def record_of(self, row: asyncpg.Record) -> ConsumerRecord:
        """Make the record again that was parked."""
        headers = tuple((name, b64decode(value)) for name, value in row["headers"])
        return ConsumerRecord(
            row["topic"], row["partition"], row["record_offset"], 0, 0,
            row["key"].encode(), row["value"], None, 0, 0, headers,
        )  # fmt: skip


def _storable(text: str) -> str:
    return text.replace("\x00", "\\x00")
