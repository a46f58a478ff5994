"""What an event costs when inbox, outbox and event log already hold a million old rows."""

import json
import statistics
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg

from benchmarks.lab import BATCH, SCHEMA, Servers, approved, clear, flow, produce, servers
from runtime.database import migrate, open_pool
from runtime.ring import INBOX_DAYS, OUTBOX_DAYS, slot
from runtime.transaction import Transactions, clock, new_id
from schemas.event import read_any_event
from services.eventlog.store import record_event

LOG = "eventlog"
DAYS = 6
"""Over so many days before today the old rows are spread."""


OLD_ID = f"""
CREATE OR REPLACE FUNCTION {SCHEMA}.old_id(milliseconds bigint) RETURNS uuid LANGUAGE sql VOLATILE RETURN (
    lpad(to_hex(milliseconds), 12, '0') || '7' || substr(md5(random()::text), 1, 3)
    || '8' || substr(md5(random()::text), 1, 15))::uuid
"""
"""A UUIDv7 of a time."""


async def aging(
    few: int, many: int, events: int, rounds: int, kafka: str | None, postgres: str | None
) -> dict[str, Any]:
    """Measure the flow and the event log on top of ``few`` and ``many`` old rows; µs an event."""
    cost: dict[str, dict[int, float]] = {"flow": {}, "event_log": {}}
    async with servers(kafka, postgres) as used:
        admin = await asyncpg.connect(used.admin)
        await migrate(admin, LOG, None)
        await admin.execute(OLD_ID)
        await produce(used.settings, events)
        await clear(used.admin)
        for rows in (few, many):
            await _grow(admin, rows)
            flows = [await _flow(used, events) for _ in range(rounds + 1)][1:]
            logs = [await _log(used, events) for _ in range(rounds + 1)][1:]
            cost["flow"][rows] = statistics.median(flows)
            cost["event_log"][rows] = statistics.median(logs)
        await admin.close()
    return {
        "few": few,
        "many": many,
        "events": events,
        "rounds": rounds,
        "broker": kafka or "embedded",
        **{
            f"{what}_us_an_event_on_{rows}_rows": round(found[rows])
            for what, found in cost.items()
            for rows in (few, many)
        },
        **{f"{what}_ratio": round(found[many] / found[few], 3) for what, found in cost.items()},
    }


async def _grow(admin: asyncpg.Connection, rows: int) -> None:
    """Bring the tables to ``rows`` rows of the days before today, and the planner to know of them."""
    have = await admin.fetchval(f"SELECT count(*) FROM {SCHEMA}.outbox WHERE key = 'old'")
    payload = approved("any").model_dump_json().encode()
    data = json.loads(payload)["data"]
    people = data.pop("people")
    for day in range(1, DAYS + 1):
        count = (rows - have) // DAYS
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
            "    gen_random_uuid()::text, $3, gen_random_uuid(), "
            "    jsonb_set($4::jsonb, '{reference}', to_jsonb('V-2026-' || n)), $5::jsonb "
            "FROM generate_series(1, $2) AS n",
            milliseconds, count, at, json.dumps(data), json.dumps(people),
        )  # fmt: skip
    await admin.execute("VACUUM ANALYZE")
    await admin.execute("CHECKPOINT")


async def _flow(used: Servers, events: int) -> float:
    """Microseconds an event from inbox to broker; what an earlier round wrote today is removed first."""
    admin = await asyncpg.connect(used.admin)
    today = new_id()
    await admin.execute(f"TRUNCATE {SCHEMA}.inbox_{slot(today, INBOX_DAYS)}")
    await admin.execute(f"TRUNCATE {SCHEMA}.outbox_{slot(today, OUTBOX_DAYS)}")
    await admin.close()
    began: list[float] = []
    async with flow(used, f"aging-{new_id()}", lambda: began.append(time.perf_counter())) as running:
        await running.until_published(events)
        return (time.perf_counter() - began[0]) / events * 1e6


async def _log(used: Servers, events: int) -> float:
    """Microseconds an event that the event log takes to keep it, in transactions of a batch."""
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
    return seconds / events * 1e6
