"""What is kept how long: published events, the inbox's memory, the content of settled messages."""

from datetime import timedelta

import asyncpg
import structlog

from runtime.queries import load_queries
from runtime.ring import AHEAD, INBOX_DAYS, OUTBOX_DAYS, expired_slots, kept_since
from runtime.settings import Settings
from runtime.transaction import Transaction

log = structlog.get_logger()
SQL = load_queries(__file__)

SWEEP_EVERY = timedelta(hours=1)

SWEEP_AFTER_START = timedelta(minutes=10)
"""After a long stop, what is published again meets an inbox that still remembers it."""


async def sweep(tx: Transaction, settings: Settings) -> None:
    """Drop some of what is past its retention, and set the timer ``sweep`` again: soon if there is more."""
    now = await tx.connection.fetchval("SELECT now()")
    if abs(now - tx.now) > AHEAD:  # to believe the wrong one would empty what is alive
        log.error("nothing is swept: this clock and the database's differ by more than a day")
        await tx.remind("sweep", "", tx.now + SWEEP_EVERY)
        return
    replayed = timedelta(days=settings.outbox_retention_days)
    remembered = timedelta(days=settings.inbox_retention_days)
    tags = [
        await tx.connection.execute(SQL["sweep_timeless"], INBOX_DAYS, now - remembered),
        await tx.connection.execute(SQL["sweep_parked"], now - remembered),
        await tx.connection.execute(SQL["forget_before"], kept_since(now, remembered)),
    ]
    # One a time and last, for its lock is exclusive until the transaction ends.
    more = (
        any(not tag.endswith(" 0") for tag in tags[:2])
        or await _empty_one(tx, "outbox", expired_slots(now, replayed, OUTBOX_DAYS))
        or await _empty_one(tx, "inbox", expired_slots(now, remembered, INBOX_DAYS))
    )
    await tx.remind("sweep", "", tx.now + (timedelta(seconds=1) if more else SWEEP_EVERY))


async def _empty_one(tx: Transaction, ring: str, slots: list[int]) -> bool:
    """Truncate the first partition that holds something, but nothing unpublished; says if there was one."""
    for slot in slots:
        table = f"{ring}_{slot}"
        if not await tx.connection.fetchval(f"SELECT EXISTS (SELECT FROM {table})"):  # noqa: S608 -- ours
            continue
        try:
            async with tx.attempt() as inner:
                await inner.connection.execute("SET LOCAL lock_timeout = '100ms'")  # nobody waits for us
                await inner.connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
                if ring == "outbox" and await inner.connection.fetchval(SQL["waits"], slot):
                    continue
                await inner.connection.execute(f"TRUNCATE {table}")
        except asyncpg.LockNotAvailableError:
            log.info("partition in use, emptied later", table=table)
        else:
            log.info("partition emptied", table=table)
        return True
    return False
