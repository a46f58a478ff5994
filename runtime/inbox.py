"""Consumption: a batch is one transaction; on failure one record at a time; what fails for good is parked."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import structlog
from aiokafka import ConsumerRecord
from prometheus_client import CollectorRegistry, Counter

from runtime import parking
from runtime.errors import is_outage
from runtime.incoming import Incoming, Poison, read_record
from runtime.kafka import Records
from runtime.logging import in_hand
from runtime.queries import load_queries
from runtime.ring import AHEAD, INBOX_DAYS, drawn_at, slot
from runtime.transaction import Handler, Transaction, Transactions

log = structlog.get_logger()
SQL = load_queries(__file__)

ATTEMPTS = 3
"""How often one record is tried before it is parked."""

BREAKER = 10
"""Keys that may fail in a row, none succeeding in between, before consumption waits instead of parking."""


class NothingSucceeds(Exception):
    """Every record fails: it is not the records."""


class Unremembered(Poison):
    """Whether this event was handled before is not known: its id is older than what the inbox remembers."""

    def __init__(self) -> None:
        super().__init__(
            "whether it was handled before is not known: its id is older than what the inbox remembers"
        )


class FromTheFuture(Poison):
    """The id lies in the future: the clock of the sender is wrong."""

    def __init__(self) -> None:
        super().__init__("its id lies in the future: the clock of the sender is wrong")


async def receive(tx: Transaction, ids: Sequence[UUID]) -> set[UUID]:
    """Note events as handled; returns those that were not before."""
    slots = [slot(id_, INBOX_DAYS) for id_ in ids]
    return {row["id"] for row in await tx.connection.fetch(SQL["receive"], slots, ids)}


def _remembered(incoming: Iterable[Incoming], memory_begins: datetime, now: datetime) -> list[Incoming]:
    """The records, as failures where the inbox cannot know whether they were handled before."""
    oldest, newest = memory_begins.timestamp() * 1000, (now + AHEAD).timestamp() * 1000

    def known(item: Incoming) -> Incoming:
        made = drawn_at(item.id)
        if item.failure is not None or made is None or oldest <= made <= newest:
            return item
        return replace(item, failure=Unremembered() if made < oldest else FromTheFuture())

    return [known(item) for item in incoming]


class Inbox:
    """Handles a service's records: each event once, those of one key in order.

    ``handle_any`` takes events of every type instead of those in ``handlers`` (the event log).
    """

    def __init__(
        self,
        transactions: Transactions,
        handlers: Mapping[str, Handler],
        registry: CollectorRegistry,
        handle_any: Handler | None = None,
    ) -> None:
        self._transactions = transactions
        self._handlers = handlers
        self._handle_any = handle_any
        self._suspects: set[str] = set()
        self._successes = 0
        self._count = Counter(
            "wafd_inbox_records_total", "Records by what became of them.", ["outcome"], registry=registry
        )
        self.trouble: str | None = None

    async def consume(self, records: Records) -> None:
        """Handle a batch; returns when every record is handled or parked, so the offset may move.

        While the database is out it waits with back-off, then raises so that the batch is read again.
        """
        incoming = [item for item in map(self._read, records) if item]
        for delay in (0.1, 0.5, 2.0, 5.0, None):
            try:
                await self._consume(incoming)
            except Exception as error:
                self.trouble = f"records cannot be handled: {type(error).__name__}"
                waits = is_outage(error) or isinstance(error, NothingSucceeds)
                what = "consumption waits" if waits else "consumption failed"
                log.warning(what, error=type(error).__name__, records=len(incoming), exc_info=error)
                if delay is None:
                    raise
                await asyncio.sleep(delay)
            else:
                self.trouble = None
                return

    def forget_trouble(self) -> None:
        """Partitions go to other members: what failed may be another one's to tell."""
        self.trouble = None

    async def _consume(self, incoming: Sequence[Incoming]) -> None:
        if not incoming:
            return
        held, memory_begins, now = await parking.look(self._transactions, {item.key for item in incoming})
        incoming = _remembered(incoming, memory_begins, now)
        troubled = held | {item.key for item in incoming if item.failure}
        alone = [item for item in incoming if item.key in troubled]
        together = [item for item in incoming if item.key not in troubled]
        if together:
            try:
                await self._handle_together(together)
            except Exception as error:
                if is_outage(error):
                    raise
                kind = type(error).__name__  # whose failure it is shows one by one
                log.info("batch falls back to single records", records=len(together), error=kind)
                alone = [*together, *alone]
        await self._handle_one_by_one(alone)

    async def _handle_one_by_one(self, items: Sequence[Incoming]) -> None:
        """Handle each record in a transaction of its own, and park what fails, unless everything does."""
        failed: dict[str, tuple[Incoming, Exception, int]] = {}
        later = []
        before = self._successes
        for item in items:
            if item.key in failed:
                later.append(item)
            elif item.failure is not None:
                await self._park(item, item.failure, attempts=1)
            else:
                hopeless = len(self._suspects) >= BREAKER and self._successes == before
                attempts = 1 if hopeless else ATTEMPTS
                error = await self._failure(item, attempts)
                if error is not None:
                    failed[item.key] = item, error, attempts
                    self._suspects.add(item.key)
        if self._successes > before:
            self._suspects.clear()
        elif failed and len(self._suspects) >= BREAKER:
            raise NothingSucceeds
        for item, error, attempts in failed.values():
            await self._settle(item, error, ATTEMPTS - attempts)
        for item in later:  # held behind those, unless they went through after all
            await self._settle(item, item.failure, ATTEMPTS)

    async def _settle(self, item: Incoming, error: Exception | None, attempts: int) -> None:
        """Try a record as often as is left to it, then park it."""
        if attempts and item.failure is None:
            error = await self._failure(item, attempts)
        if error is not None:
            await self._park(item, error, attempts=ATTEMPTS)

    async def _handle_together(self, items: Sequence[Incoming]) -> None:
        async with self._transactions() as tx:
            if await parking.held_now(tx, {item.key for item in items}):
                raise Poison("a key was parked meanwhile")
            fresh = await receive(tx, [item.id for item in items])
            news = bool(fresh)
            for item in items:
                if item.id in fresh:
                    fresh.discard(item.id)
                    await self._handle(tx, item)
        if news:
            self._suspects.clear()
        self._count.labels("handled").inc(len(items))

    async def _handle(self, tx: Transaction, item: Incoming) -> None:
        event = item.event
        assert event is not None  # noqa: S101 -- records without an event never get here
        handler = self._handle_any or self._handlers[event.type]
        token = in_hand.set(event)
        try:
            await handler(tx.answering(event.correlationid, event.id), event)
        finally:
            in_hand.reset(token)

    def _read(self, record: ConsumerRecord) -> Incoming | None:
        return read_record(record, None if self._handle_any else self._handlers)

    async def _failure(self, item: Incoming, attempts: int) -> Exception | None:
        """Handle one record, or park it behind an earlier one of its key; why it failed every time, if so."""
        while True:
            attempts -= 1
            try:
                await self._attempt(item)
            except Exception as error:
                if is_outage(error):
                    raise
                if not attempts:
                    return error
                await asyncio.sleep(0.1 * (ATTEMPTS - attempts))
            else:
                return None

    async def _attempt(self, item: Incoming) -> None:
        handled = False
        async with self._transactions() as tx:
            if await parking.held_now(tx, {item.key}):
                held = parking.held_behind(item.key)
                await tx.connection.execute("SET LOCAL enable_seqscan = off")  # as in the relay
                known = await tx.connection.fetchval(SQL["received"], slot(item.id, INBOX_DAYS), item.id)
                fresh = not known and await parking.park(tx, item, held, attempts=0)
            else:
                held, fresh = None, False
                if await receive(tx, [item.id]):
                    await self._handle(tx, item)
                    handled = True
        self._successes += handled
        if held is None:
            self._count.labels("handled").inc()
        elif fresh:
            self._tell_parked(item, held)

    async def _park(self, item: Incoming, error: Exception, attempts: int) -> None:
        async with self._transactions() as tx:
            fresh = await parking.park(tx, item, error, attempts)
        if fresh:
            self._tell_parked(item, error)

    def _tell_parked(self, item: Incoming, error: Exception) -> None:
        self._count.labels("parked").inc()
        log.error(
            "message parked", event_id=str(item.id), type=item.type, key=item.key,
            correlation_id=str(item.event.correlationid) if item.event else None,
            topic=item.record.topic, partition=item.record.partition, offset=item.record.offset,
            cause=parking.why(error),
        )  # fmt: skip

    async def redrive(self, tx: Transaction, key: str) -> None:
        """Handle the oldest parked record of ``key`` again; when it succeeds, the next one follows.

        Raised by the timer ``redrive``. A record that fails again stays parked, with its new cause.
        """
        await tx.connection.execute(SQL["lock_parked"])
        row = await tx.connection.fetchrow(SQL["first_parked"], key)
        if row is None:
            return
        item = self._read(parking.record_of(row))
        try:
            async with tx.attempt() as inner:
                if item is None:
                    raise Poison(f"no handler for the type {row['type']} any more")
                if item.failure:
                    raise item.failure
                if await receive(tx, [item.id]):
                    await self._handle(inner, item)
        except Exception as error:
            if is_outage(error):
                raise
            await parking.note_failure(tx, row["position"], error)
            log.warning("redrive failed", event_id=str(row["id"]), key=key, cause=parking.why(error))
            return
        await tx.connection.execute(SQL["settle_parked"], row["position"], "redriven", None)
        log.info("redriven", event_id=str(row["id"]), type=row["type"], key=key)
        await tx.remind("redrive", key, tx.now)
