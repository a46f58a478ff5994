"""Links that are slow, slice, break or swallow everything: no process hangs, and each ends in time."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.faults.conftest import ENDS_WITHIN, LONG, Report
from tests.faults.lab import Lab
from tests.faults.oracle import Verdict
from tests.kafka.cluster import Cluster
from tests.kafka.proxy import Link

LASTS = 10.0 if LONG else 1.0
ROUNDS = 2 if LONG else 1


async def delay(link: Link) -> None:
    """Let bytes take 200 ms in each direction."""
    link.latency_ms = 200


async def slice_(link: Link) -> None:
    """Pass a few bytes at a time."""
    link.slice_bytes = 64


async def reset(link: Link) -> None:
    """Break every connection, twice a second."""
    for _ in range(int(LASTS * 2)):
        await link.reset()
        await asyncio.sleep(0.5)


MILD: list[Callable[[Link], Awaitable[None]]] = [delay, slice_, reset]
LETHAL: list[Callable[[Link], Awaitable[None]]] = [Link.cut, Link.half_open] if LONG else [Link.half_open]
"""Those under which a process is also ended."""


async def survive(lab: Lab, link: Link, report: Report) -> None:
    """Run the chain through every toxic; under the worst ones end a process."""
    await lab.start()
    lab.client.start()
    ended = []
    for toxic in (MILD + LETHAL) * ROUNDS:
        await lab.client.until_acknowledged(20)
        await toxic(link)
        lab.injected += 1
        await asyncio.sleep(LASTS)
        if toxic in LETHAL:
            ended += await asyncio.gather(*(replica.restart() for replica in lab.all_replicas))
        await link.heal()
    figures, drained = await lab.settle()
    report(figures, drained=drained, ended=max(ended))
    assert figures.verdict is Verdict.PASS
    assert max(ended) < ENDS_WITHIN
    assert not lab.crashes
    assert set(lab.client.answers) <= {202, 503, 0}


async def test_the_chain_survives_a_bad_link_to_postgresql(
    linked_lab: Lab, database_link: Link, report: Report
) -> None:
    await survive(linked_lab, database_link, report)


@pytest.mark.kafka
async def test_the_chain_survives_a_bad_link_to_kafka(
    kafka_lab: Lab, lab_kafka: Cluster, report: Report
) -> None:
    await survive(kafka_lab, lab_kafka.links[0], report)
