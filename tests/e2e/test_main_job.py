"""The main job on the whole system: real broker, database and mail, every service its own process."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from icalendar import Calendar

from runtime.kafka import headers_of
from runtime.transaction import new_id
from services.visits.clients import Role
from tests.e2e.stack import Stack, request
from tests.kafka.cluster import Cluster

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
async def stack(
    tmp_path_factory: pytest.TempPathFactory, outside_kafka: Cluster | None
) -> AsyncIterator[Stack]:
    running = Stack(tmp_path_factory.mktemp("stack"), outside_kafka)
    await running.start()
    yield running
    assert await running.stop() == 0


@pytest.fixture(scope="module")
async def officer(stack: Stack) -> str:
    return await stack.key("Officer", Role.OFFICER)


async def invitations(stack: Stack, address: str) -> list[Calendar]:
    found = []
    for listed in await stack.messages(address):
        full = await stack.message(listed["id"])
        found += [Calendar.from_ical(text) for text in full["calendars"]]
    return found


async def test_a_request_becomes_a_programme_and_everybody_concerned_is_told_once(
    stack: Stack, officer: str
) -> None:
    key = await stack.key("Ministry")
    body = request("03-uae-human-rights-director")
    visit = await stack.submit(key, body)
    await stack.approve(officer, visit)
    assert await stack.until_state(key, visit, "proposed", "waitlisted") == "proposed"
    told = await stack.until_told(visit, "scheduling.programme.proposed.v1")
    programme = (await stack.call("GET", f"/v1/visit-requests/{visit}/programme", key)).json()
    assigned = {a["person"] for slot in programme["slots"] for a in slot["assignments"]}
    assert {row["person"] for row in told if row["person"]} == assigned
    assert len([row for row in told if row["audience"] == "ministry"]) >= 1
    assert len({row["recipient"] for row in told}) == len(told)

    answer = await stack.call(
        "POST", f"/v1/visit-requests/{visit}/programme/acceptance", key, {"release": programme["release"]}
    )
    assert answer.is_success, answer.text
    assert await stack.until_state(key, visit, "confirmed") == "confirmed"
    released = await stack.until_told(visit, "scheduling.programme.released.v1")
    assert {row["person"] for row in released if row["person"]} == assigned

    answer = await stack.call("POST", f"/v1/visit-requests/{visit}/withdrawal", key, {"reason": "Postponed."})
    assert answer.is_success, answer.text
    cancelled = await stack.until_told(visit, "scheduling.programme.cancelled.v1")
    assert {row["person"] for row in cancelled if row["person"]} == assigned

    person = next(row for row in cancelled if row["person"] and row["state"] == "delivered")
    calendars = [
        calendar
        for calendar in await invitations(stack, person["address"])
        if all(visit in str(event["UID"]) for event in calendar.walk("VEVENT"))
    ]
    by_uid: dict[str, list[tuple[str, int, str]]] = {}
    for calendar in calendars:
        for event in calendar.walk("VEVENT"):
            entry = (str(calendar["METHOD"]), int(str(event["SEQUENCE"])), str(event["STATUS"]))
            by_uid.setdefault(str(event["UID"]), []).append(entry)
    assert by_uid
    for entries in by_uid.values():
        ordered = sorted(entries, key=lambda entry: entry[1])
        assert [entry[0] for entry in ordered] == ["REQUEST", "REQUEST", "CANCEL"]
        assert [entry[2] for entry in ordered] == ["TENTATIVE", "CONFIRMED", "CANCELLED"]
        assert len({entry[1] for entry in ordered}) == 3, "the sequence rises with every message"


async def test_what_cannot_be_scheduled_is_waitlisted_with_reasons_and_alternatives(
    stack: Stack, officer: str
) -> None:
    key = await stack.key("Ministry")
    visit = await stack.submit(key, request("13-waitlisted-too-much-for-one-day"))
    await stack.approve(officer, visit)
    assert await stack.until_state(key, visit, "proposed", "waitlisted") == "waitlisted"
    answer = (await stack.call("GET", f"/v1/visit-requests/{visit}", key)).text
    assert "alternatives" in answer
    told = await stack.until_told(visit, "scheduling.programme.infeasible.v1")
    assert {"ministry", "office"} == {row["audience"] for row in told}


async def test_the_events_of_one_visit_share_a_correlation_per_request_and_form_a_chain(
    stack: Stack, officer: str
) -> None:
    key = await stack.key("Ministry")
    visit = await stack.submit(key, request("04-uk-ambassador-courtesy"))
    await stack.approve(officer, visit)
    await stack.until_told(visit, "scheduling.programme.proposed.v1")
    out = await until_logged(stack, "scheduling.programme.proposed.v1", 1, "trace", visit)
    events = {event["id"]: event for event in map(json.loads, out.splitlines())}
    types = [event["type"] for event in events.values()]
    assert types[0] == "visits.request.submitted.v1"
    proposal = next(e for e in events.values() if e["type"] == "scheduling.programme.proposed.v1")
    approval = events[proposal["causation"]]
    assert approval["type"] == "visits.request.approved.v1"
    assert proposal["correlation"] == approval["correlation"]
    out = await until_logged(
        stack, "notifications.notice.delivered.v1", 3,
        "search", "--subject", visit, "--type", "notifications.*",
    )  # fmt: skip
    assert "@" not in out, "addresses are neither searched nor shown"


async def until_logged(stack: Stack, type_: str, times: int, *command: str) -> str:
    """Repeat a command of the log, which is a consumer like others, until it shows so many of a type."""
    async with asyncio.timeout(240):
        while True:
            _, out, _ = await stack.wafd("log", *command, "--json")
            if out.count(f'"{type_}"') >= times:
                return out


async def test_poison_on_a_topic_is_parked_shown_redriven_and_discarded_by_command(
    stack: Stack, officer: str
) -> None:
    key = await stack.key("Ministry")
    victim = str(new_id())
    producer = AIOKafkaProducer(bootstrap_servers=stack.ready["kafka"])
    await producer.start()
    headers = headers_of("visits.request.approved.v1", str(new_id()), str(new_id()))
    await producer.send_and_wait("visits", b"\xff\xfe not even text", key=victim.encode(), headers=headers)
    await producer.send_and_wait("visits", b"\x00\xff", key=b"\xff\xfe", headers=[("ce_type", b"\xff")])
    await producer.stop()
    visit = await stack.submit(key, request("04-uk-ambassador-courtesy"))
    await stack.approve(officer, visit)
    assert await stack.until_state(key, visit, "proposed", "waitlisted") in {"proposed", "waitlisted"}

    rows: list[dict[str, Any]] = []
    async with asyncio.timeout(240):
        while Counter(row["key"] == victim for row in rows) != {True: 2, False: 3}:
            code, out, _ = await stack.wafd("parked", "list", "--json")
            rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    ids = {row["id"] for row in rows}
    code, out, _ = await stack.wafd("parked", "redrive", "--key", victim, "--dry-run")
    assert code == 0
    assert "would redrive 1 key(s)" in out
    code, _, err = await stack.wafd("parked", "redrive", "--key", victim)
    assert code == 1
    assert "failed again" in err
    code, _, err = await stack.wafd("parked", "discard", next(iter(ids)))
    assert code == 2, "a reason is needed"
    for id_ in ids:
        code, _, err = await stack.wafd("parked", "discard", id_, "--reason", "sent by a test")
        assert code == 0, err
    _, out, _ = await stack.wafd("parked", "list", "--json")
    assert out == ""


async def test_a_service_that_dies_is_restarted_and_goes_on(stack: Stack, officer: str) -> None:
    key = await stack.key("Ministry")
    visit = await stack.submit(key, request("04-uk-ambassador-courtesy"))
    stack.child(["serve", "scheduling"]).kill()
    stack.child(["serve", "notifications"]).kill()
    await stack.approve(officer, visit)
    assert await stack.until_state(key, visit, "proposed", "waitlisted") == "proposed"
    told = await stack.until_told(visit, "scheduling.programme.proposed.v1")
    assert len({row["recipient"] for row in told}) == len(told)


async def test_a_broker_that_dies_loses_nothing(stack: Stack, officer: str) -> None:
    """The embedded broker loses all that it held; Kafka is away for a while and keeps it."""
    key = await stack.key("Ministry")
    visit = await stack.submit(key, request("04-uk-ambassador-courtesy"))
    await stack.until_told(visit, "visits.request.submitted.v1")
    before = len(await stack.messages())
    if stack.kafka:
        await stack.kafka.kill()
    else:
        stack.child(["tansu", "broker"]).kill()
    await stack.approve(officer, visit)
    if stack.kafka:
        await stack.kafka.start()
    assert await stack.until_state(key, visit, "proposed", "waitlisted") == "proposed"
    await stack.until_told(visit, "scheduling.programme.proposed.v1")
    messages = await stack.messages()
    assert len({message["message_id"] for message in messages}) == len(messages) > before


async def test_commands_fail_with_one_sentence_and_the_right_code(stack: Stack) -> None:
    for arguments, code in (
        (["log", "trace", "V-0000-999999"], 1),
        (["log", "search", "--since", "yesterday"], 2),
        (["log", "search", "--since", "99999999999999d"], 2),
        (["log", "search", "--until", "9999-12-31T23:59:59-14:00"], 2),
        (
            [
                "submit",
                "--api",
                "http://[::1",
                "--key",
                "k",
                "examples/requests/04-uk-ambassador-courtesy.json",
            ],
            2,
        ),
        (["submit", "--api", "ftp://x", "--key", "k", "examples/requests/04-uk-ambassador-courtesy.json"], 2),
        (["parked", "redrive"], 2),
        (["parked", "show", str(new_id())], 1),
        (["client", "add", "--name", "X", "--country", "Qatar"], 2),
        (["client", "revoke", "nobody"], 1),
        (["submit", "/no/such/file"], 2),
        (["serve", "kitchen"], 2),
        (["up", "--kafka", "nonsense"], 2),
    ):
        got, _, err = await stack.wafd(*arguments)
        assert got == code, (arguments, err)
        assert err.startswith("wafd: "), (arguments, err)
        assert "Traceback" not in err
