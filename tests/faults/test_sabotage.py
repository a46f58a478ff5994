"""Broken builds fail: the same lab, client and oracle that judge Wafd see what each would do."""

import asyncio
import itertools
from collections.abc import Iterator

import pytest

from tests.faults.lab import RESTS_AFTER, Lab, broken
from tests.faults.oracle import Figures, Verdict

KILLS = 2

GIVEN_UP_AFTER = 4.0
"""Seconds without movement; what was lost does not come."""


def dying_at(point: str) -> Iterator[str]:
    return itertools.chain(itertools.repeat(f"{point}:3:kill", KILLS), itertools.repeat(""))


async def figures_of(
    lab: Lab, name: str, where: str, faults: Iterator[str], rests_after: float = GIVEN_UP_AFTER
) -> Figures:
    """Run the chain with one sabotaged service that suffers ``faults``."""
    for service in ("intake", "worker", "sink"):
        if service == where:
            await lab.add(service, faults, broken(name))
        else:
            await lab.add(service)
    lab.client.start()
    await lab.client.until_acknowledged(100)
    async with asyncio.timeout(120):
        while len(lab.replicas[where][0].kills) < KILLS:
            await asyncio.sleep(0.05)
    await lab.client.until_acknowledged(20)
    await lab.drain(within=rests_after)
    lab.injected = KILLS
    return await lab.judge()


async def test_without_the_inbox_check_orders_are_applied_twice(embedded_lab: Lab) -> None:
    found = await figures_of(embedded_lab, "no_inbox", "worker", dying_at("after_inbox_commit"), RESTS_AFTER)
    assert found.verdict is Verdict.FAIL
    assert found.doubled > 0
    assert found.lost == 0


async def test_with_offsets_committed_before_the_transaction_orders_are_lost(embedded_lab: Lab) -> None:
    found = await figures_of(embedded_lab, "early_offset", "worker", dying_at("before_inbox_commit"))
    assert found.verdict is Verdict.FAIL
    assert found.lost > 0


async def test_with_rows_marked_before_the_acknowledgement_orders_are_lost(embedded_lab: Lab) -> None:
    found = await figures_of(embedded_lab, "mark_before_acknowledgement", "intake", dying_at("before_send"))
    assert found.verdict is Verdict.FAIL
    assert found.lost > 0


@pytest.mark.parametrize(("build", "verdict"), [("above_the_last", Verdict.FAIL), ("", Verdict.PASS)])
async def test_a_relay_that_reads_above_the_last_sequence_misses_what_commits_late(
    build: str, verdict: Verdict, embedded_lab: Lab
) -> None:
    slow = itertools.repeat("before_request_commit:7:0.3")  # every 7th order commits late
    await embedded_lab.add("intake", slow, broken(build) if build else {})
    await embedded_lab.add("worker", itertools.chain(["after_inbox_commit:3:kill"], itertools.repeat("")))
    await embedded_lab.add("sink")
    embedded_lab.client.start()
    await embedded_lab.client.until_acknowledged(200)
    await embedded_lab.drain(within=GIVEN_UP_AFTER if build else RESTS_AFTER)
    embedded_lab.injected = embedded_lab.client.acknowledged // 7
    found = await embedded_lab.judge()
    assert found.verdict is verdict
    if verdict is Verdict.FAIL:
        assert found.lost > 0
        assert found.stuck > 0
