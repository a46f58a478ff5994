"""A service whose servers go away while it starts: it waits, says so, and can be ended meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from prometheus_client import CollectorRegistry

from cli.serve import load_service
from embedded import broker as embedded_broker
from embedded.broker import Broker
from embedded.children import free_port
from runtime import startup
from runtime.errors import UsageError
from runtime.kafka import Records, Subscription, ensure_topics
from runtime.service import Process
from runtime.settings import Settings
from tests.conftest import Database
from tests.integration.test_service import environment, health, until_ready
from tests.kafka.cluster import Cluster


@pytest.fixture
async def own_broker(tmp_path: Path) -> AsyncIterator[Broker]:
    made = await embedded_broker.start(tmp_path / "broker")
    yield made
    await made.stop()


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
async def connected(
    database: Database, own_broker: Broker, port: int, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Process]:
    """A service that has met both servers and then lost its broker, before anything else."""
    for name, value in environment(database, own_broker, "eventlog", port).items():
        monkeypatch.setenv(name, value)
    service = load_service("eventlog")
    pool: asyncpg.Pool = await startup.connect(service.settings, service.name)
    await own_broker.stop()
    yield Process(service, pool)
    await startup.close_pool(pool)


@pytest.mark.parametrize("lost", ["before the producer", "before the consumer"])
async def test_a_broker_lost_amid_the_start_is_waited_for(
    connected: Process, own_broker: Broker, port: int, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = asyncio.Event()
    if lost == "before the consumer":
        await own_broker.start()
        await ensure_topics(connected._service.settings)
        start = connected.subscription.start

        async def late() -> None:
            if not away.is_set():
                await own_broker.stop()
                away.set()
            await start()

        monkeypatch.setattr(connected.subscription, "start", late)
    stop = asyncio.Event()
    running = asyncio.create_task(connected.run(stop))
    if lost == "before the consumer":
        await away.wait()
        await asyncio.sleep(2)
        status, problems = await health(port)
        assert status == 503
        assert any("Kafka" in problem for problem in problems)
    await asyncio.sleep(1)
    assert not running.done(), running
    await own_broker.start()
    await ensure_topics(connected._service.settings)
    await until_ready(port)
    stop.set()
    async with asyncio.timeout(15):
        await running


async def test_a_service_that_waits_for_its_broker_amid_the_start_can_be_ended(connected: Process) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(connected.run(stop))
    await asyncio.sleep(1)
    stop.set()
    async with asyncio.timeout(5):
        await running


async def test_a_service_that_waits_to_join_its_group_can_be_ended(
    connected: Process, own_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await own_broker.start()
    await ensure_topics(connected._service.settings)
    begun, stop = asyncio.Event(), asyncio.Event()

    async def hanging() -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(connected.subscription.broker, "start", hanging)
    running = asyncio.create_task(connected.run(stop))
    await begun.wait()
    stop.set()
    async with asyncio.timeout(15):
        await running


@pytest.mark.kafka
async def test_a_session_that_the_broker_refuses_is_one_sentence(kafka: Cluster) -> None:
    async def consume(_records: Records) -> None:
        return

    settings = Settings.model_validate({"database": "postgresql://nowhere/x", "kafka": kafka.address})
    settings = settings.model_copy(update={"kafka_session_seconds": 0.5})
    await ensure_topics(settings)
    subscription = Subscription(settings, "impatient", ["visits"], consume, CollectorRegistry())
    with pytest.raises(UsageError, match=r"refuses a session of 0.5 s: correct WAFD_KAFKA_SESSION_SECONDS"):
        async with asyncio.timeout(20):
            await subscription.start()
    await subscription.stop()
