"""Brokers and databases that die, stand still or lose everything under load."""

import asyncio
import os
import signal

import pytest

from embedded.postgres import Postgres
from tests.faults.brokers import OneNode
from tests.faults.conftest import LONG, OpenLab, Report, emptied, on_both_brokers
from tests.faults.lab import Lab
from tests.faults.oracle import Verdict
from tests.kafka.cluster import Cluster
from tests.kafka.proxy import Link

OUTAGE = 20.0 if LONG else 5.0
DATABASE_OUTAGE = 60.0 if LONG else 6.0
WAITING = 10_000 if LONG else 150
TIMES = 3 if LONG else 1
"""How often a server is killed in a run."""


async def load(lab: Lab, **services: int) -> None:
    """Start the chain and its client."""
    await lab.start(**services)
    lab.client.start()
    await lab.client.until_acknowledged(50)


@on_both_brokers
async def test_a_broker_that_stands_still_loses_nothing(lab: Lab, report: Report) -> None:
    await load(lab)
    for _ in range(TIMES):
        lab.broker.pause()
        await asyncio.sleep(OUTAGE)
        lab.broker.resume()
        lab.injected += 1
        await lab.client.until_acknowledged(50)
    figures, drained = await lab.settle()
    report(figures, drained=drained)
    assert figures.verdict is Verdict.PASS
    assert set(lab.client.answers) == {202}, "requests need no broker"
    assert not lab.crashes


@pytest.mark.kafka
async def test_a_broker_that_is_killed_loses_nothing(
    kafka_lab: Lab, lab_kafka: Cluster, report: Report
) -> None:
    await load(kafka_lab)
    for _ in range(TIMES):
        await lab_kafka.kill()
        await asyncio.sleep(1)
        await lab_kafka.start()
        kafka_lab.injected += 1
        await kafka_lab.client.until_acknowledged(50)
    figures, drained = await kafka_lab.settle()
    report(figures, drained=drained)
    assert figures.verdict is Verdict.PASS
    assert set(kafka_lab.client.answers) == {202}
    assert not kafka_lab.crashes


@pytest.mark.kafka
async def test_a_leader_of_three_nodes_that_is_killed_loses_nothing(
    kafka_cluster: Cluster, open_lab: OpenLab, report: Report
) -> None:
    await emptied(kafka_cluster)
    lab = await open_lab(kafka_cluster.address, OneNode(kafka_cluster))
    lab.environment["WAFD_KAFKA_REPLICATION"] = "3"
    await load(lab)
    for number in range(3 * TIMES if LONG else 1):
        leader = await kafka_cluster.leader("visits", number % 6)
        await leader.kill()
        lab.injected += 1
        await lab.client.until_acknowledged(100)
        await asyncio.sleep(2)
        await leader.start()
    figures, drained = await lab.settle()
    report(figures, drained=drained)
    assert figures.verdict is Verdict.PASS
    assert not lab.crashes


@on_both_brokers
async def test_a_broker_that_lost_everything_is_filled_again(lab: Lab, report: Report) -> None:
    await load(lab)
    for _ in range(TIMES):
        await lab.client.until_acknowledged(50)
        await lab.stop()
        await lab.broker.lose()
        await lab.republish()
        lab.injected += 1
        await asyncio.gather(*(replica.start() for replica in lab.all_replicas))
        await lab.client.until_acknowledged(50)
    figures, drained = await lab.settle()
    report(figures, drained=drained)
    assert figures.verdict is Verdict.PASS
    assert not lab.crashes


async def test_a_database_that_is_killed_loses_nothing(
    lab: Lab, lab_postgres: Postgres, report: Report
) -> None:
    await load(lab)
    for _ in range(TIMES):
        os.kill(lab_postgres.pid, signal.SIGKILL)
        await lab_postgres.wait()
        await asyncio.sleep(1)
        await lab_postgres.start()
        lab.injected += 1
        await lab.client.until_acknowledged(100)
    figures, drained = await lab.settle()
    report(figures, drained=drained)
    assert figures.verdict is Verdict.PASS
    assert set(lab.client.answers) <= {202, 503, 0}
    assert lab.client.answers[503], "while the database is away"
    assert not lab.crashes


async def test_a_database_that_is_away_parks_nothing(
    linked_lab: Lab, database_link: Link, report: Report
) -> None:
    lab = linked_lab
    await load(lab)
    (worker,) = lab.replicas["worker"]
    worker.send(signal.SIGSTOP)
    lab.client.pause = 0
    await lab.client.until_acknowledged(WAITING, within=600)
    lab.client.pause = 0.1
    await database_link.cut()
    worker.send(signal.SIGCONT)
    lab.injected += 1
    await asyncio.sleep(DATABASE_OUTAGE)
    await database_link.heal()
    figures, drained = await lab.settle()
    report(figures, drained=drained)
    for service in lab.replicas:
        assert await lab.admin.fetchval(f"SELECT count(*) FROM {service}.parked") == 0
    assert figures.verdict is Verdict.PASS
    assert not lab.crashes
