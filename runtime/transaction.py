"""One message, timer or request is one database transaction; events leave through its outbox."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from runtime.database import dropped_when_late, transaction
from runtime.leases import shard_of
from runtime.queries import load_queries
from runtime.ring import OUTBOX_DAYS, slot
from schemas.event import Event, EventData, new_event, topic_of

SQL = load_queries(__file__)

LARGEST_EVENT = 900_000
"""Bytes; brokers take 1 MiB by default, and an event that none takes would block the relay."""


def new_id() -> UUID:
    """Draw a UUIDv7: unique, and rising with time so that indexes stay local."""
    return uuid7()


class Outgoing(NamedTuple):
    """A row for the outbox."""

    slot: int
    id: UUID
    topic: str
    key: str
    shard: int
    type: str
    correlation: UUID
    payload: bytes


@dataclass(frozen=True, slots=True)
class Transaction:
    """What a handler may touch: its connection, its clock, and the ways to tell others.

    ``now`` is aware, UTC, and stands still during the transaction. Whatever is emitted is written
    to the outbox when the transaction commits, with ``correlation_id`` and ``causation_id``.
    """

    connection: asyncpg.Connection
    now: datetime
    correlation_id: UUID
    causation_id: UUID | None
    outgoing: list[Outgoing] = field(default_factory=list)
    reminders: list[datetime] = field(default_factory=list)
    writes: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)

    def new_id(self) -> UUID:
        """Draw a UUIDv7."""
        return new_id()

    def emit(self, data: EventData, *, subject: str) -> UUID:
        """Have an event written to the outbox at commit; returns its id.

        Lock the subject's row before: order per subject is the order of commits.
        """
        event = new_event(
            data,
            id=self.new_id(),
            time=self.now,
            subject=subject,
            correlationid=self.correlation_id,
            causationid=self.causation_id,
        )
        payload = event.model_dump_json().encode()
        if len(payload) > LARGEST_EVENT:
            raise ValueError(
                f"{event.type} has {len(payload)} bytes; at most {LARGEST_EVENT} can be published"
            )
        self.outgoing.append(
            Outgoing(
                slot(event.id, OUTBOX_DAYS), event.id, topic_of(event.type), subject, shard_of(subject),
                event.type, self.correlation_id, payload,
            )
        )  # fmt: skip
        return event.id

    async def remind(self, name: str, key: str, at: datetime) -> None:
        """Set the durable timer ``(name, key)`` to ``at``, replacing an earlier time."""
        await self.connection.execute(SQL["set_timer"], name, key, at, self.correlation_id, self.causation_id)
        self.reminders.append(at)

    def wake(self, name: str, key: str) -> None:
        """Set the durable timer ``(name, key)`` to now, but only just before the commit.

        For a timer that many transactions set: none holds its row while it waits for other rows.
        """
        self.write(SQL["set_timer"], name, key, self.now, self.correlation_id, self.causation_id)
        self.reminders.append(self.now)

    async def forget(self, name: str, key: str) -> None:
        """Drop the timer ``(name, key)`` if it is set."""
        await self.connection.execute(SQL["drop_timer"], name, key)

    def write(self, query: str, *arguments: Any) -> None:
        """Run ``query`` just before the commit, in one go with the other rows written by it."""
        self.writes.setdefault(query, []).append(arguments)

    def answering(self, correlation_id: UUID, causation_id: UUID | None) -> "Transaction":
        """Look at the same transaction on behalf of another cause: that of what is emitted from here."""
        return Transaction(  # not `replace`, which takes several times as long
            self.connection, self.now, correlation_id, causation_id,
            self.outgoing, self.reminders, self.writes,
        )  # fmt: skip

    def later(self) -> "Transaction":
        """Look at the same transaction at the present time, after something outside took a while."""
        return replace(self, now=clock())

    @asynccontextmanager
    async def attempt(self) -> AsyncIterator["Transaction"]:
        """Open a savepoint: when the block fails, what it wrote, set and emitted is undone."""
        inner = replace(self, outgoing=[], reminders=[], writes={})
        async with self.connection.transaction():
            with dropped_when_late(self.connection):
                yield inner
                await inner.flush()
        self.outgoing.extend(inner.outgoing)
        self.reminders.extend(inner.reminders)

    async def flush(self) -> None:
        """Send the rows of `write`."""
        for query, rows in self.writes.items():
            await self.connection.executemany(query, rows)
        self.writes.clear()


Handler = Callable[[Transaction, Event[Any]], Awaitable[None]]
TimerHandler = Callable[[Transaction, str], Awaitable[None]]


correlation: ContextVar[UUID | None] = ContextVar("correlation", default=None)
"""The correlation id of the request in hand, if there is one."""


def clock() -> datetime:
    """Tell the time, aware, UTC."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Transactions:
    """Opens transactions on a service's pool and wakes relay and timers after they commit.

    With ``within`` a transaction raises one of `runtime.errors.OUTAGES` when it takes longer, in seconds;
    whether it was committed is not known then.
    """

    pool: asyncpg.Pool
    now: Callable[[], datetime] = clock
    on_events: Callable[[], None] = field(default=lambda: None)
    on_timers: Callable[[], None] = field(default=lambda: None)
    within: float | None = None

    @asynccontextmanager
    async def __call__(
        self, correlation_id: UUID | None = None, causation_id: UUID | None = None
    ) -> AsyncIterator[Transaction]:
        """Open a transaction; it commits at the end of the block unless an exception leaves it."""
        now = self.now()
        async with transaction(self.pool, self.within) as connection:
            tx = Transaction(connection, now, correlation_id or correlation.get() or new_id(), causation_id)
            if self.within is not None:  # nor may the server keep the locks of one whose link is dead
                await connection.execute(SQL["limit_idling"], f"{self.within:.0f}s")
            yield tx
            await tx.flush()
            if tx.outgoing:
                await connection.execute(SQL["add_to_outbox"], *zip(*tx.outgoing, strict=True))
        if tx.outgoing:
            self.on_events()
        if any(at <= now for at in tx.reminders):
            self.on_timers()
