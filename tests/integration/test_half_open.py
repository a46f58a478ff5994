"""A link to PostgreSQL that swallows everything: what waits gives up in time, and may be repeated."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import httpx
import pytest

from embedded.children import free_port
from runtime import service
from runtime.database import borrowed, open_pool
from runtime.errors import is_outage
from runtime.operations import operating
from runtime.transaction import Transaction, Transactions
from schemas.eventlog import OperatorActed, OperatorPeople
from services.visits import store
from services.visits.clients import Role, add_client
from tests.conftest import Broker, Database, OpenTransactions
from tests.integration.test_service import environment, health, serve, until_ready
from tests.integration.test_visits_http import URL, body
from tests.kafka.proxy import Link
from tests.unit.visits import make

WITHIN = 1.0
SOON = 3.0


@pytest.fixture
async def link(database: Database) -> AsyncIterator[Link]:
    port = urlsplit(database.admin).port
    assert port is not None
    made = Link(port)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def linked(database: Database, link: Link) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(through(link, database.dsn("eventlog")), "eventlog", 6)
    yield pool
    pool.terminate()


def through(link: Link, dsn: str) -> str:
    parts = urlsplit(dsn)
    return urlunsplit(parts._replace(netloc=f"{parts.username}:{parts.password}@{link.address}"))


def act(tx: Transaction) -> None:
    tx.emit(
        OperatorActed(action="a", target="t", reason="r", people=OperatorPeople(operator="o")), subject="k"
    )


async def fails_soon(pool: asyncpg.Pool, link: Link, *, before: str) -> None:
    """Swallow everything ``before`` a step of a transaction, which then has to fail soon, as an outage."""
    began = time.monotonic()
    with pytest.raises(BaseException) as caught:  # noqa: PT011 -- looked at below
        async with Transactions(pool, within=WITHIN)() as tx:
            await tx.connection.execute("UPDATE inbox_memory SET begins = begins")
            if before == "a statement":
                await link.half_open()
            await tx.connection.execute("SELECT 1")
            if before == "the commit":
                await link.half_open()
    assert is_outage(caught.value)
    assert time.monotonic() - began < SOON


@pytest.mark.parametrize("before", ["a statement", "the commit"])
async def test_a_transaction_gives_up_and_lets_go_of_its_rows(
    linked: asyncpg.Pool, link: Link, before: str, transactions: OpenTransactions
) -> None:
    await fails_soon(linked, link, before=before)
    began = time.monotonic()
    async with (await transactions("eventlog"))() as tx:  # the link is still dead: nothing tells the server
        await tx.connection.execute("UPDATE inbox_memory SET begins = begins")
    assert time.monotonic() - began < SOON
    async with asyncio.timeout(SOON):
        with pytest.raises(BaseException) as caught:  # noqa: PT011 -- there is no new connection either
            async with Transactions(linked, within=WITHIN)():
                pass
    assert is_outage(caught.value)
    await link.heal()
    async with Transactions(linked)() as tx:
        await tx.connection.execute("UPDATE inbox_memory SET begins = begins")
        act(tx)
    assert await linked.fetchval("SELECT count(*) FROM outbox") == 1


async def test_a_savepoint_does_not_wait_for_its_rollback(linked: asyncpg.Pool, link: Link) -> None:
    began = time.monotonic()
    with pytest.raises(BaseException) as caught:  # noqa: PT011 -- looked at below
        async with Transactions(linked, within=WITHIN)() as tx, tx.attempt() as inner:
            await link.half_open()
            await inner.connection.execute("SELECT 1")
    assert is_outage(caught.value)
    assert time.monotonic() - began < SOON


async def test_no_connection_of_a_pool_stays_lost(linked: asyncpg.Pool, link: Link) -> None:
    async def ask() -> None:
        async with borrowed(linked, WITHIN) as connection:
            await connection.execute("SELECT 1")

    await asyncio.gather(*(ask() for _ in range(6)))
    await link.half_open()
    began = time.monotonic()
    answers = await asyncio.gather(*(ask() for _ in range(12)), return_exceptions=True)
    assert all(isinstance(answer, BaseException) and is_outage(answer) for answer in answers)
    assert time.monotonic() - began < SOON
    await link.heal()
    await asyncio.gather(*(ask() for _ in range(6)))


@pytest.mark.timeout(120)
async def test_a_request_is_answered_503_in_time_and_its_repetition_applies_once(
    database: Database, embedded_kafka: Broker, link: Link
) -> None:
    port = free_port()
    env = environment(database, embedded_kafka, "visits", port)
    async with operating(database.dsn("visits"), "visits") as transactions, transactions() as tx:
        await store.keep_catalogue(tx.connection, make.catalogue())
        client = await add_client(
            tx.connection, id=uuid4(), name="qatar", country="QA", role=Role.MINISTRY, now=tx.now
        )
    process = await serve("visits", {**env, "WAFD_DATABASE": through(link, env["WAFD_DATABASE"])})
    headers = {"Authorization": f"Bearer {client.api_key}", "Idempotency-Key": "one"}
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", trust_env=False, headers=headers, timeout=60
    ) as http:
        await until_ready(port)
        first = await http.post(URL, json=body())
        assert first.status_code == 202, first.text
        await link.half_open()
        began = time.monotonic()
        headers["Idempotency-Key"], second = "other", body(sender_reference="the second")
        lost = await http.post(URL, json=second, headers=headers)
        assert lost.status_code == 503
        assert lost.headers["content-type"] == "application/problem+json"
        assert time.monotonic() - began < service.REQUEST_SECONDS + SOON
        status, problems = await health(port)
        assert status == 503
        assert any("database does not answer" in problem for problem in problems)
        assert time.monotonic() - began < service.REQUEST_SECONDS + SOON + 6
        await link.heal()
        async with asyncio.timeout(service.REQUEST_SECONDS * 3):
            while (again := await http.post(URL, json=second, headers=headers)).status_code == 503:
                await asyncio.sleep(0.2)
        assert again.status_code == 202
        assert (await http.post(URL, json=second, headers=headers)).json()["id"] == again.json()["id"]
    process.send_signal(signal.SIGTERM)
    await process.communicate()
    assert process.returncode == 0
    admin = await asyncpg.connect(database.admin)
    assert await admin.fetchval("SELECT count(*) FROM visits.visit") == 2
    await admin.close()
