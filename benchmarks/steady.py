"""Latency that Wafd adds at a steady rate: from an event's sending to the reading of the answer to it."""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer

from benchmarks.lab import approved, clear, flow, percentile, servers
from runtime.connection import connection_options
from runtime.kafka import headers_of, new_producer
from runtime.settings import Settings
from runtime.transaction import new_id
from schemas.event import Event, topic_of
from schemas.scheduling import ProgrammeInfeasible
from schemas.visits import RequestApproved

WARM_UP = 2.0
"""Seconds at the beginning that do not count."""


async def steady(rate: int, seconds: int, kafka: str | None, postgres: str | None) -> dict[str, Any]:
    """Send ``rate`` events a second for ``seconds``; figures are milliseconds, two hops over Kafka included.

    Feeder, Wafd and reader share one process and its event loop, which makes the figures worse, not better.
    """
    async with servers(kafka, postgres) as used:
        await clear(used.admin)
        group = f"steady-{new_id()}"
        async with flow(used, group) as running:
            await running.until_quiet()  # earlier runs on the same broker left events behind
            wafd = await _measure(used.settings, rate, seconds)
    return {
        "broker": kafka or "embedded",
        "events_per_second": rate,
        "events": len(wafd),
        "p50_ms": round(percentile(wafd, 0.5), 1),
        "p99_ms": round(percentile(wafd, 0.99), 1),
        "max_ms": round(max(wafd), 1),
    }


async def _measure(settings: Settings, rate: int, seconds: int) -> list[float]:
    """Milliseconds, one for each event after the warm-up."""
    sent: dict[str, float] = {}
    events = [approved(str(new_id())) for _ in range(rate * seconds)]
    begin = time.perf_counter()
    feeding = asyncio.create_task(_feed(settings, events, rate, sent))
    latencies: list[float] = []
    consumer = AIOKafkaConsumer(
        topic_of(ProgrammeInfeasible.TYPE), **connection_options(settings), auto_offset_reset="latest"
    )
    await consumer.start()
    await consumer.seek_to_end()
    try:
        async with asyncio.timeout(seconds + 30):
            while not feeding.done() or sent:
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    now = time.perf_counter()
                    for record in records:
                        at = sent.pop(json.loads(record.value)["causationid"], None)
                        if at is not None and at - begin > WARM_UP:
                            latencies.append((now - at) * 1000)
    finally:
        await consumer.stop()
    await feeding
    return latencies


async def _feed(
    settings: Settings, events: Sequence[Event[RequestApproved]], rate: int, sent: dict[str, float]
) -> None:
    producer = new_producer(settings, "bench-feeder")
    await producer.start()
    begin = time.perf_counter()
    for number, event in enumerate(events):
        ahead = begin + number / rate - time.perf_counter()
        if ahead > 0:
            await asyncio.sleep(ahead)
        headers = headers_of(event.type, str(event.id), str(event.correlationid))
        sent[str(event.id)] = begin + number / rate  # when it was due: what delays the sending counts too
        await producer.send(
            topic_of(event.type),
            event.model_dump_json().encode(),
            key=event.subject.encode(),
            headers=headers,
        )
    await producer.stop()
