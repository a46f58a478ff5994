"""The relay against a bare aiokafka producer that sends the same rows.

Both read the rows from the outbox in batches and send them with the same producer settings; the relay
also keeps its leases, orders, and marks what was acknowledged, and so can be killed at any moment.
"""

import statistics
import time
from typing import Any

import asyncpg
from prometheus_client import CollectorRegistry

from benchmarks.lab import BATCH, SCHEMA, Servers, answer, approved, clear, servers
from runtime.database import open_pool
from runtime.kafka import headers_of, new_producer, send_all
from runtime.outbox import Relay
from runtime.transaction import Transactions, new_id


async def relay(events: int, rounds: int, kafka: str | None, postgres: str | None) -> dict[str, Any]:
    """Measure both in turn; figures are events a second."""
    bare: list[float] = []
    wafd: list[float] = []
    async with servers(kafka, postgres) as used:
        for number in range(rounds + 1):
            for contestant, figures in ((_bare, bare), (_relay, wafd)):
                await clear(used.admin)
                await _fill(used, events)
                seconds = await contestant(used, events)
                if number:  # the first round warms up
                    figures.append(events / seconds)
    return {
        "events": events,
        "batch": BATCH,
        "rounds": rounds,
        "broker": kafka or "embedded",
        "bare_producer_events_per_second": round(statistics.median(bare)),
        "relay_events_per_second": round(statistics.median(wafd)),
        "ratio": round(statistics.median(wafd) / statistics.median(bare), 3),
    }


async def _fill(used: Servers, events: int) -> None:
    pool = await open_pool(used.admin, SCHEMA, 4)
    transactions = Transactions(pool)
    data = answer(approved("any"))
    for start in range(0, events, BATCH):
        async with transactions() as tx:
            for _ in range(start, min(start + BATCH, events)):
                tx.emit(data, subject=str(new_id()))
    await pool.close()


async def _bare(used: Servers, _events: int) -> float:
    """Its rows stand in a plain table with the sequence as its key: the best that it could read from."""
    connection = await asyncpg.connect(used.admin, server_settings={"search_path": SCHEMA})
    await connection.execute(
        "INSERT INTO plain_outbox (id, topic, key, type, correlation, payload) "
        "SELECT id, topic, key, type, correlation, payload FROM outbox ORDER BY seq"
    )
    producer = new_producer(used.settings, "bench-bare")
    await producer.start()
    began, last = time.perf_counter(), 0
    while rows := await connection.fetch(
        "SELECT seq, id, topic, key, type, correlation, payload FROM plain_outbox "
        "WHERE seq > $1 ORDER BY seq LIMIT $2",
        last,
        BATCH,
    ):
        last = rows[-1]["seq"]
        await send_all(
            producer,
            [
                (
                    r["topic"],
                    r["key"],
                    r["payload"],
                    headers_of(r["type"], str(r["id"]), str(r["correlation"])),
                )
                for r in rows
            ],
        )
    seconds = time.perf_counter() - began
    await producer.stop()
    await connection.close()
    return seconds


async def _relay(used: Servers, events: int) -> float:
    registry = CollectorRegistry()
    pool = await open_pool(used.admin, SCHEMA, 4)
    producer = new_producer(used.settings, "bench-relay")
    await producer.start()
    made = Relay(pool, producer, BATCH, registry)
    made.stop()  # it publishes what is there, and ends
    began = time.perf_counter()
    await made.run()
    seconds = time.perf_counter() - began
    if registry.get_sample_value("wafd_outbox_published_total") != events:
        raise RuntimeError("the relay did not publish everything")
    await producer.stop()
    await pool.close()
    return seconds
