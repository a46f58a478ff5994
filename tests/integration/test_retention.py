"""What is kept how long: a replay must never reach past what the inboxes remember."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import database as module
from runtime.database import migrate
from runtime.errors import UsageError
from runtime.inbox import receive
from runtime.leases import SHARDS
from runtime.operations import republish
from runtime.outbox import SQL
from runtime.retention import sweep
from runtime.ring import OUTBOX_DAYS, expired_slots, slot
from runtime.settings import Settings
from runtime.transaction import Transactions
from schemas.eventlog import OperatorActed, OperatorPeople
from tests.conftest import Database, OpenTransactions


def id_of(age: timedelta, number: int = 0) -> UUID:
    """A UUIDv7 as it was drawn that long ago."""
    milliseconds = int((datetime.now(UTC) - age).timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | number)


async def test_partitions_past_their_retention_are_emptied_and_what_waits_is_kept(
    transactions: OpenTransactions, database: Database
) -> None:
    open_ = await transactions("eventlog")
    admin = await asyncpg.connect(database.admin, server_settings={"search_path": "eventlog"})
    ages = {"young": 6, "old": 8, "older": 9, "waiting": 10}
    for seq, (key, days) in enumerate(ages.items()):
        id_ = id_of(timedelta(days=days))
        await admin.execute(
            "INSERT INTO outbox (slot, id, seq, topic, key, shard, type, correlation, payload) "
            "VALUES ($1, $2, $3, 't', $4, 0, 't', $2, '')",
            slot(id_, OUTBOX_DAYS), id_, seq, key,
        )  # fmt: skip
    waiting = id_of(timedelta(days=10))
    await admin.execute(
        "INSERT INTO unpublished (seq, slot, id, shard) VALUES (3, $1, $2, 0)",
        slot(waiting, OUTBOX_DAYS), waiting,
    )  # fmt: skip
    ids = [id_of(timedelta(days=days)) for days in (0, 13, 15, 20)]
    async with open_() as tx:
        await receive(tx, [*ids, uuid4()])
    await admin.execute("UPDATE inbox SET received_at = now() - interval '15 days' WHERE slot = 32")
    settings = Settings.model_validate({"database": database.admin, "kafka": "127.0.0.1:9"})
    for _ in range(8):  # one partition a time
        async with open_() as tx:
            await sweep(tx, settings)
    assert {row["key"] for row in await admin.fetch("SELECT key FROM outbox")} == {"young", "waiting"}
    assert {row["id"] for row in await admin.fetch("SELECT id FROM inbox")} == set(ids[:2])
    assert await admin.fetchval("SELECT begins > now() - interval '15 days' FROM inbox_memory")
    due = await admin.fetchval("SELECT due_at - now() FROM timer WHERE name = 'sweep'")
    assert due > timedelta(minutes=59)
    await admin.close()


async def test_a_partition_in_use_is_emptied_later(
    transactions: OpenTransactions, database: Database
) -> None:
    open_ = await transactions("eventlog")
    old = id_of(timedelta(days=15))
    async with open_() as tx:
        await receive(tx, [old])
    settings = Settings.model_validate({"database": database.admin, "kafka": "127.0.0.1:9"})
    async with open_() as reader:
        await reader.connection.fetch("SELECT * FROM inbox")
        async with open_() as tx:
            await sweep(tx, settings)
            assert await tx.connection.fetchval("SELECT due_at - now() FROM timer") < timedelta(minutes=1)
    async with open_() as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM inbox") == 1
        await sweep(tx, settings)
        assert await tx.connection.fetchval("SELECT count(*) FROM inbox") == 0


async def test_what_becomes_unpublished_while_the_sweep_waits_for_its_lock_is_kept(
    transactions: OpenTransactions, database: Database
) -> None:
    open_ = await transactions("eventlog")
    old = id_of(timedelta(days=9))
    admin = await asyncpg.connect(database.admin, server_settings={"search_path": "eventlog"})
    await admin.execute(
        "INSERT INTO outbox (slot, id, seq, topic, key, shard, type, correlation, payload, recorded_at) "
        "VALUES ($1, $2, 1, 't', 'k', 0, 't', $2, '', 'epoch')",
        slot(old, OUTBOX_DAYS), old,
    )  # fmt: skip
    settings = Settings.model_validate({"database": database.admin, "kafka": "127.0.0.1:9"})

    async def swept() -> timedelta:
        """How long after one sweep the next is due: soon when it did not get its lock."""
        async with open_() as tx:
            await sweep(tx, settings)
        due: timedelta = await admin.fetchval("SELECT due_at - now() FROM timer WHERE name = 'sweep'")
        return due

    for _ in range(50):  # the lock is waited for no longer than 100 ms, which a busy machine may miss
        async with admin.transaction():
            await republish(admin, datetime.fromtimestamp(0, UTC))
            sweeping = asyncio.create_task(swept())
            async with asyncio.timeout(10):
                while not sweeping.done() and not await open_.pool.fetchval(
                    "SELECT count(*) FROM pg_locks WHERE NOT granted"
                ):
                    await asyncio.sleep(0.005)
        if await sweeping > timedelta(minutes=59):
            break
        await admin.execute("DELETE FROM unpublished")
    assert await sweeping > timedelta(minutes=59), "it never got its lock"
    assert await admin.fetchval("SELECT count(*) FROM outbox") == 1
    await admin.close()


async def test_what_the_outbox_keeps_is_published_again_in_its_order(
    transactions: OpenTransactions,
) -> None:
    open_ = await transactions("eventlog")
    for name in ("a", "b", "c"):
        async with open_() as tx:
            data = OperatorActed(action=name, target="t", reason="r", people=OperatorPeople(operator="o"))
            tx.emit(data, subject=name)
    async with open_() as tx:
        await tx.connection.execute("DELETE FROM unpublished WHERE seq < (SELECT max(seq) FROM unpublished)")
        await tx.connection.execute(
            "UPDATE outbox SET recorded_at = now() - interval '8 days' WHERE key = 'a'"
        )
        assert await republish(tx.connection, tx.now - timedelta(days=7)) == 1
        rows = await tx.connection.fetch(SQL["unpublished"], 10, list(range(SHARDS)))
    assert [row["key"] for row in rows] == ["b", "c"]


@pytest.mark.parametrize("days", [-30, 30])
async def test_a_clock_that_is_wrong_by_days_empties_nothing(
    transactions: OpenTransactions, database: Database, days: int
) -> None:
    open_ = await transactions("eventlog")
    async with open_() as tx:
        await receive(tx, [id_of(timedelta(days=20)), id_of(timedelta(0))])
    settings = Settings.model_validate({"database": database.admin, "kafka": "127.0.0.1:9"})
    wrong = Transactions(open_.pool, lambda: datetime.now(UTC) + timedelta(days=days))
    async with wrong() as tx:
        await sweep(tx, settings)
    assert await open_.pool.fetchval("SELECT count(*) FROM inbox") == 2
    assert await open_.pool.fetchval("SELECT begins FROM inbox_memory") == datetime.fromtimestamp(0, UTC)


@given(age=st.timedeltas(timedelta(0), timedelta(days=60)), retention=st.integers(1, 13))
def test_no_slot_of_an_id_within_its_retention_is_expired(age: timedelta, retention: int) -> None:
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    id_ = UUID(int=int((now - age).timestamp() * 1000) << 80 | 7 << 76 | 2 << 62)
    expired = slot(id_, OUTBOX_DAYS) in expired_slots(now, timedelta(days=retention), OUTBOX_DAYS)
    if age <= timedelta(days=retention):
        assert not expired
    elif timedelta(days=retention + 1) <= age < timedelta(days=OUTBOX_DAYS - 2):
        assert expired


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
