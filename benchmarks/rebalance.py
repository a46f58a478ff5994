"""How long consumption pauses when a process joins a service's group, and when one leaves it."""

import asyncio
import time
from typing import Any

from benchmarks.lab import approved, clear, flow, servers
from runtime.kafka import headers_of, new_producer
from runtime.settings import Settings
from runtime.transaction import new_id
from schemas.event import topic_of

RATE = 200
"""Events a second: one each 5 ms, so that a pause shows."""

SETTLES = 4.0
"""Seconds between the steps."""


async def rebalance(rounds: int, kafka: str | None, postgres: str | None) -> dict[str, Any]:
    """Let a second member join and leave, in turn; figures are the longest pauses of the group, in ms."""
    joined: list[float] = []
    left: list[float] = []
    async with servers(kafka, postgres) as used:
        await clear(used.admin)
        group = f"rebalance-{new_id()}"
        batches: list[float] = []
        async with flow(used, group, lambda: batches.append(time.perf_counter())) as running:
            await running.until_quiet()
            feeding = asyncio.create_task(_feed(used.settings))
            await asyncio.sleep(SETTLES)
            for _ in range(rounds):
                since = time.perf_counter()
                async with flow(used, group, lambda: batches.append(time.perf_counter())):
                    await asyncio.sleep(SETTLES)
                    joined.append(_longest_pause(batches, since))
                    since = time.perf_counter()
                await asyncio.sleep(SETTLES)
                left.append(_longest_pause(batches, since))
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
    return {
        "broker": kafka or "embedded",
        "rounds": rounds,
        "longest_pause_when_one_joins_ms": [round(pause) for pause in joined],
        "longest_pause_when_one_leaves_ms": [round(pause) for pause in left],
    }


def _longest_pause(batches: list[float], since: float) -> float:
    """Milliseconds between two batches of any member, among those after ``since``."""
    times = [*(at for at in batches if at >= since), time.perf_counter()]
    return (
        max((later - earlier for earlier, later in zip([since, *times], times, strict=False)), default=0)
        * 1000
    )


async def _feed(settings: Settings) -> None:
    producer = new_producer(settings, "bench-feeder")
    await producer.start()
    try:
        while True:
            event = approved(str(new_id()))
            headers = headers_of(event.type, str(event.id), str(event.correlationid))
            value = event.model_dump_json().encode()
            await producer.send(topic_of(event.type), value, key=event.subject.encode(), headers=headers)
            await asyncio.sleep(1 / RATE)
    finally:
        await producer.stop()
