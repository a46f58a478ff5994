"""kill -9 at every named point of every service, again and again, under load."""

import asyncio
import itertools
import os
import random
import statistics
from collections.abc import Iterator, Sequence

import pytest

from tests.faults.conftest import LONG, RESUMES_WITHIN, Report, on_both_brokers
from tests.faults.lab import Lab
from tests.faults.oracle import Verdict

KILLS = int(os.environ.get("WAFD_FAULTS_KILLS", "50")) if LONG else 1
"""For each process and point."""

PAUSE = 0.3 if LONG else 0.1
"""Seconds between the orders of a key: they go on coming while an intake that dies amid each first send
publishes hardly any."""

EVERY_POINT = {
    "intake": [
        "before_request_commit", "after_request_commit", "before_send", "amid_send", "before_mark",
        "after_mark",
    ],
    "worker": [
        "before_inbox_commit", "amid_inbox_commit", "after_inbox_commit", "before_offset", "after_mark",
        "before_mark", "amid_timer", "after_timer",
    ],
    "sink": [
        "after_offset", "before_offset", "before_inbox_commit", "after_inbox_commit", "amid_inbox_commit",
    ],
}  # fmt: skip
"""Redrives have tests of their own."""

ROUNDS = [
    {service: [points[number]] for service, points in EVERY_POINT.items() if number < len(points)}
    for number in range(8)
]
"""Processes killed at one point each in the same run, so that combinations of deaths come up."""


def deaths(points: Sequence[str], kills: int) -> Iterator[str]:
    """Die so often at each of the points, at one of its first passes; then live."""
    passes = random.Random(str(points))  # noqa: S311 -- repeatable
    return itertools.chain(
        (f"{point}:{passes.randint(1, 4)}:kill" for point in points for _ in range(kills)),
        itertools.repeat(""),
    )


def named(points: dict[str, list[str]]) -> str:
    return "all" if points is EVERY_POINT else "+".join(itertools.chain(*points.values()))


@on_both_brokers
@pytest.mark.parametrize("points", ROUNDS if LONG else [EVERY_POINT], ids=named)
async def test_what_was_acknowledged_survives_kills(
    points: dict[str, list[str]], lab: Lab, report: Report
) -> None:
    for service in ("intake", "worker", "sink"):
        await lab.add(service, deaths(points.get(service, ()), KILLS))
    lab.client.pause = PAUSE
    lab.client.start()
    expected = {service: len(points[service]) * KILLS for service in points}
    async with asyncio.timeout(60 + max(expected.values()) * 20):
        while any(len(lab.replicas[service][0].kills) < kills for service, kills in expected.items()):
            await asyncio.sleep(0.05)
    await lab.client.until_acknowledged(20)
    drained = await lab.drain()
    lab.injected = sum(len(replica.kills) for replica in lab.all_replicas)
    figures = await lab.judge()
    resumed = [seconds for replica in lab.all_replicas for seconds in lab.resumed_after(replica)]
    report(figures, drained=drained, resumed=statistics.median(resumed), at_the_latest=max(resumed))
    assert figures.verdict is Verdict.PASS
    assert lab.injected == sum(expected.values())
    assert not lab.crashes
    assert statistics.median(resumed) < RESUMES_WITHIN
