"""What is kept of people, venues and the Centre that are out of use for a span of time."""

from datetime import datetime
from uuid import UUID

import asyncpg

from services.scheduling.calendar import Interval
from services.scheduling.disruptions import Block
from services.scheduling.store import SQL


async def keep_block(connection: asyncpg.Connection, block: Block, now: datetime) -> None:
    """Keep a block, and forget those that are over."""
    await connection.execute(SQL["drop_past_blocks"], now)
    span = block.span
    await connection.execute(
        SQL["add_block"], block.id, block.resource, span.start, span.end, block.reason, block.added_by, now
    )


async def drop_block(connection: asyncpg.Connection, id: UUID) -> Block | None:
    """Forget a block; nothing comes back when there is none of that id."""
    row = await connection.fetchrow(SQL["drop_block"], id)
    return _block(row) if row else None


async def blocks(connection: asyncpg.Connection, since: datetime) -> tuple[Block, ...]:
    """What is out of use from an instant on, in order."""
    return tuple(_block(row) for row in await connection.fetch(SQL["blocks"], since))


async def hit_by(connection: asyncpg.Connection, block: Block) -> tuple[str, ...]:
    """The references of the visits whose held programmes a block hits."""
    rows = await connection.fetch(SQL["hit_by"], block.resource, block.span.start, block.span.end)
    return tuple(row["reference"] for row in rows)


def _block(row: asyncpg.Record) -> Block:
    span = Interval(row["starts"], row["ends"])
    return Block(row["id"], row["resource"], span, row["reason"], row["added_by"])
