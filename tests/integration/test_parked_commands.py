"""`wafd parked`, and wrong use of other commands: groups, outcomes, one sentence for each mistake."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator

import asyncpg
import pytest
from prometheus_client import CollectorRegistry

from runtime.inbox import Inbox
from runtime.timers import Timers
from runtime.transaction import Transaction, Transactions
from schemas.event import Event
from schemas.visits import RequestDeclined
from tests.conftest import Database, OpenTransactions
from tests.integration.test_commands import wafd
from tests.integration.test_inbox import declined, raw, record


class Service:
    """The inbox and the redrive timer of a service, in this process; what is named in ``failing`` fails."""

    def __init__(self, transactions: Transactions) -> None:
        self.failing: set[str] = set()
        self.handled: list[str] = []
        self.inbox = Inbox(transactions, {RequestDeclined.TYPE: self.handle}, CollectorRegistry())
        self.timers = Timers(transactions, {"redrive": self.inbox.redrive})

    async def handle(self, _tx: Transaction, event: Event[RequestDeclined]) -> None:
        reason = event.data.people.reason
        if reason in self.failing:
            raise LookupError if reason.startswith("other") else ArithmeticError
        self.handled.append(reason)


@pytest.fixture
async def service(transactions: OpenTransactions) -> AsyncIterator[Service]:
    """With five parked records of four keys, three kinds of failure, one of them held behind."""
    made = Service(await transactions("eventlog"))
    made.failing = {"bad 1", "bad 2", "other"}
    await made.inbox.consume(
        (
            record(declined("bad 1", "visit-1"), 0),
            record(declined("after it", "visit-1"), 1),
            record(declined("bad 2", "visit-2"), 2),
            record(declined("other", "visit-3"), 3),
            raw(b"x", key="visit-4", offset=4),
            record(declined("good", "visit-5"), 5),
        )
    )
    running = asyncio.create_task(made.timers.run())
    yield made
    made.timers.stop()
    await running


async def test_groups_tell_kinds_of_failures_apart(service: Service, database: Database) -> None:
    code, out, err = await wafd(database, "parked", "groups", "--json")
    assert code == 0, err
    found = [json.loads(line) for line in out.splitlines()]
    assert [(group["failed"], group["keys"], group["held"]) for group in found] == [
        (2, 2, 1), (1, 1, 0), (1, 1, 0),
    ]  # fmt: skip
    assert found[0]["cause"].startswith("ArithmeticError")
    assert found[0]["types"] == ["visits.request.declined.v1"]
    code, out, _ = await wafd(database, "parked", "groups")
    assert code == 0
    assert found[0]["fingerprint"] in out


async def test_a_group_is_redriven_with_its_outcome(service: Service, database: Database) -> None:
    _, out, _ = await wafd(database, "parked", "groups", "--json")
    fingerprint = json.loads(out.splitlines()[0])["fingerprint"]
    code, out, err = await wafd(database, "parked", "redrive", "--fingerprint", fingerprint, "--dry-run")
    assert (code, out) == (0, "eventlog: would redrive 2 key(s): visit-1, visit-2\n"), err
    assert service.handled == ["good"]

    service.failing = {"bad 2", "other"}
    code, out, err = await wafd(database, "parked", "redrive", "--fingerprint", fingerprint, "--json")
    assert code == 1
    assert "failed again: ArithmeticError" in err
    assert json.loads(out) == {
        "service": "eventlog", "keys": 2, "redriven": 2, "failed_again": 1, "held_behind": 0,
    }  # fmt: skip
    assert service.handled == ["good", "bad 1", "after it"]

    service.failing = set()
    code, out, err = await wafd(database, "parked", "redrive", "--type", RequestDeclined.TYPE)
    assert code == 0, err
    assert out == ("eventlog: 2 key(s), 2 message(s) redriven, 0 failed again, 0 held behind these\n")
    admin = await asyncpg.connect(database.admin)
    payloads = await admin.fetch("SELECT payload FROM eventlog.outbox ORDER BY seq")
    told = [json.loads(row["payload"])["data"]["target"] for row in payloads]
    assert told == [repr(f"fingerprint {fingerprint}"), repr(f"type {RequestDeclined.TYPE}")]
    await admin.close()


WRONG_USE = {
    "a port that does not exist": (["up", "--kafka", "127.0.0.1:99999"], "is no address"),
    "a mail server's port": (["up", "--smtp", "127.0.0.1:0"], "is no address"),
    "a DSN with such a port": (["up", "--postgres", "postgresql://x@h:99999/z"], "is no DSN"),
    "days beyond all": (["recover", "--days", "999999999"], ""),
    "a reason with a control character": (
        ["parked", "discard", "{id}", "--reason", "a\x01b"],
        "reason is wrong: Value error, control characters are not allowed",
    ),
    "a reason of a book's length": (["parked", "discard", "{id}", "--reason", "x" * 5000], "reason is wrong"),
    "a text that is not UTF-8": (["log", "search", "\udcff"], "wafd: "),
    "a key of two lines": (["submit", "--key", "a\nb", "README.md"], "copy it again"),
}


@pytest.mark.parametrize(("arguments", "says"), WRONG_USE.values(), ids=WRONG_USE)
async def test_wrong_use_is_told_in_one_sentence(
    service: Service, database: Database, arguments: list[str], says: str
) -> None:
    _, out, _ = await wafd(database, "parked", "list", "--json")
    first = json.loads(out.splitlines()[0])["id"]
    code, out, err = await wafd(database, *(argument.format(id=first) for argument in arguments))
    assert (code, out) == (2, ""), err
    assert says in err
    assert "Traceback" not in err
    if says:  # typer's own refusals have a frame of several lines
        assert err.count("\n") == 1


@pytest.mark.parametrize("port", ["99999", "abc"])
async def test_a_wrong_dsn_in_the_environment_is_wrong_use(database: Database, port: str) -> None:
    wrong = Database(f"postgresql://x:y@127.0.0.1:{port}/z")
    code, _, err = await wafd(wrong, "lag")
    assert (code, err) == (
        2, "wafd: WAFD_ADMIN_DATABASE is no DSN: write postgresql://user:password@host:port/name\n",
    )  # fmt: skip


async def test_a_broker_that_is_away_is_told_in_one_sentence(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAFD_KAFKA", "127.0.0.1:1")
    code, out, err = await wafd(database, "lag")
    assert (code, out) == (1, "")
    assert err.count("\n") == 1, err


async def test_a_reader_that_has_seen_enough_ends_the_command_without_a_word(
    service: Service, database: Database
) -> None:
    process = await asyncio.create_subprocess_shell(
        f"{sys.executable} -m cli.main parked list --json | head -n 0",
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "WAFD_ADMIN_DATABASE": database.admin},
    )
    _, err = await process.communicate()
    assert err == b""
