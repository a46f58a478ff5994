"""Real servers for the tests: PostgreSQL with a database of its own for each test, and a Kafka broker."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from hypothesis import settings
from pydantic import SecretStr

from cli.target import SERVICES
from embedded import broker as embedded_broker
from embedded import postgres as embedded_postgres
from embedded.broker import Broker
from embedded.postgres import Postgres
from runtime.database import migrate, open_pool
from runtime.transaction import Transactions

settings.register_profile("wafd", deadline=None)  # no test asserts wall-clock speed
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


OpenTransactions = Callable[[str], Awaitable[Transactions]]


@pytest.fixture(scope="session")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Postgres]:
    folder: Path = tmp_path_factory.mktemp("postgres")
    server = await embedded_postgres.start(folder)
    yield server
    await server.stop()


@pytest.fixture(scope="session")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Broker]:
    server = await embedded_broker.start(tmp_path_factory.mktemp("broker"))
    yield server
    await server.stop()


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
