"""Processes that stand still, take turns, or are slower than what they are sent."""

import asyncio
import itertools
import signal

from tests.faults import chain, newer
from tests.faults.conftest import ENDS_WITHIN, LONG, Report
from tests.faults.lab import KEYS, Lab, Replica
from tests.faults.oracle import Verdict

PAUSE = 10.0 if LONG else 4.0
"""Seconds: longer than a relay's lease and a consumer's session."""

LONG_PAUSE = 130.0 if LONG else PAUSE
"""Of the first stop, amid a transaction: longer than a database session may be idle in one."""

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
    for number in range(len(STOPS)):
        await sleeper.until_paused()
        await asyncio.sleep(PAUSE if number else LONG_PAUSE)
        sleeper.send(signal.SIGCONT)
        lab.injected += 1
        await lab.client.until_acknowledged(20)
    figures, drained = await lab.settle()
    report(figures, drained=drained)
    assert figures.verdict is Verdict.PASS
    assert not lab.crashes


async def test_services_of_two_versions_are_restarted_one_process_after_the_other(
    lab: Lab, report: Report
) -> None:
    await lab.start(intake=1, worker=1 + LONG, sink=1)
    for service in chain.SERVICES:
        await lab.add(service, environment={newer.VARIABLE: "field"})
    await lab.until_ready()
    lab.client.start()
    ended = []
    for contract in ("field", "") * ROUNDS:  # everything is upgraded, then rolled back
        await until_versions_met(lab)
        await lab.until_ready()  # one that is only starting would not know the signal
        for replica in lab.all_replicas:
            if replica.environment.get(newer.VARIABLE, "") == contract:
                continue
            replica.environment[newer.VARIABLE] = contract
            await lab.client.until_acknowledged(10)
            ended.append(await replica.restart())
            lab.injected += 1
    figures, drained = await lab.settle()
    report(figures, drained=drained, ended=max(ended))
    assert figures.verdict is Verdict.PASS
    assert max(ended) < ENDS_WITHIN
    assert not lab.crashes
    assert set(lab.client.answers) <= {202, 0}, "another process answers"
    for service in lab.replicas:
        assert await lab.admin.fetchval(f"SELECT count(*) FROM {service}.parked") == 0


READ = """
SELECT DISTINCT convert_from(payload, 'UTF8') LIKE '%"channel":"portal"%' AS newer, extra
FROM intake.outbox JOIN worker.applied ON applied.event = outbox.id
"""


async def until_versions_met(lab: Lab) -> None:
    """Wait until old and new readers have both read what old and new writers wrote."""
    met: set[tuple[bool, str | None]] = set()
    async with asyncio.timeout(120):
        while met != {(True, "portal"), (True, None), (False, "unknown"), (False, None)}:
            met = {(row["newer"], row["extra"]) for row in await lab.admin.fetch(READ)}
            await asyncio.sleep(0.2)


async def test_a_version_that_comes_before_its_reader_waits_for_it(lab: Lab, report: Report) -> None:
    await lab.start()
    (worker,), (sink,) = lab.replicas["worker"], lab.replicas["sink"]
    lab.client.start()
    await lab.client.until_acknowledged(50)
    await become(worker, "v2")
    async with asyncio.timeout(120):
        while {row["key"] for row in await lab.parked("sink")} != set(KEYS):
            await asyncio.sleep(0.1)
    await become(sink, "v2")
    await lab.until_ready()
    await lab.redrive(*KEYS, service="sink")
    await lab.client.until_acknowledged(50)
    await become(worker, "")
    lab.injected = 3
    figures, drained = await lab.settle()
    report(figures, drained=drained)
    assert figures.verdict is Verdict.PASS
    assert await lab.admin.fetchval("SELECT count(*) FROM sink.applied WHERE extra = 'v2'") > len(KEYS)
    assert not lab.crashes


async def become(replica: Replica, contract: str) -> None:
    """Restart a process in another version."""
    replica.environment[newer.VARIABLE] = contract
    await replica.restart()
