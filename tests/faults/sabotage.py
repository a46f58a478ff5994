"""Builds that are broken on purpose: an oracle that does not see them would see nothing.

`WAFD_LAB_SABOTAGE` names one.
"""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaConsumer

from runtime import inbox, outbox
from runtime.kafka import headers_of
from runtime.transaction import Transaction
from tests.faults.points import wrap

VARIABLE = "WAFD_LAB_SABOTAGE"

NEWER_THAN_THE_LAST = """
SELECT seq, id, topic, key, type, correlation, payload FROM outbox
WHERE seq > $1 AND shard = ANY ($2::smallint[]) ORDER BY seq LIMIT 500
"""


def no_inbox() -> None:
    """Take every delivery for the first one."""

    async def receive(_tx: Transaction, ids: Sequence[UUID]) -> set[UUID]:
        return set(ids)

    inbox.receive = receive  # type: ignore[assignment]


def early_offset() -> None:
    """Commit the offset when records arrive, before the transaction."""

    async def getmany(original: Any, self: AIOKafkaConsumer, *arguments: Any, **named: Any) -> Any:
        if records := await original(self, *arguments, **named):
            await self.commit()
        return records

    wrap(AIOKafkaConsumer, "getmany", getmany)


async def _send(relay: outbox.Relay, rows: Sequence[asyncpg.Record]) -> None:
    await outbox.send_all(  # type: ignore[attr-defined]
        relay._producer,
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


def mark_before_acknowledgement() -> None:
    """Take rows for published before the broker acknowledged them."""

    async def publish_once(relay: outbox.Relay, connection: asyncpg.Connection) -> bool:
        async with relay.leases.turn:
            rows = await connection.fetch(outbox.SQL["unpublished"], relay._batch, relay.leases.shards)
            if not rows:
                return False
            await connection.execute(outbox.SQL["mark_published"], [row["seq"] for row in rows], relay._id)
            await _send(relay, rows)
        return True

    outbox.Relay.publish_once = publish_once  # type: ignore[assignment,method-assign]


def above_the_last() -> None:
    """Publish what has a higher sequence than the last one published."""
    last = 0

    async def publish_once(relay: outbox.Relay, connection: asyncpg.Connection) -> bool:
        nonlocal last
        async with relay.leases.turn:
            rows = await connection.fetch(NEWER_THAN_THE_LAST, last, relay.leases.shards)
            if not rows:
                return False
            await _send(relay, rows)
            last = rows[-1]["seq"]
            await connection.execute(outbox.SQL["mark_published"], [row["seq"] for row in rows], relay._id)
        await asyncio.sleep(0)
        return True

    outbox.Relay.publish_once = publish_once  # type: ignore[assignment,method-assign]


SABOTAGES = {
    made.__name__: made for made in (no_inbox, early_offset, mark_before_acknowledgement, above_the_last)
}
