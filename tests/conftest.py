"""Real servers for the tests: PostgreSQL with a database of its own for each test, and Kafka brokers."""

import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from pydantic import SecretStr

from cli.target import SERVICES
from embedded import broker as embedded_broker
from embedded import postgres as embedded_postgres
from embedded.postgres import Postgres
from runtime.database import migrate, open_pool
from runtime.transaction import Transactions
from tests.kafka import cluster
from tests.kafka.cluster import Cluster
from tests.kafka.jars import KafkaUnavailable

# No test asserts wall-clock speed, nor does one fail because its data took long to make.
settings.register_profile("wafd", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("wafd")

PASSWORD = "only-for-tests"
TEMPLATE = "wafd_template"
_numbers = itertools.count()


@dataclass(frozen=True)
class Database:
    """A migrated database that only one test uses."""

    admin: str
    """The superuser's DSN."""

    def dsn(self, service: str) -> str:
        """The DSN of a service's own role."""
        parts = urlsplit(self.admin)
        login = f"wafd_{service}:{PASSWORD}@{parts.hostname}:{parts.port}"
        return urlunsplit(parts._replace(netloc=login))


class Broker(Protocol):
    """What tests need of a broker, whichever it is."""

    @property
    def address(self) -> str:
        """Its bootstrap address, host:port."""


BROKERS: Final = ("embedded", pytest.param("kafka", marks=pytest.mark.kafka))
OpenTransactions = Callable[[str], Awaitable[Transactions]]


@pytest.fixture(scope="session")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Postgres]:
    folder: Path = tmp_path_factory.mktemp("postgres")
    server = await embedded_postgres.start(folder)
    yield server
    await server.stop()


@asynccontextmanager
async def running_kafka(
    folder: Path, *, nodes: int = 1, through_link: bool = False, secured: bool = False
) -> AsyncIterator[Cluster]:
    """Run Apache Kafka for the length of the block; without Java or Maven skip the test, unless in CI."""
    try:
        running = await cluster.start(folder, nodes=nodes, through_link=through_link, secured=secured)
    except KafkaUnavailable as problem:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(problem))
    try:
        yield running
    finally:
        await running.end()


@pytest.fixture(scope="session")
async def kafka(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """One node for the whole run, for tests that leave it as it is."""
    async with running_kafka(tmp_path_factory.mktemp("kafka")) as running:
        yield running


@pytest.fixture(scope="module", params=BROKERS)
async def outside_kafka(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Cluster | None]:
    """What a whole system of a module runs on: its own embedded broker (None), then a Kafka of the module."""
    if request.param == "embedded":
        yield None
        return
    async with running_kafka(tmp_path_factory.mktemp("kafka")) as running:
        yield running


@pytest.fixture(scope="module")
async def three_nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    async with running_kafka(tmp_path_factory.mktemp("kafka"), nodes=3, through_link=True) as running:
        yield running


@pytest.fixture
async def kafka_cluster(three_nodes: Cluster) -> AsyncIterator[Cluster]:
    """Three nodes behind links, for tests that break them; mended after each."""
    yield three_nodes
    await three_nodes.restore()


@pytest.fixture(scope="session")
async def embedded_kafka(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Broker]:
    server = await embedded_broker.start(tmp_path_factory.mktemp("broker"))
    yield server
    await server.stop()


@pytest.fixture(scope="session", params=BROKERS)
def broker(request: pytest.FixtureRequest) -> Broker:
    """Each broker in turn: a test that asks for it runs on both."""
    found: Broker = request.getfixturevalue("kafka" if request.param == "kafka" else "embedded_kafka")
    return found


@pytest.fixture(scope="session")
async def template(postgres: Postgres) -> str:
    """The DSN of a migrated database that others are cloned from."""
    maintenance = await asyncpg.connect(postgres.dsn)
    await maintenance.execute(f"CREATE DATABASE {TEMPLATE}")
    await maintenance.close()
    dsn = _named(postgres.dsn, TEMPLATE)
    admin = await asyncpg.connect(dsn)
    for service in SERVICES:
        await migrate(admin, service, SecretStr(PASSWORD))
    await admin.close()
    return dsn


@pytest.fixture
async def database(postgres: Postgres, template: str) -> AsyncIterator[Database]:
    name = f"test_{next(_numbers)}"
    maintenance = await asyncpg.connect(postgres.dsn)
    await maintenance.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    yield Database(_named(postgres.dsn, name))
    await maintenance.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await maintenance.close()


@pytest.fixture
async def transactions(database: Database) -> AsyncIterator[OpenTransactions]:
    """Opens transactions in a service's schema under its own role: ``await transactions("visits")``."""
    async with AsyncExitStack() as stack:

        async def open_(service: str) -> Transactions:
            pool = await open_pool(database.dsn(service), service, 6)
            stack.push_async_callback(pool.close)
            return Transactions(pool)

        yield open_


def _named(dsn: str, database: str) -> str:
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{database}"))
