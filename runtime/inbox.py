"""Consumption: a batch is one transaction; on failure one record at a time; what fails for good is parked."""

import asyncio
from collections.abc import Mapping, Sequence

import structlog
from aiokafka import ConsumerRecord
from prometheus_client import CollectorRegistry, Counter

from runtime import parking
from runtime.errors import is_outage
from runtime.incoming import Incoming, Poison, read_record
from runtime.kafka import Records
from runtime.queries import load_queries
from runtime.transaction import Handler, Transaction, Transactions

log = structlog.get_logger()
SQL = load_queries(__file__)

ATTEMPTS = 3
"""How often one record is tried before it is parked."""


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
        self._count = Counter(
            "wafd_inbox_records_total", "Records by what became of them.", ["outcome"], registry=registry
        )
        self.trouble: str | None = None

    async def consume(self, records: Records) -> None:
        """Handle a batch; returns when every record is handled or parked, so the offset may move.

        While the database is out it waits with back-off, then raises so that the batch is read again.
        """
        incoming = [item for item in (self._read(record) for record in records) if item]
        for delay in (0.1, 0.5, 2.0, 5.0, None):
            try:
                await self._consume(incoming)
            except Exception as error:
                self.trouble = f"records cannot be handled: {type(error).__name__}"
                what = "consumption waits" if is_outage(error) else "consumption failed"
                log.warning(what, error=type(error).__name__, records=len(incoming), exc_info=error)
                if delay is None:
                    raise
                await asyncio.sleep(delay)
            else:
                self.trouble = None
                return

    async def _consume(self, incoming: Sequence[Incoming]) -> None:
        if not incoming:
            return
        troubled = {item.key for item in incoming if item.failure}
        troubled |= await parking.held(self._transactions, {item.key for item in incoming})
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
        for item in alone:
            await self._handle_alone(item)

    async def _handle_together(self, items: Sequence[Incoming]) -> None:
        async with self._transactions() as tx:
            if await parking.held_now(tx, {item.key for item in items}):
                raise Poison("a key was parked meanwhile")
            fresh = {
                row["id"] for row in await tx.connection.fetch(SQL["receive"], [item.id for item in items])
            }
            for item in items:
                if item.id in fresh:
                    fresh.discard(item.id)
                    await self._handle(tx, item)
        self._count.labels("handled").inc(len(items))

    async def _handle(self, tx: Transaction, item: Incoming) -> None:
        event = item.event
        assert event is not None  # noqa: S101 -- records without an event never get here
        handler = self._handle_any or self._handlers[event.type]
        with structlog.contextvars.bound_contextvars(
            correlation_id=str(event.correlationid), event_id=str(event.id), type=event.type, key=item.key
        ):
            await handler(tx.answering(event.correlationid, event.id), event)

    def _read(self, record: ConsumerRecord) -> Incoming | None:
        return read_record(record, None if self._handle_any else self._handlers)

    async def _handle_alone(self, item: Incoming) -> None:
        """Handle one record in a transaction of its own; park it when it fails again and again."""
        if item.failure is not None:
            await self._park(item, item.failure, attempts=1)
            return
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await self._attempt(item)
            except Exception as error:
                if is_outage(error):
                    raise
                if attempt == ATTEMPTS:
                    await self._park(item, error, attempts=attempt)
                else:
                    await asyncio.sleep(0.05 * 2**attempt)
            else:
                return

    async def _attempt(self, item: Incoming) -> None:
        async with self._transactions() as tx:
            if await parking.held_now(tx, {item.key}):
                held = parking.held_behind(item.key)
                fresh = await parking.park(tx, item, held, attempts=0)
            else:
                held, fresh = None, False
                if await tx.connection.fetch(SQL["receive"], [item.id]):
                    await self._handle(tx, item)
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
                if await tx.connection.fetch(SQL["receive"], [item.id]):
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
