"""What an event costs when inbox, outbox and event log already hold a million old rows.

Two databases of one server hold few and many old rows. Both are filled, vacuumed and written to the disk
before anything is measured; then they take turns, so that whatever the filling or the machine does meets
both alike. A ratio is that of two rounds beside each other, and the median of these counts. The bytes of
WAL an event are told as well, for they depend on what is written and not on what else the machine does.
"""

import json
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import asyncpg

from benchmarks.lab import BATCH, SCHEMA, Servers, approved, flow, produce, servers
from runtime.database import migrate, open_pool
from runtime.ring import INBOX_DAYS, OUTBOX_DAYS, slot
from runtime.transaction import Transactions, clock, new_id
from schemas.event import read_any_event
from services.eventlog.store import record_event

LOG: Final = "eventlog"
DAYS: Final = 6
"""Over so many days before today the old rows are spread."""

OLD_ID: Final = f"""
CREATE OR REPLACE FUNCTION {SCHEMA}.old_id(milliseconds bigint) RETURNS uuid LANGUAGE sql VOLATILE RETURN (
    lpad(to_hex(milliseconds), 12, '0') || '7' || substr(md5(random()::text), 1, 3)
    || '8' || substr(md5(random()::text), 1, 15))::uuid
"""
"""A UUIDv7 of a time."""

LOG_PART: Final = 4
"""The event log keeps what its rounds write, so it gets one event in so many: few rows are to stay few."""


Measure = Callable[[Servers, int], Awaitable[float]]
"""Seconds that so many events take."""


class Cost(NamedTuple):
    """What an event cost in one round."""

    microseconds: float
    wal_bytes: float


Pair = tuple[Cost, Cost]
"""On few old rows and on many."""


async def aging(
    few: int, many: int, events: int, rounds: int, kafka: str | None, postgres: str | None
) -> dict[str, Any]:
    """Measure the flow and the event log on top of ``few`` and ``many`` old rows; µs an event.

    Makes two databases on the server, and drops them.
    """
    async with servers(kafka, postgres) as used:
        await produce(used.settings, events)
        async with _filled(used, few) as young, _filled(used, many) as old:
            flows = await _in_turn(_flow, young, old, events, rounds)
            logs = await _in_turn(_log, young, old, events // LOG_PART, rounds)
    return {
        "few": few,
        "many": many,
        "events": events,
        "rounds": rounds,
        "broker": kafka or "embedded",
        **_figures("flow", flows, few, many),
        **_figures("event_log", logs, few, many),
    }


async def _in_turn(
    measure: Measure, young: Servers, old: Servers, events: int, rounds: int
) -> Sequence[Pair]:
    """The first pair warms up; who begins changes from pair to pair."""
    pairs: list[Pair] = []
    for number in range(rounds + 1):
        if number % 2:
            on_many, on_few = await _cost(measure, old, events), await _cost(measure, young, events)
        else:
            on_few, on_many = await _cost(measure, young, events), await _cost(measure, old, events)
        pairs.append((on_few, on_many))
    return pairs[1:]


async def _cost(measure: Measure, used: Servers, events: int) -> Cost:
    admin = await asyncpg.connect(used.admin)
    before = await admin.fetchval("SELECT pg_current_wal_insert_lsn()")
    seconds = await measure(used, events)
    written = await admin.fetchval("SELECT pg_current_wal_insert_lsn() - $1::pg_lsn", before)
    await admin.close()
    return Cost(seconds / events * 1e6, float(written) / events)


def _figures(what: str, pairs: Sequence[Pair], few: int, many: int) -> dict[str, Any]:
    on_few, on_many = ([pair[side].microseconds for pair in pairs] for side in (0, 1))
    ratios = [later.microseconds / first.microseconds for first, later in pairs]
    written = statistics.median(later.wal_bytes / first.wal_bytes for first, later in pairs)
    return {
        f"{what}_us_an_event_on_{few}_rows": round(statistics.median(on_few)),
        f"{what}_us_an_event_on_{many}_rows": round(statistics.median(on_many)),
        f"{what}_ratio": round(statistics.median(ratios), 3),
        f"{what}_ratios": [round(ratio, 3) for ratio in ratios],
        f"{what}_wal_bytes_ratio": round(written, 3),
    }


@asynccontextmanager
async def _filled(used: Servers, rows: int) -> AsyncIterator[Servers]:
    """Make a database with ``rows`` old rows in each table, at rest, for the length of the block."""
    name = f"wafd_bench_{rows}_{new_id().hex[-6:]}"
    maintenance = await asyncpg.connect(used.admin)
    await maintenance.execute(f"CREATE DATABASE {name}")
    try:
        dsn = urlunsplit(urlsplit(used.admin)._replace(path=f"/{name}"))
        admin = await asyncpg.connect(dsn)
        await migrate(admin, SCHEMA, None)
        await migrate(admin, LOG, None)
        await admin.execute(OLD_ID)
        await _fill(admin, rows)
        await admin.execute("VACUUM (FREEZE, ANALYZE)")  # or autovacuum would do it beside the rounds
        await admin.execute("CHECKPOINT")
        await admin.close()
        yield replace(used, admin=dsn)
    finally:
        await maintenance.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await maintenance.close()


async def _fill(admin: asyncpg.Connection, rows: int) -> None:
    """Write the old rows, in equal parts of the days before today."""
    payload = approved("any").model_dump_json().encode()
    data = json.loads(payload)["data"]
    people = data.pop("people")
    count = rows // DAYS
    for day in range(1, DAYS + 1):
        at = clock() - timedelta(days=day)
        milliseconds = int(at.timestamp() * 1000)
        any_id = UUID(int=milliseconds << 80 | 7 << 76)
        await admin.execute(
            f"INSERT INTO {SCHEMA}.outbox "
            "    (slot, id, seq, topic, key, shard, type, correlation, payload, recorded_at) "
            f"SELECT $1, {SCHEMA}.old_id($2), nextval('{SCHEMA}.outbox_seq'), 'visits', 'old', 0, 't', "
            "    gen_random_uuid(), $4, $5 FROM generate_series(1, $3)",
            slot(any_id, OUTBOX_DAYS), milliseconds, count, payload, at,
        )  # fmt: skip
        await admin.execute(
            f"INSERT INTO {SCHEMA}.inbox (slot, id, received_at) "
            f"SELECT $1, {SCHEMA}.old_id($2), $4 FROM generate_series(1, $3)",
            slot(any_id, INBOX_DAYS), milliseconds, count, at,
        )  # fmt: skip
        await admin.execute(
            f"INSERT INTO {LOG}.event (id, type, source, subject, time, correlation, data, people) "
            f"SELECT {SCHEMA}.old_id($1), 'visits.request.approved.v1', '/wafd/visits', "
            f"    {SCHEMA}.old_id($1)::text, $3, {SCHEMA}.old_id($1), "
            "    jsonb_set($4::jsonb, '{reference}', to_jsonb('V-2026-' || $2 * $6 + n)), $5::jsonb "
            "FROM generate_series(1, $2) AS n",
            milliseconds, count, at, json.dumps(data), json.dumps(people), day,
        )  # fmt: skip


async def _flow(used: Servers, events: int) -> float:
    """Seconds from inbox to broker; what an earlier round wrote today is removed first."""
    admin = await asyncpg.connect(used.admin)
    today = new_id()
    await admin.execute(f"TRUNCATE {SCHEMA}.inbox_{slot(today, INBOX_DAYS)}")
    await admin.execute(f"TRUNCATE {SCHEMA}.outbox_{slot(today, OUTBOX_DAYS)}")
    await admin.close()
    began: list[float] = []
    async with flow(used, f"aging-{new_id()}", lambda: began.append(time.perf_counter())) as running:
        await running.until_published(events)
        return time.perf_counter() - began[0]


async def _log(used: Servers, events: int) -> float:
    """Seconds that the event log takes to keep the events, in transactions of a batch."""
    pool = await open_pool(used.admin, LOG, 4)
    transactions = Transactions(pool)
    incoming = [read_any_event(approved(str(new_id())).model_dump_json().encode()) for _ in range(events)]
    began = time.perf_counter()
    for start in range(0, events, BATCH):
        async with transactions() as tx:
            for event in incoming[start : start + BATCH]:
                record_event(tx, event)
    seconds = time.perf_counter() - began
    await pool.close()
    return seconds
