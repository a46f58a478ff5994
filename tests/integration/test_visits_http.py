"""The HTTP interface of visits against real PostgreSQL."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from runtime.timers import Timers
from runtime.transaction import Transactions
from services.visits import handlers, store
from services.visits.clients import Role, add_client, revoke
from services.visits.commands import RecordProposal
from services.visits.http import routes
from services.visits.orders import SYSTEM, carry_out
from services.visits.request import VisitRequest
from tests.unit.visits import make

URL = "/v1/visit-requests"
TODAY = datetime.now(UTC).date()


@dataclass
class Api:
    """The application with a client for each role."""

    transactions: Transactions
    app: FastAPI
    keys: dict[str, str]

    def as_(self, who: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {self.keys[who]}"} if who in self.keys else {}
        return httpx.AsyncClient(transport=transport, base_url="http://wafd.example", headers=headers)

    async def post(self, path: str, content: object, who: str = "qatar", **headers: str) -> httpx.Response:
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        async with self.as_(who) as client:
            return await client.post(
                path, content=raw, headers={"Content-Type": "application/json"} | _real(headers)
            )

    async def patch(self, path: str, content: object, who: str = "qatar", **headers: str) -> httpx.Response:
        async with self.as_(who) as client:
            return await client.patch(
                path,
                content=json.dumps(content).encode(),
                headers={"Content-Type": "application/merge-patch+json"} | _real(headers),
            )

    async def get(self, path: str, who: str = "qatar") -> httpx.Response:
        async with self.as_(who) as client:
            return await client.get(path)

    async def count(self, table: str) -> int:
        async with self.transactions() as tx:
            found: int = await tx.connection.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608 -- a literal
            return found

    async def events(self) -> list[dict[str, object]]:
        async with self.transactions() as tx:
            rows = await tx.connection.fetch("SELECT payload FROM outbox ORDER BY seq")
        return [json.loads(row["payload"]) for row in rows]


def _real(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def body(**changes: Any) -> dict[str, Any]:
    return make.body(**{"today": TODAY, **changes})


@pytest.fixture
async def bare_api(transactions) -> Api:
    """The application before any catalogue has arrived."""
    opened = await transactions("visits")
    app = FastAPI()
    routes(app, opened, body_limit=1_048_576, consultation_days=5)
    keys = {}
    async with opened() as tx:
        for who, role in (
            ("qatar", Role.MINISTRY),
            ("jordan", Role.MINISTRY),
            ("officer", Role.OFFICER),
            ("approver", Role.APPROVER),
        ):
            made = await add_client(tx.connection, id=uuid4(), name=who, country="QA", role=role, now=tx.now)
            keys[who] = made.api_key
    return Api(opened, app, keys)


@pytest.fixture
async def api(bare_api: Api) -> Api:
    async with bare_api.transactions() as tx:
        await store.keep_catalogue(tx.connection, make.catalogue())
    return bare_api


async def submitted(api: Api, **changes: object) -> str:
    response = await api.post(URL, body(**changes))
    assert response.status_code == 202, response.text
    return response.headers["location"]


async def test_a_submitted_request_is_stored_with_its_event(api):
    response = await api.post(URL, body())
    assert response.status_code == 202
    answer = response.json()
    assert answer["state"] == "submitted"
    assert answer["revision"] == 1
    assert answer["reference"].startswith("V-2")
    assert response.headers["location"] == f"{URL}/{answer['id']}" == answer["links"]["self"]
    (event,) = await api.events()
    assert event["type"] == "visits.request.submitted.v1"
    assert event["subject"] == answer["id"]
    shown = await api.get(response.headers["location"])
    assert shown.json()["request"] == body()


async def test_identity_documents_and_health_stay_out_of_events_and_of_the_open_table(api):
    member = make.member(
        0,
        passport={"type": "diplomatic", "number": "SECRET77", "issued_by": "QA", "expires": "2045-01-01"},
        medical="secret illness",
        date_of_birth="1970-02-03",
        consent=True,
    )
    at = await submitted(api, size=1, members=[member])
    assert "SECRET77" in (await api.get(at)).text
    (event,) = await api.events()
    async with api.transactions() as tx:
        row = await tx.connection.fetchrow("SELECT visit::text FROM visit")
    for text in (json.dumps(event), row["visit"]):
        assert "SECRET77" not in text
        assert "secret illness" not in text
        assert "1970-02-03" not in text
    assert "Member 0" not in row["visit"]


async def test_every_wrong_field_is_named_and_no_value_repeated(api):
    wrong = body(size=3, themes=["unknown-theme"], surprise=1)
    wrong["focal_point"] = {"name": {"latin": "Private Person", "arabic": "ش"}, "email": "private-at-nowhere"}
    response = await api.post(URL, wrong | {"days": "two"})
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == 422
    assert {each["pointer"] for each in problem["errors"]} == {
        "/focal_point/email",
        "/surprise",
        "/days",
        "/themes/0",
    }
    assert "private" not in response.text.lower()


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"{", 400),
        (b"", 400),
        (b'{"subject": "\xff"}', 400),
        (b"[" * 100_000, 400),
        (b"[]", 422),
        (b"null", 422),
        (json.dumps(make.body(subject="zero \0 byte")).encode(), 422),
        (json.dumps(make.body(note_verbale={"number": "\0", "date": "2026-01-01"})).encode(), 422),
    ],
    ids=["cut off", "empty", "not UTF-8", "deep", "array", "null", "NUL", "NUL inside"],
)
async def test_a_body_that_is_no_request_is_refused(api, raw, status):
    response = await api.post(URL, raw)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert await api.count("visit") == 0


async def test_another_media_type_is_refused(api):
    for wrong in ("text/plain", "application/xml", "application/json; charset=latin-1", ""):
        response = await api.post(URL, body(), Content_Type=wrong)
        assert response.status_code == 415, wrong
    assert (await api.post(URL, body(), Content_Type="application/json; charset=UTF-8")).status_code == 202


async def test_a_body_above_the_limit_is_refused_with_and_without_its_length(api):
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b" " * 500_000

    headers = {"Content-Type": "application/json"}
    async with api.as_("qatar") as client:
        for content in (b" " * 1_048_577, chunks()):
            response = await client.post(URL, content=content, headers=headers)
            assert response.status_code == 413
            assert response.json()["type"] == "urn:wafd:problem:too-large"


@pytest.mark.parametrize("key", ["", "wafd_", "wafd_aaaaaaaaaaaa_" + "a" * 43, "wafd_ab\u0661_x", "x" * 5000])
async def test_a_wrong_key_is_refused(api, key):
    async with api.as_("nobody") as client:
        response = await client.get(URL, headers={"Authorization": f"Bearer {key}".encode()})
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")


async def test_a_request_without_a_key_is_refused(api):
    for response in (await api.get(URL, "nobody"), await api.post(URL, body(), "nobody")):
        assert response.status_code == 401
        assert response.json()["type"] == "urn:wafd:problem:unauthorized"


async def test_a_secret_does_not_open_with_another_prefix(api):
    _, prefix, _ = api.keys["jordan"].split("_", 2)
    _, _, secret = api.keys["qatar"].split("_", 2)
    api.keys["forged"] = f"wafd_{prefix}_{secret}"
    assert (await api.get(URL, "forged")).status_code == 401


async def test_a_revoked_key_is_refused(api):
    async with api.transactions() as tx:
        assert await revoke(tx.connection, api.keys["qatar"].split("_")[1], tx.now)
        assert not await revoke(tx.connection, api.keys["qatar"].split("_")[1], tx.now)
    assert (await api.get(URL)).status_code == 401


async def test_a_ministry_cannot_tell_another_ones_visit_from_none(api):
    at = await submitted(api)
    missing = f"{URL}/{uuid4()}"
    for path in ("", "/programme", "/history"):
        there, nowhere = await api.get(at + path, "jordan"), await api.get(missing + path, "jordan")
        assert there.status_code == nowhere.status_code == 404
        assert there.json() == nowhere.json()
    assert (await api.patch(at, {"days": 1}, "jordan")).status_code == 404
    assert (await api.post(f"{at}/withdrawal", {"reason": "Not mine."}, "jordan")).status_code == 404
    assert (await api.post(f"{at}/programme/acceptance", {"release": 1}, "jordan")).status_code == 404
    assert (await api.post(f"{at}/report", {"summary": "Not mine."}, "jordan")).status_code == 404
    assert (await api.get(URL, "jordan")).json()["items"] == []
    assert (await api.get(at, "officer")).status_code == 200


async def test_an_id_that_is_none_is_not_found(api):
    assert (await api.get(f"{URL}/17")).status_code == 404


async def test_roles_are_kept_apart(api):
    at = await submitted(api)
    assert (await api.post(f"{at}/decision", {"decision": "approve"})).status_code == 403
    assert (await api.post(f"{at}/cancellation", {"reason": "No."})).status_code == 403
    assert (await api.post(URL, body(), "officer")).status_code == 403
    assert (await api.patch(at, {"days": 1}, "officer")).status_code == 403
    assert (await api.post(f"{at}/withdrawal", {"reason": "No."}, "officer")).status_code == 403
    assert (await api.post(f"{at}/decision", {"decision": "approve"}, "approver")).status_code == 200


async def test_unknown_paths_and_methods_are_answered_with_problems(api):
    async with api.as_("qatar") as client:
        missing, wrong = await client.get("/v1/nothing"), await client.delete(URL)
    assert (missing.status_code, wrong.status_code) == (404, 405)
    assert {"GET", "POST"} & set(wrong.headers["allow"].split(", "))
    for response in (missing, wrong):
        assert response.headers["content-type"] == "application/problem+json"


async def test_the_same_key_and_body_have_one_effect_and_the_same_answer(api):
    first = await api.post(URL, body(), Idempotency_Key="k-1")
    again = await api.post(URL, body(), Idempotency_Key="k-1")
    assert first.status_code == again.status_code == 202
    assert first.content == again.content
    for name in ("location", "etag", "content-type"):
        assert first.headers[name] == again.headers[name]
    assert await api.count("visit") == len(await api.events()) == 1


async def test_the_same_key_with_another_body_or_path_is_refused(api):
    at = (await api.post(URL, body(), Idempotency_Key="k-1")).headers["location"]
    other = await api.post(URL, body(sender_reference="another"), Idempotency_Key="k-1")
    elsewhere = await api.post(f"{at}/withdrawal", {"reason": "Ill."}, Idempotency_Key="k-1")
    assert other.status_code == elsewhere.status_code == 422
    assert other.json()["type"] == "urn:wafd:problem:idempotency-key-reused"
    assert await api.count("visit") == 1


async def test_a_key_belongs_to_its_client(api):
    assert (await api.post(URL, body(), "qatar", Idempotency_Key="k-1")).status_code == 202
    assert (await api.post(URL, body(), "jordan", Idempotency_Key="k-1")).status_code == 202
    assert await api.count("visit") == 2


async def test_simultaneous_repetitions_have_one_effect(api):
    responses = await asyncio.gather(*(api.post(URL, body(), Idempotency_Key="k-1") for _ in range(12)))
    assert {response.status_code for response in responses} == {202}
    assert len({response.content for response in responses}) == 1
    assert await api.count("visit") == len(await api.events()) == 1


async def test_simultaneous_submissions_without_a_key_have_one_effect(api):
    responses = await asyncio.gather(*(api.post(URL, body()) for _ in range(12)))
    assert sorted(response.status_code for response in responses) == [202] + [409] * 11
    assert len({response.headers["location"] for response in responses}) == 1
    assert await api.count("visit") == len(await api.events()) == 1


async def test_a_refused_request_leaves_its_key_free(api):
    assert (await api.post(URL, body(days=0), Idempotency_Key="k-1")).status_code == 422
    assert (await api.post(URL, body(), Idempotency_Key="k-1")).status_code == 202


@pytest.mark.parametrize("key", ["", " ", "k" * 256, "with space"])
async def test_a_key_that_is_none_is_refused(api, key):
    assert (await api.post(URL, body(), Idempotency_Key=key)).status_code == 400


async def test_a_command_is_repeated_under_its_key_though_the_state_has_moved(api):
    at = await submitted(api)
    first = await api.post(f"{at}/decision", {"decision": "approve"}, "officer", Idempotency_Key="a")
    again = await api.post(f"{at}/decision", {"decision": "approve"}, "officer", Idempotency_Key="a")
    without = await api.post(f"{at}/decision", {"decision": "approve"}, "officer")
    assert (first.status_code, again.status_code, without.status_code) == (200, 200, 409)
    assert first.content == again.content


async def test_the_same_sender_reference_leads_to_the_existing_visit(api):
    at = await submitted(api)
    again = await api.post(URL, body(subject="Another subject"))
    assert again.status_code == 409
    assert again.headers["location"] == at
    assert again.json()["type"] == "urn:wafd:problem:already-submitted"
    existing = (await api.get(at)).json()
    assert f"before: {existing['reference']}, id {existing['id']};" in again.json()["detail"]


async def test_a_refused_repetition_draws_no_number(api):
    numbers = []
    for name in ("R1", "R2"):
        at = await submitted(api, sender_reference=name)
        numbers.append(int((await api.get(at)).json()["reference"].rpartition("-")[2]))
        for response in await asyncio.gather(*(api.post(URL, body(sender_reference=name)) for _ in range(4))):
            assert response.status_code == 409
    assert numbers[1] == numbers[0] + 1


async def test_what_the_state_forbids_is_a_conflict_that_says_why(api):
    at = await submitted(api)
    assert (await api.post(f"{at}/withdrawal", {"reason": "The minister is ill."})).status_code == 200
    response = await api.post(f"{at}/decision", {"decision": "approve"}, "officer")
    assert response.status_code == 409
    assert response.json()["detail"] == "A visit that is withdrawn cannot be approved: its life is over."


async def test_an_amendment_of_what_was_approved_needs_approval_again(api):
    at = await submitted(api)
    await api.post(f"{at}/decision", {"decision": "approve"}, "officer")
    lighter = await api.patch(at, {"focal_point": {"email": "other@mofa.example"}})
    assert (lighter.json()["state"], lighter.json()["revision"]) == ("approved", 2)
    heavier = await api.patch(at, {"days": 1})
    assert (heavier.json()["state"], heavier.json()["revision"]) == ("submitted", 3)
    amended = [event["data"] for event in await api.events() if event["type"] == "visits.request.amended.v1"]
    assert [each["needs_approval"] for each in amended] == [False, True]
    assert [each["changed"] for each in amended] == [["/focal_point/email"], ["/days"]]


async def test_an_amendment_that_changes_nothing_has_no_effect(api):
    at = await submitted(api)
    response = await api.patch(at, {"days": 2, "remarks": None})
    assert response.json()["revision"] == 1
    assert len(await api.events()) == 1


async def asked(api: Api) -> str:
    """A visit about which information was requested."""
    at = await submitted(api)
    question = {"decision": "request_information", "question": "Who leads the delegation?"}
    assert (await api.post(f"{at}/decision", question, "officer")).status_code == 200
    return at


async def test_a_question_is_answered_by_a_message_alone_or_with_an_amendment(api):
    for number, patch in enumerate(({"message": "The director."}, {"message": "The director.", "days": 1})):
        at = await asked(api)
        answered = await api.patch(at, patch)
        assert answered.status_code == 200, answered.text
        assert (answered.json()["state"], answered.json()["revision"]) == ("submitted", 1 + number)
        amended = (await api.events())[-1]["data"]
        assert isinstance(amended, dict)
        assert amended["people"]["message"] == "The director."
        history = (await api.get(f"{at}/history", "officer")).json()["items"]
        assert (history[-1]["command"], history[-1]["reason"]) == ("Amend", "The director.")
        await api.post(f"{at}/withdrawal", {"reason": "Enough."})
        async with api.transactions() as tx:
            await tx.connection.execute("UPDATE visit SET sender_reference = id::text")


@pytest.mark.parametrize(
    ("patch", "says"),
    [
        ({}, "the patch is empty"),
        ({"remarks": None}, "nothing changes"),
        ({"message": " "}, "at least 1 character"),
        ({"message": None}, "valid string"),
        ({"message": 7}, "valid string"),
    ],
)
async def test_an_answer_that_says_nothing_is_refused(api, patch, says):
    at = await asked(api)
    refused = await api.patch(at, patch)
    assert refused.status_code == 422
    assert says in refused.json()["errors"][0]["detail"]
    assert (await api.get(at)).json()["state"] == "information_requested"


async def test_a_message_alone_is_refused_when_nothing_was_asked(api):
    refused = await api.patch(await submitted(api), {"message": "By the way …"})
    assert refused.status_code == 409
    assert "none is open" in refused.json()["detail"]


async def test_the_message_of_an_amendment_is_no_field_of_the_request():
    assert "message" not in VisitRequest.model_fields


async def test_a_programme_that_is_held_is_shown_as_held(api):
    at = await submitted(api)
    await api.post(f"{at}/decision", {"decision": "approve"}, "officer")
    planning = await api.get(f"{at}/programme")
    assert (planning.status_code, planning.json()["detail"]) == (
        404,
        "The programme is being planned: the visit is approved and has none yet.",
    )
    early = await api.post(f"{at}/programme/acceptance", {"release": 1})
    assert early.status_code == 409
    assert "is being planned" in early.json()["detail"]
    async with api.transactions() as tx:
        stored = await store.lock_visit(tx.connection, UUID(at.rpartition("/")[2]), None)
        assert stored is not None
        await carry_out(tx, RecordProposal(make.programme()), stored, SYSTEM)
    proposed = (await api.get(f"{at}/programme")).json()
    assert (proposed["state"], proposed["held"], proposed["release"]) == ("proposed", False, 1)
    assert (await api.get(at)).json()["release"] == 1

    assert (await api.patch(at, {"days": 1})).json()["state"] == "submitted"
    held = (await api.get(f"{at}/programme")).json()
    assert (held["state"], held["held"], held["slots"]) == ("submitted", True, proposed["slots"])
    assert "respond_by" not in held
    assert "release" not in (await api.get(at)).json()
    assert (await api.post(f"{at}/programme/acceptance", {"release": 1})).status_code == 409
    await api.post(f"{at}/decision", {"decision": "decline", "reason": "Closed."}, "officer")
    assert (await api.get(f"{at}/programme")).status_code == 404


async def test_an_amendment_is_checked_like_a_request(api):
    at = await submitted(api)
    response = await api.patch(at, {"themes": ["none-such"], "size": 5, "colour": "red"})
    assert response.status_code == 422
    assert {each["pointer"] for each in response.json()["errors"]} == {"/themes/0", "/size", "/colour"}
    assert (await api.patch(at, {"sender_reference": "new"})).status_code == 422
    assert (await api.patch(at, [1])).status_code == 422
    assert (await api.patch(at, {"subject": None})).status_code == 422


async def test_time_that_has_passed_does_not_stop_another_amendment(api):
    at = await submitted(api)
    async with api.transactions() as tx:
        past = [{"first": "2020-01-05", "last": "2020-01-15"}]
        await tx.connection.execute("UPDATE visit SET request = request || $1", {"windows": past})
    assert (await api.patch(at, {"remarks": "We come later."})).status_code == 200
    assert (
        await api.patch(at, {"windows": [{"first": "2020-02-05", "last": "2020-02-15"}]})
    ).status_code == 422


async def test_a_stale_etag_is_refused(api):
    at = await submitted(api)
    etag = (await api.get(at)).headers["etag"]
    assert (await api.patch(at, {"days": 1}, If_Match=etag)).status_code == 200
    assert (await api.patch(at, {"days": 2}, If_Match=etag)).status_code == 412
    stale = await api.post(f"{at}/decision", {"decision": "approve"}, "officer", If_Match=etag)
    assert stale.status_code == 412
    assert (await api.patch(at, {"days": 2}, If_Match="*")).status_code == 200


async def test_simultaneous_amendments_all_count(api):
    at = await submitted(api)
    texts = [f"Remark {number}" for number in range(8)]
    responses = await asyncio.gather(*(api.patch(at, {"remarks": text}) for text in texts))
    assert sorted(response.json()["revision"] for response in responses) == list(range(2, 10))
    assert [event["data"]["revision"] for event in await api.events()] == list(range(1, 10))


async def test_decisions_need_their_reason(api):
    at = await submitted(api)
    decline = await api.post(f"{at}/decision", {"decision": "decline"}, "officer")
    ask = await api.post(f"{at}/decision", {"decision": "request_information"}, "officer")
    assert [each.json()["errors"][0]["pointer"] for each in (decline, ask)] == ["/reason", "/question"]
    asked = {"decision": "request_information", "question": "Who leads the delegation?"}
    assert (await api.post(f"{at}/decision", asked, "officer")).json()["state"] == "information_requested"
    assert (await api.get(at)).json()["reason"] == "Who leads the delegation?"


async def test_pages_hold_every_visit_once(api):
    for number in range(5):
        await submitted(api, sender_reference=f"R{number}")
    seen, path, pages = [], f"{URL}?limit=2", 0
    while path:
        page = (await api.get(path)).json()
        seen += [item["sender_reference"] for item in page["items"]]
        path = page.get("next")
        pages += 1
    assert seen == ["R4", "R3", "R2", "R1", "R0"]
    assert pages == 3


async def test_the_list_is_filtered_by_state_and_holds_no_personal_data(api):
    first = await submitted(api, sender_reference="R1")
    await submitted(api, sender_reference="R2")
    await api.post(f"{first}/decision", {"decision": "approve"}, "officer")
    response = await api.get(f"{URL}?state=approved", "officer")
    assert [item["sender_reference"] for item in response.json()["items"]] == ["R1"]
    assert "Member 0" not in response.text
    assert "focal@" not in response.text


@pytest.mark.parametrize("query", ["state=gone", "limit=0", "limit=x", "cursor=abc"])
async def test_a_wrong_parameter_is_named(api, query):
    response = await api.get(f"{URL}?{query}")
    assert response.status_code == 422
    name = query.split("=")[0]
    (wrong,) = response.json()["errors"]
    assert response.json()["detail"] == "1 parameter is wrong."
    assert wrong["parameter"] == name
    assert wrong["detail"].startswith(f"the query parameter {name} is wrong: ")


async def test_the_history_tells_who_did_what_and_why(api):
    at = await submitted(api)
    await api.post(f"{at}/decision", {"decision": "approve"}, "officer")
    await api.post(f"{at}/cancellation", {"reason": "The Centre is closed."}, "approver")
    history = (await api.get(f"{at}/history")).json()["items"]
    assert [(each["by"], each["command"], each["to_state"]) for each in history] == [
        ("qatar", "Submit", "submitted"),
        ("officer", "Approve", "approved"),
        ("approver", "Cancel", "cancelled"),
    ]
    assert history[2]["reason"] == "The Centre is closed."


def consulted(**changes: Any) -> dict[str, Any]:
    return {
        "body": "Ministry of Interior",
        "contact_name": "Fatima Doseri",
        "email": "visits@interior.example",
        "language": "ar",
        "veto": False,
        "question": "May they tour the shelter?",
    } | changes


async def test_an_officer_consults_a_body_and_records_its_answer(api):
    at = await submitted(api)
    opened = await api.post(f"{at}/consultations", consulted(), "officer")
    assert opened.status_code == 201
    assert opened.headers["location"] == f"{at}/consultations/1"
    shown = opened.json()
    assert (shown["id"], shown["status"], shown["revision"], shown["earlier_revision"]) == (
        1,
        "open",
        1,
        False,
    )
    waits = datetime.fromisoformat(shown["respond_by"]) - datetime.fromisoformat(shown["opened_at"])
    assert waits == timedelta(days=5)
    assert {name: shown[name] for name in consulted()} == consulted()
    assert (await api.get(f"{at}/consultations/1", "officer")).json() == shown

    answer = {"answer": "object", "reason": "The shelter is closed."}
    recorded = await api.post(f"{at}/consultations/1/answer", answer, "approver")
    assert recorded.status_code == 200
    assert (recorded.json()["status"], recorded.json()["reason"]) == ("objected", "The shelter is closed.")
    assert recorded.headers["etag"] == (await api.get(at)).headers["etag"] != opened.headers["etag"]
    listed = (await api.get(f"{at}/consultations", "officer")).json()
    assert listed == {"items": [recorded.json()]}
    assert [event["type"] for event in await api.events()][1:] == [
        "visits.consultation.opened.v1",
        "visits.consultation.answered.v1",
    ]


async def test_a_consultation_may_have_its_own_time_to_answer(api):
    at = await submitted(api)
    shown = (await api.post(f"{at}/consultations", consulted(days=30), "officer")).json()
    waits = datetime.fromisoformat(shown["respond_by"]) - datetime.fromisoformat(shown["opened_at"])
    assert waits == timedelta(days=30)


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"days": 0}, "/days"),
        ({"days": 31}, "/days"),
        ({"body": "Two\nlines"}, "/body"),
        ({"email": "nowhere"}, "/email"),
        ({"language": "fr"}, "/language"),
        ({"veto": "yes"}, "/veto"),
        ({"surprise": 1}, "/surprise"),
    ],
)
async def test_a_wrong_consultation_is_refused_by_its_field(api, wrong, pointer):
    at = await submitted(api)
    response = await api.post(f"{at}/consultations", consulted(**wrong), "officer")
    assert response.status_code == 422
    assert [each["pointer"] for each in response.json()["errors"]] == [pointer]
    assert await api.count("consultation") == 0


async def test_an_objection_needs_its_reason(api):
    at = await submitted(api)
    await api.post(f"{at}/consultations", consulted(), "officer")
    response = await api.post(f"{at}/consultations/1/answer", {"answer": "object"}, "officer")
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/reason"


async def test_what_is_no_consultation_of_the_visit_is_not_found(api):
    at = await submitted(api)
    for number in ("1", "0", "x", "9" * 30):
        path = f"{at}/consultations/{number}"
        assert (await api.get(path, "officer")).status_code == 404
        answer = await api.post(f"{path}/answer", {"answer": "consent"}, "officer")
        assert answer.status_code == 404, number
    assert (await api.get(f"{URL}/{uuid4()}/consultations", "officer")).status_code == 404
    assert (await api.post(f"{URL}/{uuid4()}/consultations", consulted(), "officer")).status_code == 404


async def test_a_ministry_learns_nothing_of_consultations(api):
    at = await submitted(api)
    assert (await api.post(f"{at}/consultations", consulted(), "qatar")).status_code == 403
    await api.post(f"{at}/consultations", consulted(), "officer")
    answer = {"answer": "object", "reason": "The shelter is closed."}
    assert (await api.post(f"{at}/consultations/1/answer", answer, "qatar")).status_code == 403
    await api.post(f"{at}/consultations/1/answer", answer, "officer")
    for path in ("/consultations", "/consultations/1"):
        assert (await api.get(at + path)).status_code == 403
    for path in ("", "/history"):
        text = (await api.get(at + path)).text.lower()
        assert "interior" not in text
        assert "shelter is closed" not in text
    seen = (await api.get(f"{at}/history", "officer")).json()["items"]
    assert [(each["command"], each.get("reason")) for each in seen[1:]] == [
        ("Consult", "Ministry of Interior is asked for its consent."),
        ("RecordAnswer", "Ministry of Interior objects: The shelter is closed."),
    ]


async def test_an_approval_waits_for_the_consulted_bodies(api):
    at = await submitted(api)
    await api.post(f"{at}/consultations", consulted(veto=True), "officer")
    await api.post(f"{at}/consultations", consulted(body="Public Prosecution"), "officer")
    refused = await api.post(f"{at}/decision", {"decision": "approve"}, "officer")
    assert refused.status_code == 409
    assert refused.json()["detail"] == (
        "The request cannot be approved: Ministry of Interior has not answered its consultation;"
        " Public Prosecution has not answered its consultation."
    )
    for number in (1, 2):
        await api.post(f"{at}/consultations/{number}/answer", {"answer": "consent"}, "officer")
    assert (await api.post(f"{at}/decision", {"decision": "approve"}, "officer")).status_code == 200


async def test_an_answer_for_an_earlier_revision_is_marked(api):
    at = await submitted(api)
    for body_, veto in (("Public Prosecution", False), ("Ministry of Interior", True)):
        await api.post(f"{at}/consultations", consulted(body=body_, veto=veto), "officer")
    for number in (1, 2):
        await api.post(f"{at}/consultations/{number}/answer", {"answer": "consent"}, "officer")
    await api.patch(at, {"remarks": "We bring flowers."})
    listed = (await api.get(f"{at}/consultations", "officer")).json()["items"]
    assert [each["earlier_revision"] for each in listed] == [False, False]
    await api.patch(at, {"days": 1})
    listed = (await api.get(f"{at}/consultations", "officer")).json()["items"]
    assert [(each["id"], each["status"], each["revision"], each["earlier_revision"]) for each in listed] == [
        (1, "consented", 1, True),
        (2, "consented", 1, True),
        (3, "open", 3, False),
    ]


async def test_a_consultation_under_a_key_is_opened_once(api):
    at = await submitted(api)
    first = await api.post(f"{at}/consultations", consulted(), "officer", Idempotency_Key="c")
    again = await api.post(f"{at}/consultations", consulted(), "officer", Idempotency_Key="c")
    without = await api.post(f"{at}/consultations", consulted(), "officer")
    assert (first.status_code, again.status_code, without.status_code) == (201, 201, 409)
    assert first.content == again.content
    assert first.headers["location"] == again.headers["location"]
    assert without.json()["detail"].startswith("Ministry of Interior is being consulted already")


async def test_simultaneous_consultations_of_one_body_open_one(api):
    at = await submitted(api)
    posts = (api.post(f"{at}/consultations", consulted(), "officer") for _ in range(8))
    assert sorted(response.status_code for response in await asyncio.gather(*posts)) == [201] + [409] * 7
    assert await api.count("consultation") == 1


async def test_a_stale_etag_opens_no_consultation(api):
    at = await submitted(api)
    etag = (await api.get(at)).headers["etag"]
    await api.patch(at, {"days": 1})
    response = await api.post(f"{at}/consultations", consulted(), "officer", If_Match=etag)
    assert response.status_code == 412


async def test_the_documented_examples_of_consultations_are_accepted(api):
    at = await submitted(api)
    paths = api.app.openapi()["paths"]
    for path, status in (("/consultations", 201), ("/consultations/1/answer", 200)):
        operation = paths["/v1/visit-requests/{id}" + path.replace("1", "{consultation_id}")]["post"]
        example = operation["requestBody"]["content"]["application/json"]["examples"]["typical"]["value"]
        assert (await api.post(at + path, example, "officer")).status_code == status


async def test_the_catalogue_is_shown(api):
    shown = (await api.get("/v1/catalogue")).json()
    assert shown == make.catalogue().model_dump(mode="json")


async def test_without_a_catalogue_requests_wait(bare_api):
    for response in (await bare_api.post(URL, body()), await bare_api.get("/v1/catalogue")):
        assert response.status_code == 503
        assert response.headers["retry-after"]


async def test_an_outage_of_the_database_is_told_apart_from_a_fault(api, monkeypatch):
    async def full(*_: object) -> None:
        raise asyncpg.DiskFullError("could not extend file for +973 secret")

    monkeypatch.setattr(store, "add_visit", full)
    response = await api.post(URL, body())
    assert response.status_code == 503
    assert response.headers["retry-after"]

    async def broken(*_: object) -> None:
        raise KeyError("secret of a row")

    monkeypatch.setattr(store, "add_visit", broken)
    response = await api.post(URL, body())
    assert response.status_code == 500
    assert "secret" not in response.text
    assert len(await api.events()) == 0


async def test_a_lost_database_is_answered_with_503(api):
    api.transactions.pool.terminate()
    response = await api.post(URL, body())
    assert response.status_code == 503


async def test_the_document_describes_bodies_with_examples_that_are_accepted(api):
    document = api.app.openapi()
    assert document["openapi"].startswith("3.1")
    operation = document["paths"][URL]["post"]
    content = operation["requestBody"]["content"]["application/json"]
    assert content["schema"] == {"$ref": "#/components/schemas/VisitRequest"}
    schema = document["components"]["schemas"]["VisitRequest"]
    assert schema["additionalProperties"] is False
    assert "urgency" not in schema["required"]
    example = content["examples"]["typical"]["value"]
    assert (await api.post(URL, example)).status_code == 202


async def test_every_reference_in_the_document_leads_somewhere(api):
    document = api.app.openapi()
    text = json.dumps(document)
    names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= document["components"]["schemas"].keys()


async def test_old_answers_are_forgotten(api):
    await api.post(URL, body(), Idempotency_Key="old")
    async with api.transactions() as tx:
        await tx.connection.execute("UPDATE idempotency_key SET created_at = $1", tx.now - timedelta(days=8))
    await api.post(URL, body(sender_reference="R2"), Idempotency_Key="new")
    async with handlers.sweeping(api.transactions):
        timers = Timers(api.transactions, handlers.timers(30))
        assert await timers.fire_one()
        assert not await timers.fire_one()
    async with api.transactions() as tx:
        assert [row["key"] for row in await tx.connection.fetch("SELECT key FROM idempotency_key")] == ["new"]
