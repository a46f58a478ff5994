"""Every service on a Kafka with logins and rules, each as a user that may do what it needs and no more."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from aiosmtpd.controller import Controller

from cli.target import SERVICES
from embedded.children import free_port
from runtime.connection import check_login
from runtime.settings import KafkaSettings, load_settings
from tests.conftest import Database, running_kafka
from tests.integration.test_service import environment, serve, until_ready
from tests.kafka.cluster import Cluster
from tests.unit.notifications.mail_server import MailServer

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
async def secured(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    async with running_kafka(tmp_path_factory.mktemp("secured"), secured=True) as cluster:
        yield cluster


@pytest.mark.timeout(240)
async def test_the_services_work_together_each_as_its_own_user(
    secured: Cluster, database: Database, tmp_path: Path
) -> None:
    running = []
    mailbox = Controller(MailServer(), hostname="127.0.0.1", port=free_port())
    mailbox.start()  # without one, notifications is not ready
    ports = {service: free_port() for service in SERVICES}
    for service in SERVICES:
        login = secured.credentials[f"wafd-{service}"].environment()
        env = environment(database, secured, service, ports[service]) | login
        env["WAFD_SMTP"] = f"smtp://127.0.0.1:{mailbox.port}"
        with (tmp_path / f"{service}.log").open("wb") as log:
            running.append(await serve(service, env, log.fileno()))
    for port in ports.values():  # that of visits includes the catalogue, an event of scheduling
        await until_ready(port)
    admin = await asyncpg.connect(database.admin)
    async with asyncio.timeout(30):
        while not await admin.fetchval(
            "SELECT count(*) FROM eventlog.event WHERE type = 'scheduling.catalogue.published.v1'"
        ):
            await asyncio.sleep(0.1)
    await admin.close()
    for process in running:
        process.send_signal(signal.SIGTERM)
    assert [await process.wait() for process in running] == [0] * len(SERVICES)
    mailbox.stop()


async def test_a_wrong_password_ends_the_start_with_one_sentence(
    secured: Cluster, database: Database, tmp_path: Path
) -> None:
    login = secured.credentials["wafd-visits"].environment() | {"WAFD_KAFKA_PASSWORD": "guessed"}
    path = tmp_path / "visits.log"
    with path.open("wb") as log:
        process = await serve("visits", environment(database, secured, "visits", 0) | login, log.fileno())
    async with asyncio.timeout(60):
        assert await process.wait() == 2
    assert "Kafka refuses the user wafd-visits" in path.read_text().splitlines()[-1]


async def test_a_login_is_checked_with_whichever_broker_answers(
    secured: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in secured.credentials["wafd-visits"].environment().items():
        monkeypatch.setenv(name, value)
    await check_login(load_settings(KafkaSettings, kafka=f"127.0.0.1:{free_port()},{secured.address}"))
