"""Processes that stand still, take turns, or are slower than what they are sent."""

import asyncio
import itertools
import signal

from tests.faults.conftest import LONG, Report
from tests.faults.lab import ENDS_WITHIN, Lab
from tests.faults.oracle import Verdict

PAUSE = 25.0 if LONG else 4.0
"""Seconds: longer than a relay's lease and a consumer's session, and in the long version than a database
session may be idle in a transaction."""

STOPS = ("before_inbox_commit", "before_send", "before_offset", "before_mark", "amid_send")[
    : 5 if LONG else 2
]
ROUNDS = 3 if LONG else 1


async def test_a_worker_that_stood_still_beyond_its_lease_does_no_harm(lab: Lab, report: Report) -> None:
    stops = " ".join(f"{point}:{5 + 10 * number}:stop" for number, point in enumerate(STOPS))
    await lab.add("worker", itertools.repeat(stops))
    await lab.start(intake=1, worker=1, sink=1)
    lab.client.start()
    sleeper = lab.replicas["worker"][0]
    for _ in STOPS:
        await sleeper.until_paused(60)
        await asyncio.sleep(PAUSE)
        sleeper.send(signal.SIGCONT)
        lab.injected += 1
        await lab.client.until_acknowledged(20)
    figures, drained = await lab.settle()
    report(figures, drained=drained)
    assert figures.verdict is Verdict.PASS
    assert not lab.crashes


async def test_services_are_restarted_one_process_after_the_other(lab: Lab, report: Report) -> None:
    await lab.start(intake=2, worker=2 + LONG, sink=1 + LONG)
    lab.client.start()
    ended = []
    for _ in range(ROUNDS):
        for replica in lab.all_replicas:
            await lab.client.until_acknowledged(10)
            ended.append(await replica.restart())
            lab.injected += 1
            await lab.until_ready()
    figures, drained = await lab.settle()
    report(figures, drained=drained, ended=max(ended))
    assert figures.verdict is Verdict.PASS
    assert max(ended) < ENDS_WITHIN
    assert not lab.crashes
    assert set(lab.client.answers) <= {202, 0}, "another process answers"
