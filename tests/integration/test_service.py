"""A service process: settings, ack policy, health that tells the truth, graceful stop."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import httpx
import pytest
from aiokafka import AIOKafkaConsumer
from faststream import AckPolicy
from prometheus_client import CollectorRegistry

from cli.serve import load_service
from cli.target import SERVICES
from embedded.children import free_port
from runtime.kafka import Records, Subscription, ensure_topics
from runtime.settings import Settings
from tests.conftest import Broker, Database
from tests.unit.notifications.mail_server import MailServer, new_controller

CENTRE = Path(__file__).parents[2] / "examples" / "centre.yaml"


def environment(database: Database, broker: Broker, service: str, port: int) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "WAFD_DATABASE": database.dsn(service),
        "WAFD_KAFKA": broker.address,
        "WAFD_KAFKA_SESSION_SECONDS": "2",
        "WAFD_HTTP_PORT": str(port),
        "WAFD_CENTRE": str(CENTRE),
        "WAFD_SMTP": "smtp://127.0.0.1:9",
        "WAFD_MAIL_FROM": "visits@centre.example",
        "WAFD_MAIL_DOMAIN": "centre.example",
        "WAFD_OFFICE_EMAIL": "protocol@centre.example",
    }


async def serve(
    service: str, env: dict[str, str], output: int = asyncio.subprocess.PIPE
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli.main", "serve", service, env=env, stdout=output, stderr=output
    )


async def health(port: int) -> tuple[int, list[str]]:
    async with httpx.AsyncClient(trust_env=False) as http:
        try:
            answer = await http.get(f"http://127.0.0.1:{port}/health/ready", timeout=10)
        except httpx.TransportError:
            return 0, []
        return answer.status_code, answer.json()["problems"]


async def until_ready(port: int) -> None:
    async with asyncio.timeout(120):
        while (await health(port))[0] != 200:
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("service", SERVICES)
async def test_every_subscriber_commits_only_after_its_batch(
    service: str, database: Database, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(database, broker, service, 0).items():
        monkeypatch.setenv(name, value)
    settings = load_service(service).settings
    await ensure_topics(settings)

    async def consume(_records: Records) -> None:
        return

    subscription = Subscription(settings, service, ["visits"], consume, CollectorRegistry())
    (subscriber,) = subscription.broker.subscribers
    assert subscriber.ack_policy is AckPolicy.NACK_ON_ERROR
    await subscription.start()
    consumer: AIOKafkaConsumer = subscription.subscriber.consumer
    assert consumer._enable_auto_commit is False
    assert consumer._auto_offset_reset == "earliest"
    await subscription.stop()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"WAFD_DATABASE": None}, "WAFD_DATABASE is not set"),
        ({"WAFD_DATABASE": "mysql://x"}, "WAFD_DATABASE is wrong"),
        ({"WAFD_KAFKA": "no port"}, "WAFD_KAFKA is wrong"),
        ({"WAFD_HTTP_PORT": "many"}, "WAFD_HTTP_PORT is wrong"),
        ({"WAFD_INBOX_RETENTION_DAYS": "3"}, "WAFD_INBOX_RETENTION_DAYS must be greater"),
    ],
)
async def test_a_wrong_setting_is_one_sentence_and_exit_2(
    change: dict[str, str | None], sentence: str, database: Database, broker: Broker
) -> None:
    env = environment(database, broker, "eventlog", 0)
    env = {k: v for k, v in {**env, **change}.items() if v is not None}
    process = await serve("eventlog", env)
    _, err = await process.communicate()
    assert process.returncode == 2
    assert len(err.decode().splitlines()) == 1
    assert sentence in err.decode()


async def test_a_role_that_the_database_refuses_is_one_sentence_and_exit_2(
    database: Database, broker: Broker
) -> None:
    env = environment(database, broker, "eventlog", 0)
    env["WAFD_DATABASE"] = env["WAFD_DATABASE"].replace("only-for-tests", "wrong")
    process = await serve("eventlog", env)
    _, err = await process.communicate()
    assert process.returncode == 2
    assert "WAFD_DATABASE was refused" in err.decode()


async def test_sigterm_ends_a_service_cleanly(database: Database, broker: Broker) -> None:
    port = free_port()
    process = await serve("eventlog", environment(database, broker, "eventlog", port))
    await until_ready(port)
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(60):
        _, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert '"event": "stopped"' in err.decode()


async def test_a_service_waits_for_servers_that_are_not_there_yet_and_can_be_stopped_meanwhile(
    database: Database, broker: Broker
) -> None:
    env = environment(database, broker, "eventlog", free_port())
    process = await serve("eventlog", {**env, "WAFD_KAFKA": f"127.0.0.1:{free_port()}"})
    assert process.stderr is not None
    async with asyncio.timeout(120):
        while b"waiting for servers" not in await process.stderr.readline():
            assert process.returncode is None
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(60):
        assert await process.wait() == 0


async def test_a_consumer_that_has_stopped_is_not_ready(broker: Broker) -> None:
    async def consume(_records: Records) -> None:
        return

    settings = Settings.model_validate(
        {"database": "postgresql://nowhere/x", "kafka": broker.address, "kafka_session_seconds": 2}
    )
    await ensure_topics(settings)
    subscription = Subscription(settings, "readiness", ["visits"], consume, CollectorRegistry())
    assert await subscription.trouble() is not None
    await subscription.start()
    async with asyncio.timeout(60):
        while await subscription.trouble() is not None:
            await asyncio.sleep(0.1)
    await subscription.subscriber.stop()
    assert await subscription.trouble() == "the Kafka consumer has stopped"
    await subscription.stop()


async def test_a_mail_server_that_is_away_is_told_by_health_and_metrics_until_it_is_back(
    database: Database, broker: Broker
) -> None:
    port, smtp = free_port(), free_port()
    env = environment(database, broker, "notifications", port) | {"WAFD_SMTP": f"smtp://127.0.0.1:{smtp}"}
    process = await serve("notifications", env)
    mailbox = new_controller(MailServer(), smtp)
    try:
        async with asyncio.timeout(120):
            while not any("mail cannot be sent since" in problem for problem in (await health(port))[1]):
                await asyncio.sleep(0.1)
        async with httpx.AsyncClient(trust_env=False) as http:
            metrics = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
        assert "wafd_mail_server_usable 0.0" in metrics
        assert "wafd_notices_waiting 0.0" in metrics
        mailbox.start()
        await until_ready(port)
    finally:
        process.send_signal(signal.SIGTERM)
        await process.communicate()
        mailbox.stop()
    assert process.returncode == 0


async def test_a_consumer_begins_with_any_of_several_brokers(broker: Broker) -> None:
    async def consume(_records: Records) -> None:
        return

    kafka = f"127.0.0.1:{free_port()},{broker.address}"
    settings = Settings.model_validate({"database": "postgresql://nowhere/x", "kafka": kafka})
    await ensure_topics(settings)
    subscription = Subscription(settings, "several", ["visits"], consume, CollectorRegistry())
    await subscription.start()
    await subscription.stop()
