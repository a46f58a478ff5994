"""What runs full or late: the disk, the tables of old days, a handler slower than its producer."""

import asyncio
import os
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from embedded import broker as embedded_broker
from embedded import postgres as embedded_postgres
from embedded.postgres import Postgres
from runtime.ring import INBOX_DAYS, OUTBOX_DAYS, expired_slots
from runtime.transaction import clock
from tests.faults import chain
from tests.faults.brokers import InMemory
from tests.faults.conftest import LONG, Report
from tests.faults.lab import KEYS, Lab, make_template, new_database, p99
from tests.faults.nursery import Nursery
from tests.faults.oracle import Verdict

OLD_ROWS = 100_000 if LONG else 3_000
"""In each of the partitions that are swept."""

SLOW = 0.14 if LONG else 0.05
"""Seconds for an order: in the long version a batch of 50 takes longer than the session, which is 6 s."""

FILLED, BACKLOG = (10_000, 6_000) if LONG else (10, 300)
"""Orders after which consumers have fetched ahead as much as they may, and those that come then."""

WORDS = 3900
GROWS = 16 if LONG else 64
"""MiB that a worker's memory may grow while the backlog does, in the long version by some 30 MB."""

DISK = "192m"
MEBIBYTE = 1 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own for PostgreSQL."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=0777", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("a file system can be mounted by root only")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
async def cramped(small_disk: Path) -> AsyncIterator[Postgres]:
    """A database on the small disk."""
    server = await embedded_postgres.start(small_disk)
    await make_template(server)
    yield server
    await server.stop()


async def until_answered(lab: Lab, status: int, times: int) -> None:
    """Wait until the client got an answer so often."""
    wanted = lab.client.answers[status] + times
    async with asyncio.timeout(120):
        while lab.client.answers[status] < wanted:
            await asyncio.sleep(0.05)


async def until_served_again(lab: Lab, server: Postgres) -> None:
    """Wait for acknowledgements; start the server if it gave up, which it may do a moment later."""
    wanted = lab.client.acknowledged + 50
    async with asyncio.timeout(120):
        while lab.client.acknowledged < wanted:
            if server._process is not None and server._process.returncode is not None:
                await server.stop()
                await server.start()
            await asyncio.sleep(0.05)


async def test_a_full_disk_refuses_requests_and_loses_nothing(
    tmp_path: Path, nursery: Nursery, cramped: Postgres, small_disk: Path, report: Report
) -> None:
    server = await embedded_broker.start(tmp_path / "broker")
    async with new_database(cramped) as admin:
        lab = Lab(tmp_path, nursery, admin, server.address, cramped.port)
        lab.broker = InMemory(server)
        await lab.open()
        await lab.start()
        lab.client.start()
        await lab.client.until_acknowledged(50)
        filler = small_disk / "filler"
        with filler.open("wb") as file, pytest.raises(OSError, match="No space"):
            while True:
                file.write(bytes(MEBIBYTE))
                file.flush()
        lab.injected = 1
        await until_answered(lab, 503, 20)
        filler.unlink()
        await until_served_again(lab, cramped)
        figures, drained = await lab.settle()
        report(figures, drained=drained, refused=lab.client.answers[503])
        assert figures.verdict is Verdict.PASS
        assert set(lab.client.answers) <= {202, 503, 0}
        assert not lab.crashes
        await lab.close()
    await lab.broker.kill()


FILL_OUTBOX = """
INSERT INTO {service}.outbox (slot, id, seq, topic, key, shard, type, correlation, payload)
SELECT
    $1, gen_random_uuid(), nextval('{service}.outbox_seq'), 'visits', 'old', 0, 'x', gen_random_uuid(), '\\x'
FROM generate_series(1, $2::int)
"""
FILL_INBOX = """
INSERT INTO {service}.inbox (slot, id) SELECT $1, gen_random_uuid() FROM generate_series(1, $2::int)
"""


async def test_old_rows_are_swept_while_new_ones_are_written(embedded_lab: Lab, report: Report) -> None:
    lab = embedded_lab
    outbox = expired_slots(clock(), timedelta(days=7), OUTBOX_DAYS)[:3]
    inbox = expired_slots(clock(), timedelta(days=14), INBOX_DAYS)[:3]
    for service in chain.SERVICES:
        for fill, slots in ((FILL_OUTBOX, outbox), (FILL_INBOX, inbox)):
            for slot in slots:
                await lab.admin.execute(fill.format(service=service), slot, OLD_ROWS, timeout=300)
    await lab.start()
    lab.client.start()
    await lab.client.until_acknowledged(100)
    swept_at = time.time()
    for service in chain.SERVICES:
        await lab.admin.execute(f"UPDATE {service}.timer SET due_at = now() WHERE name = 'sweep'")
    async with asyncio.timeout(300):
        while lab.injected < len(chain.SERVICES) * (len(outbox) + len(inbox)):
            lab.injected = sum(lab.logged(service).count("partition emptied") for service in chain.SERVICES)
            await asyncio.sleep(0.2)
    await lab.client.until_acknowledged(100)
    figures, drained = await lab.settle()
    delays = await lab.delays(KEYS, since=swept_at)
    report(figures, drained=drained, p99_meanwhile=p99(delays))
    assert figures.verdict is Verdict.PASS
    assert set(lab.client.answers) == {202}
    for service in chain.SERVICES:
        assert "deadlock" not in lab.logged(service).lower()
        assert "timer failed" not in lab.logged(service)
        left = await lab.admin.fetchval(
            f"SELECT count(*) FROM {service}.inbox WHERE slot = ANY ($1::smallint[])", inbox
        )
        assert left == 0


async def test_a_slow_handler_neither_grows_nor_loses_its_place(lab: Lab, report: Report) -> None:
    lab.client.words = lambda _key, n: f"{n} {'x' * WORDS}"
    lab.client.pause = 0 if LONG else 0.3
    await lab.start(intake=1, sink=1)
    slow = {chain.SLOW: str(SLOW), "WAFD_KAFKA_SESSION_SECONDS": "6"}
    replicas = [await lab.add("worker", environment=slow) for _ in range(2)]
    await lab.until_ready()
    await until_shared(lab)
    workers = [psutil.Process(replica.pid) for replica in replicas]
    assigned = lab.logged("worker").count("partitions assigned")
    lab.client.start()
    await lab.client.until_acknowledged(FILLED, within=600)
    before = [worker.memory_info().rss for worker in workers]
    await lab.client.until_acknowledged(BACKLOG, within=600)
    await until_batches(lab)
    grown = max(w.memory_info().rss - rss for w, rss in zip(workers, before, strict=True))
    behind = lab.client.acknowledged - await lab.admin.fetchval("SELECT count(*) FROM worker.applied")
    assert lab.logged("worker").count("partitions assigned") == assigned, "no rebalance"
    assert lab.duplicates < BACKLOG // 10, "nothing is read again and again"
    for replica in replicas:  # what remains would take too long
        replica.environment[chain.SLOW] = "0"
        await replica.restart()
    lab.injected = 1
    figures, drained = await lab.settle()
    report(figures, drained=drained, behind=behind, grown_MiB=round(grown / MEBIBYTE))
    assert figures.verdict is Verdict.PASS
    assert behind > BACKLOG // 4
    assert grown < GROWS * MEBIBYTE
    assert not lab.crashes


async def until_shared(lab: Lab) -> None:
    """Wait until two workers have half of the partitions each."""
    lines = lab.logged("worker").splitlines
    async with asyncio.timeout(120):
        while [line.count('"partitions": 3') for line in lines() if "assigned" in line][-2:] != [1, 1]:
            await asyncio.sleep(0.1)


async def until_batches(lab: Lab) -> None:
    """Wait until both workers have handled the batch in hand and another one."""
    begun = len(lab.activity("worker"))
    async with asyncio.timeout(300):
        while True:
            lines = lab.activity("worker")[begun:]
            handled = Counter(line.pid for line in lines if line.what == "handled")
            if len(handled) == 2 and min(handled.values()) > 1:  # the first ones were under way
                return
            await asyncio.sleep(0.2)
