"""Consumption: a batch is one transaction; on failure one record at a time; what fails for good is parked."""

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

import structlog
from aiokafka import ConsumerRecord
from prometheus_client import CollectorRegistry, Counter
from pydantic import ValidationError

from runtime.errors import OUTAGES
from runtime.kafka import Records
from runtime.parking import Parking, Poison, held_behind, why
from runtime.queries import load_queries
from runtime.transaction import Handler, Transaction, Transactions
from schemas.event import Event, read_any_event, read_event

log = structlog.get_logger()
SQL = load_queries(__file__)

ATTEMPTS = 3
"""How often one record is tried before it is parked."""

_FOREIGN = UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
"""Name space of the ids given to records that carry no readable event id."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A record with what could be read of it: an event, or the reason why there is none."""

    record: ConsumerRecord
    key: str
    id: UUID
    type: str | None
    event: Event[Any] | None
    failure: Exception | None = None


class Malformed(ValueError):
    """The record is not a CloudEvent in UTF-8 JSON with an id and a type."""


def read_record(record: ConsumerRecord, handled: Mapping[str, Handler] | None) -> Incoming | None:
    """Read one record; None when its type is not ``handled`` here. Without ``handled`` any type is read.

    Never raises: what is wrong with the record stands in `Incoming.failure`.
    """
    place = f"{record.topic}/{record.partition}/{record.offset}"
    key = place if record.key is None else record.key.decode("utf-8", "backslashreplace")
    try:
        type_, id_ = _identify(record)
    except (ValueError, RecursionError) as error:
        failure = Malformed(str(error)[:200])
        return Incoming(record, key, _foreign_id(record, f"{place}/{record.timestamp}"), None, None, failure)
    if handled is not None and type_ not in handled:
        return None
    try:
        event = read_any_event(record.value) if handled is None else read_event(type_, record.value)
        if event.id != id_ or event.subject != key or event.type != type_:
            raise Malformed("id, type or key differ from the event's own")
    except (ValidationError, Malformed) as error:
        # Not the id it claims: under that a good event would pass for a repetition of this one.
        return Incoming(record, key, _foreign_id(record, f"{type_}/{id_}/{key}"), type_, None, error)
    return Incoming(record, key, id_, type_, event)


def _identify(record: ConsumerRecord) -> tuple[str, UUID]:
    headers = dict(record.headers or ())
    type_, id_ = headers.get("ce_type"), headers.get("ce_id")
    if type_ and id_:
        return type_.decode(), UUID(id_.decode())
    if record.value is None:
        raise Malformed("the record is empty")
    body = json.loads(record.value.decode())
    if not isinstance(body, dict) or not all(isinstance(body.get(name), str) for name in ("type", "id")):
        raise Malformed("the record has no event type and id")
    return body["type"], UUID(body["id"])


def _foreign_id(record: ConsumerRecord, what: str) -> UUID:
    """An id for a record that has none of its own; the same for the same record delivered again."""
    return uuid5(_FOREIGN, f"{what}/{hashlib.sha256(record.value or b'').hexdigest()}")


class Inbox:
    """Handles a service's records: each event once, those of one key in order."""

    def __init__(
        self,
        transactions: Transactions,
        handlers: Mapping[str, Handler],
        parking: Parking,
        registry: CollectorRegistry,
        handle_any: Handler | None = None,
    ) -> None:
        self._transactions = transactions
        self._handlers = handlers
        self._handle_any = handle_any
        self._parking = parking
        self._count = Counter(
            "wafd_inbox_records_total", "Records by what became of them.", ["outcome"], registry=registry
        )

    async def consume(self, records: Records) -> None:
        """Handle a batch; returns when every record is handled or parked, so the offset may move.

        While the database is out it waits with back-off, then raises so that the batch is read again.
        """
        incoming = [item for item in (self._read(record) for record in records) if item]
        for delay in (0.1, 0.5, 2.0, 5.0, None):
            try:
                await self._consume(incoming)
            except OUTAGES as error:
                log.warning("consumption waits", error=repr(error), records=len(incoming), seconds=delay)
                if delay is None:
                    raise
                await asyncio.sleep(delay)
            else:
                return

    async def _consume(self, incoming: Sequence[Incoming]) -> None:
        if not incoming:
            return
        troubled = {item.key for item in incoming if item.failure}
        troubled |= await self._parking.held(self._transactions, {item.key for item in incoming})
        alone = [item for item in incoming if item.key in troubled]
        together = [item for item in incoming if item.key not in troubled]
        if together:
            try:
                await self._handle_together(together)
            except OUTAGES:
                raise
            except Exception as error:  # noqa: BLE001 -- any handler's failure: find out whose, one by one
                log.info(
                    "batch falls back to single records", records=len(together), error=type(error).__name__
                )
                alone = [*together, *alone]
        for item in alone:
            await self._handle_alone(item)

    async def _handle_together(self, items: Sequence[Incoming]) -> None:
        async with self._transactions() as tx:
            await tx.connection.execute(SQL["share_parked"])
            if await self._parking.held_keys(tx, {item.key for item in items}):
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
        with structlog.contextvars.bound_contextvars(
            correlation_id=str(event.correlationid), event_id=str(event.id), type=event.type, key=item.key
        ):
            await self._handler(event.type)(tx.answering(event.correlationid, event.id), event)

    def _handler(self, type_: str) -> Handler:
        return self._handle_any or self._handlers[type_]

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
            except OUTAGES:
                raise
            except Exception as error:  # noqa: BLE001 -- whatever a handler raises ends in parking
                if attempt == ATTEMPTS:
                    await self._park(item, error, attempts=attempt)
                else:
                    await asyncio.sleep(0.05 * 2**attempt)
            else:
                return

    async def _attempt(self, item: Incoming) -> None:
        async with self._transactions() as tx:
            await tx.connection.execute(SQL["share_parked"])
            if await self._parking.held_keys(tx, {item.key}):
                await self._set_aside(tx, item, held_behind(item.key), attempts=0)
            elif await tx.connection.fetch(SQL["receive"], [item.id]):
                await self._handle(tx, item)
        self._count.labels("handled").inc()

    async def _park(self, item: Incoming, error: Exception, attempts: int) -> None:
        async with self._transactions() as tx:
            await tx.connection.execute(SQL["share_parked"])
            await self._set_aside(tx, item, error, attempts)

    async def _set_aside(self, tx: Transaction, item: Incoming, error: Exception, attempts: int) -> None:
        if await self._parking.park(tx, item.record, item.id, item.key, item.type, error, attempts):
            self._count.labels("parked").inc()
            log.error(
                "message parked", event_id=str(item.id), type=item.type, key=item.key,
                topic=item.record.topic, partition=item.record.partition, offset=item.record.offset,
                cause=why(error),
            )  # fmt: skip

    async def redrive(self, tx: Transaction, key: str) -> None:
        """Handle the oldest parked record of ``key`` again; when it succeeds, the next one follows.

        Raised by the timer ``redrive``. A record that fails again stays parked, with its new cause.
        """
        await tx.connection.execute(SQL["lock_parked"])
        row = await tx.connection.fetchrow(SQL["first_parked"], key)
        if row is None:
            return
        item = self._read(self._parking.record_of(row))
        try:
            async with tx.attempt() as inner:
                if item is None:
                    raise Poison(f"no handler for the type {row['type']} any more")
                if item.failure:
                    raise item.failure
                if await tx.connection.fetch(SQL["receive"], [item.id]):
                    await self._handle(inner, item)
        except OUTAGES:
            raise
        except Exception as error:  # noqa: BLE001 -- it stays parked, with the cause for the operator
            await self._parking.note_failure(tx, row["position"], error)
            log.warning("redrive failed", event_id=str(row["id"]), key=key, cause=why(error))
            return
        await tx.connection.execute(SQL["settle_parked"], row["position"], "redriven", None)
        log.info("redriven", event_id=str(row["id"]), type=row["type"], key=key)
        await tx.remind("redrive", key, tx.now)
