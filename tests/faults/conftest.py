"""Servers and labs for the fault recipes, and the table of their figures."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from embedded import broker as embedded_broker
from embedded import postgres as embedded_postgres
from embedded.postgres import Postgres
from tests.conftest import BROKERS, running_kafka
from tests.faults import german
from tests.faults.brokers import Breakable, InMemory, OneNode
from tests.faults.lab import HUNG_AFTER, Lab, make_template, new_database
from tests.faults.nursery import Nursery
from tests.faults.oracle import Figures
from tests.kafka.cluster import Cluster
from tests.kafka.proxy import Link

LONG = os.environ.get("WAFD_FAULTS") == "long"
"""Whether to run what takes an hour: fifty kills a point, outages as long as the recipes say."""

ENDS_WITHIN = 15.0 if LONG else HUNG_AFTER
RESUMES_WITHIN = 5.0 if LONG else HUNG_AFTER
"""Seconds from SIGTERM to the end, whatever happens around, and from a kill to the next work (median).

The long version has a machine to itself; the short one runs where other things do, and must not hang.
"""

HERE = Path(__file__).parent
COLUMNS = (
    "acknowledged", "injected", "duplicates", "lost", "doubled", "unexpected", "inversions", "stuck",
)  # fmt: skip
FIGURES: list[tuple[str, Figures, str]] = []

BROKERS_OF_THIS_LENGTH = BROKERS if LONG else BROKERS[:1]

on_both_brokers = pytest.mark.parametrize("lab", BROKERS, indirect=True)
"""For a test that runs on both in the short version, too."""

OpenLab = Callable[..., Awaitable[Lab]]
Report = Callable[..., None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.faults)
            if LONG:
                item.add_marker(pytest.mark.timeout(1800))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if FIGURES:
        terminalreporter.section("figures")
        terminalreporter.write(table())


def table() -> str:
    """The figures of the runs as a table in Markdown."""
    lines = [f"| run | {' | '.join(COLUMNS)} | verdict | remarks |", "|---" * (len(COLUMNS) + 3) + "|"]
    for name, figures, remarks in FIGURES:
        counts = " | ".join(str(asdict(figures)[column]) for column in COLUMNS)
        lines.append(f"| {name} | {counts} | {figures.verdict} | {remarks} |")
    return "\n".join(lines) + "\n"


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Report:
    """Adds a run to the table: ``report(figures, resumed=1.2)``."""

    def add(figures: Figures, **remarks: object) -> None:
        name = request.node.name.removeprefix("test_").replace("_", " ")
        values = {
            key: f"{value:.1f} s" if isinstance(value, float) else value for key, value in remarks.items()
        }
        said = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in values.items())
        FIGURES.append((name, figures, said))
        if file := os.environ.get("WAFD_FAULTS_FIGURES"):
            Path(file).write_text(table(), "utf-8")

    return add


@pytest.fixture(scope="session")
async def nursery() -> AsyncIterator[Nursery]:
    made = Nursery()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture(scope="session")
async def lab_postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Postgres]:
    """A server that tests may kill, as long as they start it again."""
    server = await embedded_postgres.start(tmp_path_factory.mktemp("lab-postgres"))
    await make_template(server)
    yield server
    await server.stop()


@pytest.fixture(scope="session")
async def lab_kafka(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """One node behind a link that tests may break; `lab` mends it."""
    async with running_kafka(tmp_path_factory.mktemp("lab-kafka"), through_link=True) as running:
        yield running


@pytest.fixture
async def open_lab(tmp_path: Path, nursery: Nursery, lab_postgres: Postgres) -> AsyncIterator[OpenLab]:
    """Makes a lab on a broker's address; with ``link`` its services reach PostgreSQL through that."""
    async with AsyncExitStack() as stack:

        async def open_(kafka: str, broker: Breakable, link: Link | None = None) -> Lab:
            admin = await stack.enter_async_context(new_database(lab_postgres))
            made = Lab(tmp_path, nursery, admin, kafka, link.port if link else lab_postgres.port)
            made.broker = broker
            await made.open()
            stack.push_async_callback(made.close)
            return made

        yield open_


async def emptied(running: Cluster) -> Cluster:
    """The cluster, mended and without topics."""
    await running.restore()
    admin = AIOKafkaAdminClient(bootstrap_servers=running.internal_address)
    await admin.start()
    try:
        await admin.delete_topics([name for name in await admin.list_topics() if not name.startswith("_")])
        while any(not name.startswith("_") for name in await admin.list_topics()):
            continue
    finally:
        await admin.close()
    return running


@pytest.fixture
async def database_link(lab_postgres: Postgres) -> AsyncIterator[Link]:
    """A link to PostgreSQL that tests may break."""
    made = Link(lab_postgres.port)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def embedded_lab(tmp_path: Path, open_lab: OpenLab) -> AsyncIterator[Lab]:
    """The chain on an embedded broker of its own."""
    server = await embedded_broker.start(tmp_path / "broker")
    breakable = InMemory(server)
    yield await open_lab(server.address, breakable)
    await breakable.kill()  # it takes its time to end otherwise, and keeps nothing anyway


@pytest.fixture
async def german_lab(tmp_path: Path, nursery: Nursery) -> AsyncIterator[Lab]:
    """The chain on an embedded broker and on a PostgreSQL that speaks German."""
    programs = german.programs()
    if programs is None:
        pytest.skip(f"no PostgreSQL with German translations in {german.PROGRAMS}: the embedded one has none")
    broker = await embedded_broker.start(tmp_path / "broker")
    async with german.german_postgres(tmp_path / "postgres", programs) as server:
        await make_template(server)
        async with new_database(server) as admin:
            made = Lab(tmp_path, nursery, admin, broker.address, server.port)
            made.broker = InMemory(broker)
            await made.open()
            yield made
            await made.close()
    await made.broker.kill()


@pytest.fixture
async def kafka_lab(lab_kafka: Cluster, open_lab: OpenLab) -> AsyncIterator[Lab]:
    """The chain on Apache Kafka."""
    await emptied(lab_kafka)
    yield await open_lab(lab_kafka.address, OneNode(lab_kafka))
    await lab_kafka.restore()


@pytest.fixture
async def linked_embedded_lab(tmp_path: Path, open_lab: OpenLab, database_link: Link) -> AsyncIterator[Lab]:
    """The chain on an embedded broker, its services behind `database_link`."""
    server = await embedded_broker.start(tmp_path / "broker")
    breakable = InMemory(server)
    yield await open_lab(server.address, breakable, database_link)
    await breakable.kill()


@pytest.fixture
async def linked_kafka_lab(lab_kafka: Cluster, open_lab: OpenLab, database_link: Link) -> Lab:
    """The chain on Apache Kafka, its services behind `database_link`."""
    await emptied(lab_kafka)
    return await open_lab(lab_kafka.address, OneNode(lab_kafka), database_link)


@pytest.fixture(params=BROKERS_OF_THIS_LENGTH)
def lab(request: pytest.FixtureRequest) -> Lab:
    """The chain: on each broker in turn in the long version, on the embedded one in the short one."""
    made: Lab = request.getfixturevalue(f"{request.param}_lab")
    return made


@pytest.fixture(params=BROKERS_OF_THIS_LENGTH)
def linked_lab(request: pytest.FixtureRequest) -> Lab:
    """The same with the services behind `database_link`."""
    made: Lab = request.getfixturevalue(f"linked_{request.param}_lab")
    return made
