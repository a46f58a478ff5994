"""What is kept how long: a replay must never reach past what the inboxes remember."""

from datetime import timedelta

import asyncpg
import pytest

from runtime import database as module
from runtime.database import migrate
from runtime.errors import UsageError
from runtime.operations import republish
from runtime.retention import sweep
from runtime.settings import Settings
from schemas.eventlog import OperatorActed, OperatorPeople
from tests.conftest import Database, OpenTransactions


async def test_a_replayed_event_is_swept_by_its_age_and_an_old_one_is_not_replayed(
    transactions: OpenTransactions, database: Database
) -> None:
    open_ = await transactions("eventlog")
    for name in ("young", "old", "waiting"):
        async with open_() as tx:
            data = OperatorActed(action=name, target="t", reason="r", people=OperatorPeople(operator="o"))
            tx.emit(data, subject=name)
    admin = await asyncpg.connect(database.admin, server_settings={"search_path": "eventlog"})
    await admin.execute("UPDATE outbox SET published_at = now() WHERE key <> 'waiting'")
    await admin.execute("UPDATE outbox SET recorded_at = now() - interval '8 days' WHERE key <> 'young'")
    async with open_() as tx:
        assert await republish(tx.connection, tx.now - timedelta(days=7)) == 1
    await admin.execute("UPDATE outbox SET published_at = now() WHERE key <> 'waiting'")
    await admin.execute(
        "INSERT INTO inbox (id, received_at) SELECT id, now() - interval '13 days' FROM outbox"
    )
    settings = Settings.model_validate({"database": database.admin, "kafka": "127.0.0.1:9"})
    async with open_() as tx:
        await sweep(tx, settings)
    assert {row["key"] for row in await admin.fetch("SELECT key FROM outbox")} == {"young", "waiting"}
    assert await admin.fetchval("SELECT count(*) FROM inbox") == 3
    await admin.close()


async def test_settled_messages_lose_their_content_after_their_time_and_parked_ones_never(
    transactions: OpenTransactions, database: Database
) -> None:
    open_ = await transactions("eventlog")
    admin = await asyncpg.connect(database.admin, server_settings={"search_path": "eventlog"})
    await admin.execute(
        "INSERT INTO parked (id, topic, partition, record_offset, key, headers, value, cause, fingerprint, "
        "    state, settled_at, reason) "
        "SELECT gen_random_uuid(), 't', 0, 0, state, '[]', 'v', 'c', 'f', "
        "    state, CASE WHEN state <> 'parked' THEN now() - interval '15 days' END, 'r' "
        "FROM unnest(ARRAY['parked', 'redriven', 'discarded']) AS kind (state)"
    )
    settings = Settings.model_validate({"database": database.admin, "kafka": "127.0.0.1:9"})
    async with open_() as tx:
        await sweep(tx, settings)
    rows = await admin.fetch("SELECT key FROM parked WHERE value IS NOT NULL")
    assert [row["key"] for row in rows] == ["parked"]
    await admin.close()


async def test_a_migration_that_was_changed_after_it_ran_is_refused(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = await asyncpg.connect(database.admin)
    assert await migrate(admin, "eventlog", None) == []
    original = module.migrations("eventlog")
    changed = {name: text + "\n-- changed" for name, text in original.items()}
    monkeypatch.setattr(module, "migrations", lambda _service: changed)
    with pytest.raises(UsageError, match="was changed after it had been applied"):
        await migrate(admin, "eventlog", None)
    more = {**original, "eventlog/9999_broken.sql": "CREATE TABLE half (x int); SELECT no_such_function();"}
    monkeypatch.setattr(module, "migrations", lambda _service: more)
    with pytest.raises(asyncpg.UndefinedFunctionError):
        await migrate(admin, "eventlog", None)
    assert await admin.fetchval("SELECT to_regclass('eventlog.half')") is None
    await admin.close()


async def test_a_service_may_touch_its_own_rows_and_nothing_else(database: Database) -> None:
    connection = await asyncpg.connect(database.dsn("eventlog"))
    await connection.execute("DELETE FROM eventlog.event")
    for statement in (
        "SELECT * FROM visits.visit",
        "SELECT * FROM visits.outbox",
        "CREATE TABLE eventlog.mine (x int)",
        "DELETE FROM eventlog.migration",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    await connection.close()
