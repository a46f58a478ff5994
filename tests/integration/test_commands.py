"""Commands against a real database: who may use the API, and what is refused in a sentence."""

import asyncio
import json
import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from runtime.database import encode_json
from services.visits.clients import client_of
from tests.conftest import Database, OpenTransactions

Ran = tuple[int, str, str]


async def wafd(database: Database, *arguments: str) -> Ran:
    """Run a command: exit code, stdout, stderr."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli.main", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "WAFD_ADMIN_DATABASE": database.admin},
    )  # fmt: skip
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def added(database: Database, name: str = "Ministry of Foreign Affairs") -> dict[str, str]:
    code, out, err = await wafd(database, "client", "add", "--name", name, "--country", "QA")
    assert code == 0, err
    made: dict[str, str] = json.loads(out)
    return made


async def recognised(database: Database, key: str) -> str | None:
    connection = await asyncpg.connect(database.admin, server_settings={"search_path": "visits"})
    client = await client_of(connection, key)
    await connection.close()
    return str(client.id) if client else None


async def test_a_client_gets_another_key_and_both_hold_until_the_old_one_is_revoked(database):
    first = await added(database)
    for named_by in (first["client_id"], first["prefix"]):
        code, out, err = await wafd(database, "client", "key", named_by)
        assert code == 0, err
        second = json.loads(out)
        assert {**second, "prefix": "", "api_key": ""} == {**first, "prefix": "", "api_key": ""}
        for key in (first["api_key"], second["api_key"]):
            assert await recognised(database, key) == first["client_id"]
    assert (await wafd(database, "client", "revoke", first["prefix"]))[0] == 0
    assert await recognised(database, first["api_key"]) is None
    assert await recognised(database, second["api_key"]) == first["client_id"]
    code, _, _ = await wafd(database, "client", "key", first["prefix"])
    assert code == 0, "a revoked key still tells whose it was"


async def test_another_key_of_nobody_is_refused(database):
    code, out, err = await wafd(database, "client", "key", "nobody")
    assert (code, out) == (1, "")
    assert err == "wafd: no client has the id or a key with the prefix nobody: see `wafd client list`\n"


async def test_a_client_is_registered_once(database):
    made = await added(database)
    code, out, err = await wafd(
        database, "client", "add", "--name", "ministry of foreign affairs", "--country", "QA"
    )
    assert (code, out) == (2, "")
    assert err == (
        "wafd: Ministry of Foreign Affairs (QA) is registered already as ministry: "
        f"give it another key with `wafd client key {made['client_id']}`\n"
    )
    code, _, _ = await wafd(
        database, "client", "add", "--name", "Ministry of Foreign Affairs", "--country", "JO"
    )
    assert code == 0


@pytest.mark.parametrize("country", ["ZZ", "EU", "qa", "QAT", "Q1", ""])
async def test_a_country_that_is_none_is_refused(database, country):
    code, out, err = await wafd(database, "client", "add", "--name", "X", "--country", country)
    assert (code, out) == (2, "")
    assert "is no ISO 3166 code of two capital letters" in err


async def test_recovery_is_refused_while_a_service_runs(
    database: Database, transactions: OpenTransactions
) -> None:
    await transactions("scheduling")
    code, out, err = await wafd(database, "recover")
    assert (code, out) == (2, "")
    assert err.startswith("wafd: wafd-scheduling still run on this database: stop the services first")
    assert err.count("\n") == 1
    code, out, err = await wafd(database, "recover", "--force")
    assert code == 0, err
    assert out.count("event(s) will be published again") == 4


async def test_recovery_is_done_once_the_services_are_stopped(database: Database) -> None:
    code, out, err = await wafd(database, "recover")
    assert code == 0, err
    assert out.count("event(s) will be published again") == 4


@pytest.mark.parametrize("command", ["show", "discard", "redrive"])
async def test_a_message_that_has_no_id_is_refused_in_a_sentence(database, command):
    reason = ["--reason", "x"] if command == "discard" else []
    code, out, err = await wafd(database, "parked", command, "nonsense", *reason)
    assert (code, out) == (2, "")
    assert err == "wafd: nonsense is no id of a message: see `wafd parked list`\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            b'{\n  "a": 1,\n}',
            "is not JSON: Expecting property name enclosed in double quotes at line 3, column 1",
        ),
        (b'{\n"a": "\xff"}', "is not UTF-8: see line 2"),
        (b"[" * 100_000, "is nested too deeply"),
    ],
    ids=["a comma too many", "not UTF-8", "deep"],
)
async def test_a_request_that_is_no_json_is_refused_with_its_place(
    database: Database, tmp_path: Path, content: bytes, says: str
) -> None:
    file = tmp_path / "request.json"
    file.write_bytes(content)
    code, out, err = await wafd(database, "submit", str(file), "--key", "k", "--api", "http://127.0.0.1:1")
    assert (code, out) == (2, "")
    assert err.startswith(f"wafd: {file} {says}")


async def test_the_log_says_in_which_zone_its_times_are(database: Database) -> None:
    connection = await asyncpg.connect(database.admin, server_settings={"search_path": "eventlog"})
    await encode_json(connection)
    await connection.execute(
        "INSERT INTO event (id, type, source, subject, time, correlation, data) "
        "VALUES (gen_random_uuid(), 'visits.visit.x.v1', '/wafd/visits', 's', $1, gen_random_uuid(), '{}')",
        datetime(2026, 1, 5, 8, 30, tzinfo=UTC),
    )
    await connection.close()
    for command in (("tail", "--no-follow"), ("search",)):
        code, out, _ = await wafd(database, "log", *command)
        assert code == 0
        assert re.match(r"2026-01-05 08:30:00\.000000Z visits\.visit\.x\.v1 ", out), out


async def test_the_ports_of_a_system_are_its_own(database: Database, tmp_path: Path) -> None:
    for options, says in (
        (["--mailbox-port=18025", "--smtp=127.0.0.1:25"], "does not run beside --smtp"),
        (["--mailbox-port=18025", "--console-port=18025"], "give each its own port"),
    ):
        code, out, err = await wafd(database, "up", f"--data={tmp_path}", *options)
        assert (code, out) == (2, "")
        assert says in err
