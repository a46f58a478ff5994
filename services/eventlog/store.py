"""SQL of the event log."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from runtime.queries import load_queries
from runtime.transaction import Transaction
from schemas.event import AnyData, Event

SQL = load_queries(__file__)


def record_event(tx: Transaction, event: Event[AnyData]) -> None:
    """Keep ``event``, its personal data in a column apart."""
    data = event.data.model_dump(mode="json")
    people = data.pop("people", None)
    tx.write(
        SQL["record_event"], event.id, event.type, event.source, event.subject, event.time,
        event.correlationid, event.causationid, data, people,
    )  # fmt: skip


async def search_events(
    connection: asyncpg.Connection,
    *,
    text: str | None,
    type: str | None,
    subject: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
) -> list[asyncpg.Record]:
    """Events that satisfy every filter given, the newest first; ``type`` may end in ``*``."""
    return await connection.fetch(
        SQL["search_events"], _containing(text), _starting(type), subject, since, until, limit
    )


async def trace(connection: asyncpg.Connection, what: str) -> list[asyncpg.Record]:
    """The story of the visit that a reference, subject, event id or correlation id stands for, if any."""
    try:
        id_ = UUID(what)
    except ValueError:
        id_ = None
    subject = await connection.fetchval(SQL["trace_subject"], what, id_)
    return await connection.fetch(SQL["trace_events"], subject) if subject else []


async def tail(connection: asyncpg.Connection, last: int) -> AsyncIterator[list[asyncpg.Record]]:
    """Yield the last ``last`` events, then what follows, batch by batch; an empty batch when nothing does."""
    start = await connection.fetchrow(SQL["tail_position"], last)
    at: tuple[Any, int] = (start["transaction"], start["position"]) if start else (0, 0)
    while True:
        events = await connection.fetch(SQL["tail_events"], *at, 500)
        if events:
            at = (events[-1]["transaction"], events[-1]["position"])
        yield events


def _containing(text: str | None) -> str | None:
    return None if text is None else f"%{_literal(text)}%"


def _starting(type_: str | None) -> str | None:
    if type_ is None:
        return None
    return f"{_literal(type_[:-1])}%" if type_.endswith("*") else _literal(type_)


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
