"""kill -9 at every named point of every service, again and again, under load."""

import asyncio
import itertools
import random
import statistics
from collections.abc import Iterator

import pytest

from tests.faults.conftest import LONG, Report
from tests.faults.lab import Lab
from tests.faults.oracle import Verdict

KILLS = 50 if LONG else 3
"""A process and point."""

RESUMES_WITHIN = 5.0

ROUNDS = (
    {"intake": "before_request_commit", "worker": "before_inbox_commit", "sink": "after_offset"},
    {"intake": "after_request_commit", "worker": "amid_inbox_commit", "sink": "before_offset"},
    {"intake": "before_send", "worker": "after_inbox_commit", "sink": "before_inbox_commit"},
    {"intake": "amid_send", "worker": "before_offset", "sink": "after_inbox_commit"},
    {"intake": "before_mark", "worker": "after_mark", "sink": "amid_inbox_commit"},
    {"intake": "after_mark", "worker": "amid_timer"},
    {"worker": "before_mark", "sink": "after_offset"},
    {"worker": "after_timer"},
)
"""Points at which processes are killed in the same run, so that every combination of deaths comes up."""


def deaths(point: str, kills: int) -> Iterator[str]:
    """Die at the point, at one of its first passes; then live."""
    passes = random.Random(point)  # noqa: S311 -- repeatable
    return itertools.chain(
        (f"{point}:{passes.randint(1, 4)}:kill" for _ in range(kills)), itertools.repeat("")
    )


@pytest.mark.parametrize("points", ROUNDS, ids=lambda points: "+".join(points.values()))
async def test_what_was_acknowledged_survives_kills_at(
    points: dict[str, str], lab: Lab, report: Report
) -> None:
    for service in ("intake", "worker", "sink"):
        await lab.add(service, deaths(points[service], KILLS) if service in points else None)
    lab.client.start()
    dying = [lab.replicas[service][0] for service in points]
    async with asyncio.timeout(20 + KILLS * 15):
        while any(len(replica.kills) < KILLS for replica in dying):
            await asyncio.sleep(0.05)
    await lab.client.until_acknowledged(20)
    drained = await lab.drain()
    lab.injected = sum(len(replica.kills) for replica in dying)
    figures = await lab.judge()
    resumed = [seconds for replica in dying for seconds in lab.resumed_after(replica)]
    report(figures, drained=drained, resumed=statistics.median(resumed), at_the_latest=max(resumed))
    assert figures.verdict is Verdict.PASS
    assert not lab.crashes
    assert statistics.median(resumed) < RESUMES_WITHIN
