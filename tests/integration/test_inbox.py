"""Consumption against a real database: each event once, a key in order, poison parked."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from aiokafka import ConsumerRecord
from prometheus_client import CollectorRegistry

from runtime import operations
from runtime.inbox import BREAKER, Inbox, NothingSucceeds
from runtime.kafka import headers_of
from runtime.transaction import Handler, Transaction, Transactions, new_id
from schemas.event import Event, new_event
from schemas.visits import ReasonPeople, RequestDeclined
from tests.conftest import Database, OpenTransactions

NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)
CONTACTS = [{"name": {"latin": "A B", "arabic": "ا ب"}, "email": "a@ministry.example"}]


def declined(reason: str, subject: str) -> Event[RequestDeclined]:
    people = ReasonPeople.model_validate({"focal_points": CONTACTS, "reason": reason})
    return new_event(
        RequestDeclined(reference="V-1", revision=1, country="QA", ministry="M", people=people),
        id=new_id(),
        time=NOW,
        subject=subject,
        correlationid=new_id(),
        causationid=None,
    )


def record(event: Event[Any], offset: int = 0) -> ConsumerRecord:
    headers = headers_of(event.type, str(event.id), str(event.correlationid))
    return raw(event.model_dump_json().encode(), key=event.subject, offset=offset, headers=headers)


def raw(
    value: bytes | None,
    *,
    key: str | None = "visit-1",
    offset: int = 0,
    headers: Sequence[tuple[str, bytes]] = (),
) -> ConsumerRecord:
    return ConsumerRecord(
        "visits", 0, offset, 0, 0, None if key is None else key.encode(), value, None, 0, 0, tuple(headers)
    )


_sleep = asyncio.sleep


async def no_pause(_seconds: float) -> None:
    """Takes the place of `asyncio.sleep`, for everybody: whoever loops over it lets the others run."""
    await _sleep(0.001)


class Seen:
    """A handler that counts its effect in the database and fails on demand."""

    def __init__(self) -> None:
        self.failing: set[str] = set()
        self.calls: list[str] = []
        self.also: dict[str, Handler] = {}

    async def __call__(self, tx: Transaction, event: Event[RequestDeclined]) -> None:
        reason = event.data.people.reason
        self.calls.append(reason)
        if reason in self.failing:
            raise ValueError("this one never works")
        if reason in self.also:
            await self.also[reason](tx, event)
        tx.emit(event.data, subject=event.subject)


class Bench:
    def __init__(self, transactions: Transactions, admin: asyncpg.Connection) -> None:
        self.transactions = transactions
        self.admin = admin
        self.seen = Seen()
        self.inbox = Inbox(transactions, {RequestDeclined.TYPE: self.seen}, CollectorRegistry())

    async def emitted(self) -> list[str]:
        rows = await self.admin.fetch("SELECT payload FROM eventlog.outbox ORDER BY seq")
        return [json.loads(row["payload"])["data"]["people"]["reason"] for row in rows]

    async def parked(self) -> list[asyncpg.Record]:
        return await self.admin.fetch(
            "SELECT * FROM eventlog.parked WHERE state = 'parked' ORDER BY position"
        )


@pytest.fixture
async def bench(transactions: OpenTransactions, database: Database):
    admin = await asyncpg.connect(database.admin)
    yield Bench(await transactions("eventlog"), admin)
    await admin.close()


async def test_a_batch_is_handled_in_order_and_each_event_once(bench: Bench) -> None:
    events = [declined(str(n), f"visit-{n % 3}") for n in range(9)]
    records = tuple(record(event, n) for n, event in enumerate(events))
    await bench.inbox.consume(records)
    await bench.inbox.consume(records + records[:4])
    assert await bench.emitted() == [str(n) for n in range(9)]


async def test_what_is_emitted_carries_correlation_and_cause(bench: Bench) -> None:
    event = declined("x", "visit-1")
    await bench.inbox.consume((record(event),))
    (row,) = await bench.admin.fetch("SELECT correlation, payload FROM eventlog.outbox")
    assert row["correlation"] == event.correlationid
    assert f'"causationid":"{event.id}"'.encode() in row["payload"]


async def test_a_failing_record_is_parked_with_the_later_ones_of_its_key_and_no_others(bench: Bench) -> None:
    bench.seen.failing = {"bad"}
    first, bad, later = declined("first", "a"), declined("bad", "a"), declined("later", "a")
    other = declined("other", "b")
    await bench.inbox.consume(tuple(record(e, n) for n, e in enumerate((first, bad, other, later))))
    assert sorted(await bench.emitted()) == ["first", "other"]
    assert [row["id"] for row in await bench.parked()] == [bad.id, later.id]
    await bench.inbox.consume((record(declined("much later", "a"), 9),))
    assert len(await bench.parked()) == 3


async def test_a_redrive_takes_a_key_in_order_once_the_cause_is_gone(bench: Bench) -> None:
    bench.seen.failing = {"bad"}
    events = [declined(reason, "a") for reason in ("bad", "later", "last")]
    await bench.inbox.consume(tuple(record(event, n) for n, event in enumerate(events)))
    await _redrive(bench, "a")
    assert len(await bench.parked()) == 3, "the cause is still there"
    assert await bench.emitted() == []
    bench.seen.failing = set()
    for _ in events:
        await _redrive(bench, "a")
    assert await bench.emitted() == ["bad", "later", "last"]
    assert await bench.parked() == []
    await bench.inbox.consume(tuple(record(event, n) for n, event in enumerate(events)))
    assert await bench.emitted() == ["bad", "later", "last"]


async def _redrive(bench: Bench, key: str) -> None:
    async with bench.transactions() as tx:
        await bench.inbox.redrive(tx, key)


async def test_a_discarded_message_stays_away_and_needs_a_reason(bench: Bench) -> None:
    bench.seen.failing = {"bad"}
    bad = declined("bad", "a")
    await bench.inbox.consume((record(bad),))
    async with bench.transactions() as tx:
        await operations.discard(tx, bad.id, "sent by mistake", "ops")
    await bench.inbox.consume((record(bad), record(declined("next", "a"), 1)))
    assert await bench.parked() == []
    assert (await bench.admin.fetchval("SELECT count(*) FROM eventlog.parked")) == 1
    with pytest.raises(asyncpg.CheckViolationError):
        await bench.admin.execute("UPDATE eventlog.parked SET reason = ''")


GOOD = declined("good", "visit-1")
HEADERS = headers_of(RequestDeclined.TYPE, str(GOOD.id), str(GOOD.correlationid))


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (b"\x80\xff\x00random", ()),
        (b"\x80\xff\x00random", HEADERS),
        (None, ()),
        (None, HEADERS),
        (b"[1, 2", ()),
        (b"{}", ()),
        (b'{"type": "visits.request.declined.v1", "id": "not a uuid"}', ()),
        (b'{"type": "visits.request.declined.v1", "id": "%s"}' % str(GOOD.id).encode(), ()),
        (GOOD.model_dump_json().encode(), [("ce_type", b"\xff"), ("ce_id", b"\xfe")]),
        (GOOD.model_dump_json().encode(), [("ce_type", RequestDeclined.TYPE.encode()), ("ce_id", b"\xfe")]),
        (b"[" * 100_000, ()),
        (b"{}", [("name\x00with nul", b"\x00\xff"), *HEADERS]),
        (b"x" * 2_000_000, HEADERS),
    ],
)
async def test_poison_is_parked_as_it_came_and_harms_no_other_key(
    bench: Bench, value: bytes | None, headers: Sequence[tuple[str, bytes]]
) -> None:
    neighbour = declined("fine", "another")
    await bench.inbox.consume((raw(value, headers=headers), record(neighbour, 1)))
    (row,) = await bench.parked()
    assert row["value"] == value
    assert row["key"] == "visit-1"
    assert await bench.emitted() == ["fine"]
    await bench.inbox.consume((raw(value, headers=headers),))
    assert len(await bench.parked()) == 1, "a repeated delivery is parked once"


async def test_poison_without_a_key_holds_nothing_back(bench: Bench) -> None:
    await bench.inbox.consume((raw(b"\xff", key=None), raw(b"\xfe", key=None, offset=1)))
    causes = [row["cause"] for row in await bench.parked()]
    assert len(causes) == 2
    assert not any("held behind" in cause for cause in causes)


async def test_a_type_that_concerns_another_service_is_passed_over(bench: Bench) -> None:
    headers = headers_of("visits.request.imagined.v7", str(new_id()), str(new_id()))
    await bench.inbox.consume((raw(b"{}", headers=headers),))
    assert await bench.parked() == []


async def test_a_version_that_is_not_known_of_a_type_that_is_handled_is_parked(bench: Bench) -> None:
    headers = headers_of("visits.request.declined.v2", str(new_id()), str(new_id()))
    await bench.inbox.consume((raw(b"{}", headers=headers), record(declined("later", "visit-1"), 1)))
    newer, held = await bench.parked()
    assert newer["cause"] == "this version of the type is not known here: visits.request.declined.v2"
    assert held["cause"].startswith("held behind")


async def test_a_key_of_any_length_is_parked_and_stops_nobody(bench: Bench) -> None:
    await bench.inbox.consume((raw(b"x", key="k" * 8000), record(declined("fine", "other"), 1)))
    assert await bench.emitted() == ["fine"]
    (row,) = await bench.parked()
    assert len(row["key"]) < 100


async def test_an_outage_parks_nothing_and_leaves_the_batch_unread(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def at_once(_seconds: float) -> None:
        return

    monkeypatch.setattr("runtime.inbox.asyncio.sleep", at_once)

    async def broken(_tx: Transaction, _event: Event[Any]) -> None:
        raise ConnectionResetError

    bench.inbox = Inbox(bench.transactions, {RequestDeclined.TYPE: broken}, CollectorRegistry())
    with pytest.raises(ConnectionResetError):
        await bench.inbox.consume((record(declined("x", "a")),))
    assert await bench.parked() == []
    assert await bench.admin.fetchval("SELECT count(*) FROM eventlog.inbox") == 0


async def test_an_event_whose_key_is_another_visits_is_refused(bench: Bench) -> None:
    event = declined("x", "visit-2")
    headers = headers_of(event.type, str(event.id), str(event.correlationid))
    await bench.inbox.consume((raw(event.model_dump_json().encode(), key="visit-1", headers=headers),))
    assert len(await bench.parked()) == 1


async def test_garbage_under_the_id_of_a_good_event_does_not_displace_it(bench: Bench) -> None:
    good = declined("good", "visit-1")
    headers = headers_of(good.type, str(good.id), str(good.correlationid))
    await bench.inbox.consume((raw(b"garbage", key="visit-1", headers=headers), record(good, 1)))
    garbage, held = await bench.parked()
    assert held["id"] == good.id != garbage["id"]
    async with bench.transactions() as tx:
        await operations.discard(tx, garbage["id"], "garbage", "ops")
    await _redrive(bench, "visit-1")
    assert (await bench.emitted())[-1] == "good"


async def test_a_repeated_event_is_passed_over_also_one_by_one(bench: Bench) -> None:
    bench.seen.failing = {"bad"}
    good = declined("good", "a")
    await bench.inbox.consume((record(good), record(declined("bad", "b"), 1)))
    await bench.inbox.consume((record(good), record(declined("bad", "c"), 2)))
    assert await bench.emitted() == ["good"]


async def test_a_key_that_no_text_column_takes_is_parked_and_stops_nobody(bench: Bench) -> None:
    await bench.inbox.consume((raw(b"x", key="a\x00b"), record(declined("fine", "other"), 1)))
    assert await bench.emitted() == ["fine"]
    assert [row["key"] for row in await bench.parked()] == ["a\\x00b"]


async def test_the_cause_of_a_parked_message_quotes_no_value(bench: Bench) -> None:
    async def choke(_tx: Transaction, _event: Event[Any]) -> None:
        raise ValueError("no such person: Ahmed Example, ahmed@ministry.example")

    bench.inbox = Inbox(bench.transactions, {RequestDeclined.TYPE: choke}, CollectorRegistry())
    await bench.inbox.consume((record(declined("x", "a")),))
    (row,) = await bench.parked()
    assert "Ahmed" not in row["cause"]
    assert row["cause"].startswith("ValueError at test_inbox.py:")


async def test_a_fault_of_ours_that_looks_like_an_outage_is_parked(bench: Bench) -> None:
    async def choke(tx: Transaction, _event: Event[Any]) -> None:
        await tx.connection.execute("SELECT $1::int", "not a number")  # asyncpg: also an InterfaceError

    bench.inbox = Inbox(bench.transactions, {RequestDeclined.TYPE: choke}, CollectorRegistry())
    await bench.inbox.consume((record(declined("x", "a")),))
    assert len(await bench.parked()) == 1


@pytest.mark.parametrize("type_", [r"\ud800", r"a\u0000b", "no.such.type"])
async def test_the_reader_of_every_type_parks_what_has_a_type_in_name_only(bench: Bench, type_: str) -> None:
    seen = []

    async def note(_tx: Transaction, event: Event[Any]) -> None:
        seen.append(event.type)

    bench.inbox = Inbox(bench.transactions, {}, CollectorRegistry(), handle_any=note)
    body = f'{{"type": "{type_}", "id": "{GOOD.id}"}}'
    await bench.inbox.consume((raw(body.encode()), record(declined("fine", "other"), 1)))
    assert len(await bench.parked()) == 1
    assert seen == [RequestDeclined.TYPE]


async def test_while_everything_fails_nothing_is_parked_and_it_goes_on_once_something_succeeds(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.inbox.asyncio.sleep", no_pause)
    bench.seen.failing = {str(n) for n in range(12)}
    records = tuple(record(declined(str(n), f"visit-{n}"), n) for n in range(12))
    with pytest.raises(NothingSucceeds):
        await bench.inbox.consume(records)
    assert bench.inbox.trouble == "records cannot be handled: NothingSucceeds"
    assert (await bench.parked(), await bench.emitted()) == ([], [])

    await bench.inbox.consume((*records, record(declined("good", "visit-99"), 12)))
    assert len(await bench.parked()) == 12
    assert await bench.emitted() == ["good"]
    assert bench.inbox.trouble is None


async def test_what_was_tried_once_while_all_was_hopeless_gets_its_other_tries(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.inbox.asyncio.sleep", no_pause)
    bench.seen.failing = {str(n) for n in range(BREAKER + 2)}
    failing = [record(declined(str(n), f"visit-{n}"), n) for n in range(BREAKER + 2)]

    async def recovers(_tx: Transaction, _event: Event[Any]) -> None:
        bench.seen.failing.discard(str(BREAKER + 1))

    bench.seen.also["good"] = recovers
    await bench.inbox.consume((*failing, record(declined("good", "visit-99"), 99)))
    assert await bench.emitted() == ["good", str(BREAKER + 1)]
    assert len(await bench.parked()) == BREAKER + 1


async def test_a_clock_that_is_wrong_here_parks_nothing(bench: Bench) -> None:
    bench.transactions.now = lambda: datetime.now(UTC) - timedelta(days=3)
    await bench.inbox.consume((record(declined("x", "visit-1")),))
    assert (await bench.emitted(), await bench.parked()) == (["x"], [])


async def test_failures_are_counted_over_batches_until_something_succeeds(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.inbox.asyncio.sleep", no_pause)
    bench.seen.failing = {str(n) for n in range(BREAKER)}
    for n in range(BREAKER - 1):
        await bench.inbox.consume((record(declined(str(n), f"visit-{n}"), n),))
    with pytest.raises(NothingSucceeds):
        await bench.inbox.consume((record(declined(str(BREAKER - 1), "another"), 9),))
    assert len(await bench.parked()) == BREAKER - 1


async def test_a_flood_of_unreadable_records_stops_nothing(bench: Bench) -> None:
    poison = tuple(raw(b"x", key=f"bad-{n}", offset=n) for n in range(3 * BREAKER))
    await bench.inbox.consume(poison)
    await bench.inbox.consume((record(declined("good", "visit-1"), 50),))
    assert len(await bench.parked()) == 3 * BREAKER
    assert await bench.emitted() == ["good"]


async def test_what_follows_a_failure_in_the_same_batch_is_parked_behind_it_whatever_it_is(
    bench: Bench,
) -> None:
    bench.seen.failing = {"first"}
    await bench.inbox.consume(
        (
            record(declined("first", "visit-1"), 0),
            raw(b"unreadable", key="visit-1", offset=1),
            record(declined("third", "visit-1"), 2),
            record(declined("good", "visit-2"), 3),
        )
    )
    assert [row["record_offset"] for row in await bench.parked()] == [0, 1, 2]
    assert await bench.emitted() == ["good"]


@pytest.mark.parametrize(
    ("age", "cause"), [(timedelta(days=15), "older than what the inbox"), (timedelta(days=-2), "future")]
)
async def test_an_event_of_which_the_inbox_cannot_know_is_parked(
    bench: Bench, age: timedelta, cause: str
) -> None:
    made = declined("x", "visit-1")
    milliseconds = int((datetime.now(UTC) - age).timestamp() * 1000)
    event = made.model_copy(update={"id": UUID(int=milliseconds << 80 | made.id.int & (1 << 80) - 1)})
    await bench.admin.execute("UPDATE eventlog.inbox_memory SET begins = now() - interval '14 days'")
    await bench.inbox.consume((record(event),))
    (row,) = await bench.parked()
    assert cause in row["cause"]
    async with bench.transactions() as tx:
        await bench.inbox.redrive(tx, "visit-1")  # an operator has looked at it
    assert await bench.emitted() == ["x"]


async def test_an_event_that_was_handled_is_not_held_behind_what_its_key_has_parked(bench: Bench) -> None:
    first, second = declined("first", "visit-1"), declined("second", "visit-1")
    await bench.inbox.consume((record(first),))
    await bench.inbox.consume((raw(b"x", key="visit-1", offset=1), record(first), record(second, 2)))
    assert [row["record_offset"] for row in await bench.parked()] == [1, 2]
