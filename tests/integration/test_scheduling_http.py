"""The HTTP interface of scheduling against real PostgreSQL: who is let in, and what is shown."""

import asyncio
import json
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
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
from services.scheduling.explain import offers
from services.scheduling.handlers import want_programme
from services.scheduling.http import routes
from services.scheduling.planning import Office
from services.scheduling.problem import Infeasible, Problem, Solution
from services.scheduling.what_if import NOT_LOOKED_AT, Busy, Previews, WhatIf, read_what_if
from services.visits.clients import Role, add_client, revoke
from services.visits.request import VisitRequest
from tests.conftest import PASSWORD, Database, OpenTransactions
from tests.integration.planning_desk import InThisProcess, told
from tests.unit.scheduling.factories import CENTRE, NOW, needs, problem
from tests.unit.visits import make


class Offers:
    """Finds programmes in this process."""

    async def offer(self, problem: Problem) -> tuple[Solution, ...] | Infeasible:
        return offers(problem)


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
    routes(app, opened, centre=CENTRE, previews=Previews(Offers()), seconds=20, body_limit=65_536)
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


WHAT_IF: dict[str, Any] = {
    "kind": "study",
    "themes": ["national-referral-mechanism", "victim-identification"],
    "sites": ["shelter"],
    "windows": [{"first": "2027-01-03", "last": "2027-01-07"}],
    "days": 2,
    "size": 6,
    "members": [{"role": "head", "rank": "director"}],
    "languages": ["ar"],
    "confidentiality_signed": True,
}
URL = "/v1/programme-previews"


async def everything_kept(api: Api) -> list[asyncpg.Record]:
    return [
        *await api.rows("SELECT * FROM booking ORDER BY visit_id, slot_key, resource"),
        *await api.rows("SELECT * FROM visit ORDER BY id"),
        *await api.rows("SELECT * FROM outbox"),
        *await api.rows("SELECT * FROM timer"),
    ]


async def test_a_preview_offers_programmes_and_keeps_nothing(api: Api) -> None:
    visit = await api.held_programme()
    before = await everything_kept(api)
    answer = await api.ask("POST", URL, content=WHAT_IF)
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert 1 <= len(shown["programmes"]) <= 3
    assert len({tuple(one["days"]) for one in shown["programmes"]}) == len(shown["programmes"])
    for one in shown["programmes"]:
        named = {part["person"] for part in one["persons"]}
        assert named == {part["person"] for slot in one["slots"] for part in slot["assignments"]}
    assert "@" not in answer.text
    assert await everything_kept(api) == before
    assert visit


async def test_a_preview_respects_what_is_booked(api: Api) -> None:
    await api.held_programme()
    booked = {(row["resource"], row["during"].lower) for row in await api.rows("SELECT * FROM booking")}
    shown = (await api.ask("POST", URL, content=WHAT_IF)).json()
    slots = [slot for one in shown["programmes"] for slot in one["slots"]]
    assert slots
    for slot in slots:
        starts = datetime.fromisoformat(slot["starts"])
        assert (f"venue:{slot['place']['code']}", starts) not in booked
        assert not {(f"person:{one['person']}", starts) for one in slot["assignments"]} & booked


async def test_without_a_programme_a_preview_says_why_and_what_would_be_possible(api: Api) -> None:
    answer = await api.ask("POST", URL, content=WHAT_IF | {"confidentiality_signed": False})
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert shown["programmes"] == []
    assert any("confidentiality" in reason["en"] for reason in shown["reasons"])
    assert shown["alternatives"]


async def test_a_whole_request_may_be_sent_and_only_planning_is_looked_at(api: Api) -> None:
    whole = make.body(today=NOW.date())
    answer = await api.ask("POST", URL, content=whole)
    assert answer.status_code == 200, answer.text
    assert "passport" not in answer.text


def test_the_fields_not_looked_at_are_the_rest_of_a_visit_request() -> None:
    assert set(VisitRequest.model_fields) - set(WhatIf.model_fields) == NOT_LOOKED_AT


WRONG: list[tuple[Any, set[str]]] = [
    ({}, {"/kind", "/windows", "/days", "/size", "/members", "/languages"}),
    ([], {""}),
    ("text", {""}),
    (None, {""}),
    (WHAT_IF | {"nonsense": 1}, {"/nonsense"}),
    (WHAT_IF | {"a/b~c": 1}, {"/a~1b~0c"}),
    (WHAT_IF | {"days": "2"}, {"/days"}),
    (WHAT_IF | {"days": 11, "size": 0}, {"/days", "/size"}),
    (WHAT_IF | {"members": [{"role": "member", "rank": "director"}]}, {"/members"}),
    (WHAT_IF | {"members": [{"role": "head", "rank": "director"}] * 2}, {"/members"}),
    (WHAT_IF | {"members": [{"role": "head", "rank": "king"}]}, {"/members/0/rank"}),
    (WHAT_IF | {"themes": ["a", "a"]}, {"/themes/1"}),
    (WHAT_IF | {"logistics": {"arrival": {"at": "9999-12-31T23:59:59Z"}}}, {"/logistics/arrival/at"}),
    (WHAT_IF | {"themes": ["x"] * 401}, {"/themes"}),
    (WHAT_IF | {"windows": [{"first": "2026-01-03", "last": "2026-01-07"}]}, {"/windows/0"}),
    (WHAT_IF | {"windows": [{"first": "2027-01-03", "last": "9999-12-31"}]}, {"/windows/0"}),
    (WHAT_IF | {"windows": [{"first": "2027-01-09", "last": "2027-01-07"}]}, {"/windows/0"}),
    (WHAT_IF | {"logistics": {"arrival": {"at": "2027-01-03T08:00:00"}}}, {"/logistics/arrival/at"}),
    (WHAT_IF | {"country": "Qatar"}, {"/country"}),
]


@pytest.mark.parametrize(("content", "pointers"), WRONG)
async def test_each_wrong_field_is_named_by_its_pointer(api: Api, content: Any, pointers: set[str]) -> None:
    answer = await api.ask("POST", URL, content=json.dumps(content).encode())
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert {error["pointer"] for error in answer.json()["errors"]} == pointers


HOSTILE = [
    b"",
    b"{",
    b"\xff\xfe",
    b'{"kind": "\\ud800"}',
    b"[" * 60_000,
    b'{"size": ' + b"9" * 60_000 + b"}",
    json.dumps(WHAT_IF | {"remarks": "x" * 60_000}).encode(),
    json.dumps(WHAT_IF | {"windows": [{"first": "0001-01-01", "last": "2027-01-07"}]}).encode(),
    json.dumps(WHAT_IF | {"themes": ["' OR 1=1 --"], "sites": ["../../etc"]}).encode(),
    json.dumps(WHAT_IF | {"arrives": "1e999", "languages": ["<b>"]}).encode(),
]


@pytest.mark.parametrize("raw", HOSTILE)
async def test_hostile_bodies_are_answered_soon_and_never_with_a_failure(api: Api, raw: bytes) -> None:
    began = time.monotonic()
    answer = await api.ask("POST", URL, content=raw)
    assert answer.status_code in {200, 400, 422}, answer.text
    assert time.monotonic() - began < 30


async def test_what_is_too_large_or_no_json_is_not_read(api: Api) -> None:
    assert (await api.ask("POST", URL, content=b" " * 65_537)).status_code == 413
    answer = await api.ask("POST", URL, content=b"{}", **{"Content-Type": "text/plain"})
    assert answer.status_code == 415


async def test_a_ministry_has_no_previews(api: Api) -> None:
    assert (await api.ask("POST", URL, "ministry", content=WHAT_IF)).status_code == 403
    assert (await api.ask("POST", URL, "", content=WHAT_IF)).status_code == 401


async def test_no_more_previews_wait_than_are_allowed() -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    class Slow:
        async def offer(self, _: Problem) -> tuple[Solution, ...] | Infeasible:
            started.set()
            await go_on.wait()
            return ()

    previews = Previews(Slow(), most=2)
    waiting = [asyncio.create_task(previews.offer(problem())) for _ in range(2)]
    await started.wait()
    with pytest.raises(Busy):
        await previews.offer(problem())
    go_on.set()
    assert await asyncio.gather(*waiting) == [(), ()]
    assert await previews.offer(problem()) == ()


@pytest.mark.parametrize(
    ("format", "media_type", "begins"),
    [
        ("html", "text/html; charset=utf-8", b"<!doctype html>"),
        ("svg", "image/svg+xml", b"<svg "),
        ("png", "image/png", b"\x89PNG"),
    ],
)
async def test_the_timetable_comes_in_every_format(
    api: Api, format: str, media_type: str, begins: bytes
) -> None:
    visit = await api.held_programme()
    for language in ("ar", "en"):
        path = f"/v1/programmes/{visit}/timetable?language={language}&format={format}"
        drawn = await api.ask("GET", path)
        assert (drawn.status_code, drawn.headers["content-type"]) == (200, media_type), drawn.text
        assert drawn.content.startswith(begins)
        assert "default-src 'none'" in drawn.headers["content-security-policy"]
        assert b"@" not in drawn.content.replace(b"@page", b"").replace(b"@media", b"") or format == "png"


async def test_wrong_formats_and_languages_are_named(api: Api) -> None:
    visit = await api.held_programme()
    answer = await api.ask("GET", f"/v1/programmes/{visit}/timetable?language=fr&format=gif")
    assert answer.status_code == 422
    assert {error["parameter"] for error in answer.json()["errors"]} == {"language", "format"}
    assert (await api.ask("GET", f"/v1/programmes/{visit}/timetable", "ministry")).status_code == 403


async def test_the_document_describes_the_body_and_its_example_is_taken(api: Api) -> None:
    document = (await api.ask("GET", "/openapi.json", "")).json()
    taken = document["paths"][URL]["post"]["requestBody"]["content"]["application/json"]
    assert taken["schema"]["$ref"].removeprefix("#/components/schemas/") in document["components"]["schemas"]
    soon = replace(api.transactions, now=lambda: datetime.now(UTC)).now()
    assert read_what_if(json.dumps(taken["examples"]["typical"]["value"]).encode(), soon.date())


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
