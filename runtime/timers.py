"""Durable timers: what is due is handled once, in a transaction that also drops the timer."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog

from runtime.database import borrowed
from runtime.errors import OUTAGES, is_outage
from runtime.parking import why
from runtime.queries import load_queries
from runtime.transaction import TimerHandler, Transactions

log = structlog.get_logger()
SQL = load_queries(__file__)

POLL_SECONDS = 1.0
"""How long a timer may wait that another process set; those of this process wake the workers."""

LONGEST_WAIT = timedelta(minutes=5)


class Timers:
    """The workers of a service that fire its due timers."""

    def __init__(self, transactions: Transactions, handlers: Mapping[str, TimerHandler]) -> None:
        self._transactions = transactions
        self._handlers = handlers
        self._wake = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        """Look for due timers soon."""
        self._wake.set()

    def stop(self) -> None:
        """End after the timers in hand."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Fire due timers until stopped; one worker of several."""
        while not self._stopping:
            try:
                self._wake.clear()
                while not self._stopping and await self.fire_one():
                    pass
                await self._wait()
            except OUTAGES as error:
                if not is_outage(error):
                    raise
                log.warning("timers wait", error=type(error).__name__, seconds=1)
                await asyncio.sleep(1)

    async def _wait(self) -> None:
        if self._stopping:
            return
        async with borrowed(self._transactions.pool) as connection:
            due = await connection.fetchval(SQL["next_due"], list(self._handlers))
        # One that is due and was not taken is in another worker's hands: no need to hurry.
        until = (due - self._transactions.now()).total_seconds() if due is not None else POLL_SECONDS
        seconds = min(until, POLL_SECONDS) if until > 0 else POLL_SECONDS / 4
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    async def fire_one(self) -> bool:
        """Handle the timer that has been due longest; says whether there was one."""
        taken: list[tuple[str, str, int, datetime]] = []
        try:
            async with self._transactions() as tx:
                claim = await tx.connection.fetchrow(SQL["claim_due_timer"], tx.now, list(self._handlers))
                if claim is None:
                    return False
                row = await tx.connection.fetchrow(SQL["claimed_timer"], *claim, tx.now)
                if row is None:
                    return True
                taken.append((row["name"], row["key"], row["attempts"], tx.now))
                with structlog.contextvars.bound_contextvars(
                    correlation_id=str(row["correlation"]), event_id=str(row["causation"]),
                    type=f"timer {row['name']}", key=row["key"],
                ):  # fmt: skip
                    await self._handlers[row["name"]](
                        tx.answering(row["correlation"], row["causation"]), row["key"]
                    )
                await tx.connection.execute(SQL["finish_timer"], row["name"], row["key"], row["due_at"])
        except Exception as error:
            if not taken:  # it is the database that failed, not a timer
                raise
            await self._put_off(*taken[0], error)
        return True

    async def _put_off(self, name: str, key: str, attempts: int, now: datetime, error: Exception) -> None:
        wait = min(timedelta(seconds=0.5 * 2 ** min(attempts, 10)), LONGEST_WAIT)
        log.error(
            "timer failed", timer=name, key=key, attempts=attempts + 1, cause=why(error), exc_info=error
        )
        async with self._transactions() as tx:
            await tx.connection.execute(SQL["put_off_timer"], name, key, now + wait, why(error), now)
