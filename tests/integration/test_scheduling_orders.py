"""Officers' orders on held programmes, by HTTP and by `wafd schedule`, against real PostgreSQL."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI

from schemas.visits import RequestApproved, VisitConfirmed
from services.scheduling.app import publish_catalogue
from services.scheduling.orders_http import order_routes
from services.scheduling.planning import Office
from services.visits.clients import Role, add_client
from tests.conftest import Database, OpenTransactions
from tests.integration.planning_desk import Desk, InThisProcess, fire, propose
from tests.integration.test_commands import wafd
from tests.unit.scheduling.factories import CENTRE, NOW

JANUARY = {"starts": "2027-01-01T00:00:00+03:00", "ends": "2027-02-01T00:00:00+03:00", "reason": "Flu"}


@dataclass
class Orders:
    """The service's desk and its HTTP interface for officers, with a key for each role."""

    desk: Desk
    app: FastAPI
    keys: dict[str, str]

    async def ask(self, method: str, path: str, content: Any = None, who: str = "officer") -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.keys[who]}"} if who else {}
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://wafd.example") as client:
            return await client.request(method, f"/v1{path}", json=content, headers=headers)


def _future() -> datetime:
    """Commands set timers by the real clock, which may be ahead of that of the tests or behind it."""
    return max(NOW, datetime.now(UTC))


@pytest.fixture
async def orders(transactions: OpenTransactions) -> Orders:
    opened = replace(await transactions("scheduling"), now=lambda: NOW)
    solver = InThisProcess()
    office = Office(CENTRE, solver, seconds=20, answer_days=7)
    app, keys = FastAPI(), {}
    order_routes(app, opened, office, 65_536)
    async with (await transactions("visits"))() as tx:
        for role in Role:
            made = await add_client(tx.connection, id=uuid4(), name=role, country="QA", role=role, now=tx.now)
            keys[role.value] = made.api_key
    async with opened() as tx:
        await publish_catalogue(tx, CENTRE)
    return Orders(Desk(opened, solver, office), app, keys)


@pytest.fixture
async def visit(orders: Orders) -> UUID:
    """A visit with a firm programme, release 2."""
    made = uuid4()
    await propose(orders.desk, made)
    await orders.desk.hear(VisitConfirmed, made, release=1)
    return made


async def host_of(orders: Orders, visit: UUID) -> str:
    return (await orders.desk.kept(visit)).slots[0].assignments[0].person


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/blocks"),
        ("GET", "/blocks"),
        ("DELETE", f"/blocks/{UUID(int=0)}"),
        ("POST", f"/programmes/{UUID(int=0)}/pins"),
        ("DELETE", f"/programmes/{UUID(int=0)}/pins/welcome?release=1"),
        ("POST", f"/programmes/{UUID(int=0)}/moves"),
        ("POST", f"/programmes/{UUID(int=0)}/replan"),
        ("GET", f"/programmes/{UUID(int=0)}/releases"),
        ("GET", "/waitlist"),
    ],
)
async def test_nobody_but_an_officer_may_order_or_look(orders: Orders, method: str, path: str) -> None:
    body: dict[str, Any] | None = {} if method == "POST" else None
    assert (await orders.ask(method, path, body, "")).status_code == 401
    assert (await orders.ask(method, path, body, "ministry")).status_code == 403
    assert (await orders.ask(method, path, body, "approver")).status_code not in {401, 403, 500}


async def test_a_block_is_added_listed_and_lifted(orders: Orders, visit: UUID) -> None:
    resource = f"person:{await host_of(orders, visit)}"
    added = await orders.ask("POST", "/blocks", JANUARY | {"resource": resource})
    assert added.status_code == 201, added.text
    assert added.json()["hits"] == ["V-2026-000017"]
    listed = (await orders.ask("GET", "/blocks")).json()["blocks"]
    assert [(one["id"], one["resource"], one["reason"]) for one in listed] == [
        (added.json()["id"], resource, "Flu")
    ]
    await fire(orders.desk)
    assert await orders.desk.state(visit) == "proposed"
    assert (await orders.ask("DELETE", f"/blocks/{listed[0]['id']}")).status_code == 204
    assert (await orders.ask("DELETE", f"/blocks/{listed[0]['id']}")).status_code == 404
    assert (await orders.ask("GET", "/blocks")).json() == {"blocks": []}


async def test_wrong_fields_of_an_order_are_named(orders: Orders) -> None:
    refused = await orders.ask("POST", "/blocks", JANUARY | {"resource": "centre", "starts": "soon", "x": 1})
    assert refused.status_code == 422
    assert {error["pointer"] for error in refused.json()["errors"]} == {"/starts", "/x"}
    unknown = await orders.ask("POST", "/blocks", JANUARY | {"resource": "person:nobody"})
    assert (unknown.status_code, unknown.json()["type"]) == (404, "urn:wafd:problem:not-found")
    backwards = JANUARY | {"resource": "centre", "ends": JANUARY["starts"]}
    assert (await orders.ask("POST", "/blocks", backwards)).status_code == 422


@pytest.mark.parametrize(
    "span",
    [
        {"starts": "0001-01-01T00:00:00Z"},
        {"ends": "9999-12-31T23:59:59.999999Z"},
        {"ends": "9999-12-31T23:59:59-14:00"},
        {"starts": "0001-01-01T00:00:00+14:00"},
    ],
    ids=str,
)
async def test_a_block_is_in_our_time(orders: Orders, span: dict[str, str]) -> None:
    refused = await orders.ask("POST", "/blocks", JANUARY | {"resource": "venue:hall"} | span)
    assert refused.status_code == 422
    assert "between 2000 and 2099" in refused.text


async def test_a_slot_is_pinned_moved_and_unpinned(orders: Orders, visit: UUID) -> None:
    at = f"/programmes/{visit}"
    pinned = await orders.ask("POST", f"{at}/pins", {"release": 2, "keys": ["closing"]})
    assert pinned.json() == {"pinned": ["closing"]}
    moved = await orders.ask("POST", f"{at}/moves", {"release": 2, "key": "welcome", "venue": "hall"})
    assert moved.status_code == 200, moved.text
    assert (moved.json()["release"], moved.json()["state"]) == (3, "proposed")
    assert moved.json()["slots"][0]["place"]["code"] == "hall"
    left = await orders.ask("DELETE", f"{at}/pins/closing?release=3")
    assert left.json() == {"pinned": ["welcome"]}


async def test_an_order_on_a_release_that_is_no_more_is_a_conflict(orders: Orders, visit: UUID) -> None:
    for path, body in (("pins", {"keys": ["welcome"]}), ("moves", {"key": "welcome", "venue": "hall"})):
        refused = await orders.ask("POST", f"/programmes/{visit}/{path}", body | {"release": 1})
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:wafd:problem:stale")


async def test_an_impossible_move_is_a_conflict_with_the_reasons(orders: Orders, visit: UUID) -> None:
    body = {"release": 2, "key": "welcome", "starts": "2027-01-03T22:00:00+03:00"}
    refused = await orders.ask("POST", f"/programmes/{visit}/moves", body)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:wafd:problem:impossible")
    assert all(error["detail"] for error in refused.json()["errors"])
    assert (await orders.desk.kept(visit)).release == 2


async def test_releases_are_shown_with_what_they_changed(orders: Orders, visit: UUID) -> None:
    await orders.ask("POST", f"/programmes/{visit}/moves", {"release": 2, "key": "welcome", "venue": "hall"})
    shown = (await orders.ask("GET", f"/programmes/{visit}/releases")).json()
    assert [one["kind"] for one in shown["releases"]] == ["proposed", "firm", "revised"]
    assert shown["releases"][1]["changed"] == []
    assert "welcome" in shown["releases"][2]["changed"]
    assert shown["releases"][2]["cause"] == "welcome was moved by an officer"


async def test_who_waits_is_listed_and_can_be_planned_out_of_turn(orders: Orders) -> None:
    waiting = uuid4()
    await orders.ask("POST", "/blocks", JANUARY | {"resource": "centre"})
    await orders.desk.hear(RequestApproved, waiting, urgency="urgent")
    await fire(orders.desk)
    listed = (await orders.ask("GET", "/waitlist")).json()["waiting"]
    assert [(one["visit"], one["urgency"], one["last_day"]) for one in listed] == [
        (str(waiting), "urgent", "2027-01-07")
    ]
    asked = await orders.ask("POST", f"/programmes/{waiting}/replan", {"reason": "The minister asks"})
    assert asked.status_code == 202
    assert await orders.desk.timers() == {str(waiting)}
    assert (await orders.ask("POST", f"/programmes/{uuid4()}/replan", {"reason": "?"})).status_code == 404


async def test_commands_block_list_and_unblock(orders: Orders, visit: UUID, database: Database) -> None:
    resource = f"person:{await host_of(orders, visit)}"
    block = (
        "schedule",
        "block",
        resource,
        "--from",
        "2027-01-03",
        "--until",
        "2027-01-04",
        "--reason",
        "Flu",
    )
    code, out, err = await wafd(database, *block, "--json")
    assert code == 0, err
    added = json.loads(out)
    assert added["hits"] == ["V-2026-000017"]
    assert (added["starts"], added["ends"]) == ("2027-01-02T21:00:00Z", "2027-01-04T21:00:00Z")
    code, out, _ = await wafd(database, "schedule", "blocks")
    assert code == 0
    assert resource in out
    await fire(replace(orders.desk, transactions=replace(orders.desk.transactions, now=_future)))
    assert (await orders.desk.kept(visit)).release == 3
    code, out, _ = await wafd(database, "schedule", "unblock", added["id"])
    assert (code, out) == (0, f"{resource} is in use again\n")


async def test_commands_pin_move_and_show_releases(orders: Orders, visit: UUID, database: Database) -> None:
    code, out, err = await wafd(
        database, "schedule", "pin", "V-2026-000017", "closing", "--release", "2", "--json"
    )
    assert (code, json.loads(out)) == (0, {"pinned": ["closing"]}), err
    code, out, err = await wafd(
        database, "schedule", "move", str(visit), "welcome", "--release", "2", "--venue", "hall"
    )
    assert code == 0, err
    assert f"{visit}: release 3, changed welcome" in out
    code, out, _ = await wafd(database, "schedule", "unpin", str(visit), "closing", "--release", "3")
    assert (code, out) == (0, f"{visit}: pinned are welcome\n")
    code, out, _ = await wafd(database, "schedule", "releases", "V-2026-000017", "--json")
    assert [json.loads(line)["kind"] for line in out.splitlines()] == ["proposed", "firm", "revised"]
    code, out, _ = await wafd(database, "schedule", "replan", "V-2026-000017", "--reason", "to be sure")
    assert code == 0
    assert "is going to be planned" in out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("pin", "V-2026-000017", "welcome", "--release", "1"), 1, "is release 2, not 1"),
        (("pin", "V-2026-000017", "tea", "--release", "2"), 2, "no slot tea"),
        (("pin", "V-2020-000001", "tea", "--release", "2"), 2, "knows no visit V-2020-000001"),
        (("move", "V-2026-000017", "welcome", "--release", "2"), 2, "say what shall change"),
        (
            ("move", "V-2026-000017", "welcome", "--release", "2", "--start", "2027-01-03T22:00"),
            1,
            "no programme is possible",
        ),
        (("move", "V-2026-000017", "welcome", "--release", "2", "--start", "soon"), 2, "'soon' is no time"),
        (
            ("move", "V-2026-000017", "welcome", "--release", "2", "--start", "9999-12-31T23:59:59-14:00"),
            2,
            "is no time of our days",
        ),
        (
            ("block", "venue:hall", "--from", "2027-01-03", "--until", "9999-12-31", "--reason", "x"),
            2,
            "is no time of our days",
        ),
        (
            ("block", "venue:hall", "--from", "0001-01-01", "--until", "2027-01-03", "--reason", "x"),
            2,
            "is no time of our days",
        ),
        (("unblock", str(UUID(int=0))), 2, "there is no block"),
        (("block", "car:1", "--from", "2027-01-03", "--until", "2027-01-03", "--reason", "x"), 2, "car:1"),
    ],
)
async def test_wrong_use_of_a_command_is_one_sentence(
    orders: Orders, visit: UUID, database: Database, arguments: tuple[str, ...], code: int, says: str
) -> None:
    ended, out, err = await wafd(database, "schedule", *arguments)
    assert (ended, out) == (code, "")
    assert says in err
    assert err.startswith("wafd: ")
    assert err.count("\n") == 1


async def test_an_empty_waiting_list_is_said_to_be_empty(orders: Orders, database: Database) -> None:
    assert await wafd(database, "schedule", "waitlist") == (0, "nobody waits\n", "")
    assert await wafd(database, "schedule", "waitlist", "--json") == (0, "", "")
