"""The HTTP interface of scheduling against real PostgreSQL: who is let in, and what is shown."""

import json
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from runtime.database import migrate
from runtime.transaction import Transactions
from schemas.visits import RequestApproved
from services.scheduling.handlers import want_programme
from services.scheduling.http import routes
from services.scheduling.planning import Office
from services.visits.clients import Role, add_client, revoke
from tests.conftest import PASSWORD, Database, OpenTransactions
from tests.integration.planning_desk import InThisProcess, told
from tests.unit.scheduling.factories import CENTRE, NOW, needs


@dataclass
class Api:
    """The application with a key for each role."""

    transactions: Transactions
    visits: Transactions
    app: FastAPI
    keys: dict[str, str]

    async def ask(
        self, method: str, path: str, who: str = "officer", content: Any = None, **headers: str
    ) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        sent = {"Authorization": f"Bearer {self.keys.get(who, who)}"} if who else {}
        if content is not None:
            sent["Content-Type"] = "application/json"
        raw = content if isinstance(content, bytes) or content is None else json.dumps(content).encode()
        async with httpx.AsyncClient(transport=transport, base_url="http://wafd.example") as client:
            return await client.request(method, path, content=raw, headers=sent | headers)

    async def rows(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        async with self.transactions() as tx:
            return await tx.connection.fetch(query, *arguments)

    async def held_programme(self) -> UUID:
        """A visit for which scheduling holds a programme."""
        visit, office = uuid4(), Office(CENTRE, InThisProcess(), seconds=20, answer_days=7)
        async with self.transactions() as tx:
            await want_programme(tx, told(RequestApproved, visit, needs=needs()))
        async with self.transactions() as tx:
            await office.propose_programme(tx, str(visit))
        return visit


@pytest.fixture
async def api(transactions: OpenTransactions) -> Api:
    opened = replace(await transactions("scheduling"), now=lambda: NOW)
    visits = await transactions("visits")
    app = FastAPI()
    routes(app, opened, CENTRE, body_limit=65_536)
    keys = {}
    async with visits() as tx:
        for role in Role:
            made = await add_client(tx.connection, id=uuid4(), name=role, country="QA", role=role, now=tx.now)
            keys[role.value] = made.api_key
    return Api(opened, visits, app, keys)


@pytest.mark.parametrize("who", ["officer", "approver"])
async def test_an_officer_sees_the_programme_with_names_and_without_addresses(api: Api, who: str) -> None:
    visit = await api.held_programme()
    answer = await api.ask("GET", f"/v1/programmes/{visit}", who)
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert (shown["visit"], shown["state"], shown["release"]) == (str(visit), "proposed", 1)
    named = {one["person"] for one in shown["persons"]}
    assert named == {part["person"] for slot in shown["slots"] for part in slot["assignments"]}
    assert "@" not in answer.text


async def test_who_is_no_officer_is_not_let_in(api: Api) -> None:
    visit = await api.held_programme()
    path = f"/v1/programmes/{visit}"
    ministry = await api.ask("GET", path, "ministry")
    assert (ministry.status_code, ministry.json()["type"]) == (403, "urn:wafd:problem:not-allowed")
    key = api.keys["officer"]
    wrong = key[:-1] + ("A" if key[-1] != "A" else "B")
    for sent in ("", "wafd_", "nonsense", wrong, key + "A", key.upper(), " "):
        refused = await api.ask("GET", path, sent)
        assert (refused.status_code, refused.headers["content-type"]) == (401, "application/problem+json")
        assert refused.headers["www-authenticate"].startswith("Bearer")


async def test_a_revoked_key_opens_nothing_at_once(api: Api) -> None:
    key = api.keys["officer"]
    async with api.visits() as tx:
        assert await revoke(tx.connection, key.split("_")[1], tx.now)
    assert (await api.ask("GET", f"/v1/programmes/{uuid4()}")).status_code == 401


async def test_unknown_visits_and_paths_are_problems(api: Api) -> None:
    for path in (f"/v1/programmes/{uuid4()}", "/v1/programmes/nonsense", "/v1/nonsense"):
        answer = await api.ask("GET", path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_scheduling_may_ask_the_one_question_and_read_no_table_of_visits(api: Api) -> None:
    for table in ("client", "api_key", "visit", "migration"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await api.rows(f"SELECT * FROM visits.{table}")  # noqa: S608 -- a literal
    prefix = api.keys["officer"].split("_")[1]
    assert await api.rows("SELECT * FROM visits.client_of_key($1, $2)", prefix, bytes(32)) == []
    allowed = await api.rows(
        "SELECT rolname FROM pg_roles WHERE rolname LIKE 'wafd_%' AND rolname <> 'wafd_scheduling'"
        " AND has_function_privilege(rolname, 'visits.client_of_key(text, bytea)', 'EXECUTE')"
    )
    assert allowed == []


async def test_a_temporary_table_of_the_asker_does_not_stand_in_for_the_keys(api: Api) -> None:
    prefix = "a" * 12
    async with api.transactions() as tx:
        await tx.connection.execute(
            "CREATE TEMPORARY TABLE api_key"
            " (prefix text, client_id uuid, digest bytea, revoked_at timestamptz)"
        )
        await tx.connection.execute("CREATE TEMPORARY TABLE client (id uuid, role text)")
        await tx.connection.execute("SET search_path TO pg_temp, visits")
        await tx.connection.execute(
            "WITH one AS (INSERT INTO client VALUES (gen_random_uuid(), 'approver') RETURNING id)"
            " INSERT INTO api_key SELECT $1, id, $2, NULL FROM one",
            prefix,
            bytes(32),
        )
        assert (
            await tx.connection.fetch("SELECT * FROM visits.client_of_key($1, $2)", prefix, bytes(32)) == []
        )


async def test_a_database_of_before_the_function_is_brought_up_to_date(database: Database) -> None:
    """As of an older version: the function and its rights are missing, everything else is there."""
    admin = await asyncpg.connect(database.admin)
    await admin.execute(
        "DROP FUNCTION visits.client_of_key; REVOKE USAGE ON SCHEMA visits FROM wafd_scheduling"
    )
    await admin.execute("DELETE FROM visits.migration WHERE name = 'visits/0004_recognised_elsewhere.sql'")
    for service in ("visits", "scheduling"):
        await migrate(admin, service, SecretStr(PASSWORD))
    await admin.close()
    asking = await asyncpg.connect(database.dsn("scheduling"))
    assert await asking.fetch("SELECT * FROM visits.client_of_key('x', '')") == []
    await asking.close()
