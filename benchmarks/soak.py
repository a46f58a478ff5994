"""Memory over many events: a service process must hold no more after a million than after a few."""

import gc
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks.lab import SCHEMA, flow, produce, servers
from runtime.transaction import new_id

LAPS = 10


async def soak(events: int, kafka: str | None, postgres: str | None) -> dict[str, Any]:
    """Push ``events`` through, in laps; figures are MiB of resident memory of this process after each lap.

    The rows of each lap are removed before the next: it is the process that is looked at.
    """
    lap = events // LAPS
    resident: list[float] = []
    async with servers(kafka, postgres) as used:
        admin = await asyncpg.connect(used.admin)
        async with flow(used, f"soak-{new_id()}") as running:
            await running.until_quiet()  # earlier runs on the same broker left events behind
            before = running.published
            for number in range(1, LAPS + 1):
                await produce(used.settings, lap)
                await running.until_published(before + number * lap)
                await admin.execute(f"TRUNCATE {SCHEMA}.inbox, {SCHEMA}.outbox")
                gc.collect()
                resident.append(round(_resident(), 1))
        await admin.close()
    return {
        "broker": kafka or "embedded",
        "events": lap * LAPS,
        "resident_mib": resident,
        "growth_after_the_first_lap": round(resident[-1] / resident[0], 3),
    }


def _resident() -> float:
    status = Path("/proc/self/status").read_text("ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024
