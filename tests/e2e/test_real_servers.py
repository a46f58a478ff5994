"""`wafd up` on servers that it did not start: it uses them, stops without them, and says what is wrong."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from aiokafka.client import AIOKafkaClient

from embedded import broker, postgres
from embedded.children import free_port
from embedded.process import Process
from embedded.processes import Supervisor
from services.visits.clients import Role
from tests.e2e.stack import Stack, request

pytestmark = pytest.mark.e2e

PASSWORD = "of-the-owner"


@dataclass(frozen=True)
class Servers:
    """Where the servers of others are."""

    postgres: str
    """As an owner who may create roles and is no superuser."""
    kafka: str
    smtp: str
    mailbox: str

    def options(self, **instead: str) -> list[str]:
        named = {"kafka": self.kafka, "postgres": self.postgres, "smtp": self.smtp, **instead}
        return [f"--{name}={value}" for name, value in named.items()]

    def dsn(self, **instead: str) -> str:
        return urlunsplit(urlsplit(self.postgres)._replace(**instead))


@pytest.fixture(scope="module")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Servers]:
    data, smtp, page = tmp_path_factory.mktemp("servers"), free_port(), free_port()
    ports = (f"--smtp-port={smtp}", f"--http-port={page}")
    mailbox = Process("mailbox", [sys.executable, "-m", "embedded.mailbox", f"--data={data}", *ports])
    url = f"http://127.0.0.1:{page}"
    async with Supervisor() as supervisor:
        database = await postgres.start(data)
        supervisor.adopt(database)
        kafka = await broker.start(data)
        supervisor.adopt(kafka)
        await supervisor.run(mailbox)
        await supervisor.wait_ready(url)
        yield Servers(await owned(database.dsn), kafka.address, f"127.0.0.1:{smtp}", url)


async def owned(dsn: str) -> str:
    """The DSN of a database with an owner of its own."""
    admin = await asyncpg.connect(dsn)
    await admin.execute(f"CREATE ROLE keeper LOGIN CREATEROLE PASSWORD '{PASSWORD}'")
    await admin.execute("CREATE DATABASE visits_of_the_centre OWNER keeper")
    await admin.close()
    place = f"keeper:{PASSWORD}@{urlsplit(dsn).netloc.rpartition('@')[2]}"
    return urlunsplit(urlsplit(dsn)._replace(netloc=place, path="/visits_of_the_centre"))


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    """A system that does not outlive its test, not even a failing one."""
    made = Stack(tmp_path)
    yield made
    if made.process:
        await made.stop()


async def test_the_main_job_is_done_on_named_servers_which_outlive_it(
    tmp_path: Path, stack: Stack, servers: Servers
) -> None:
    await stack.start(*servers.options())
    assert stack.ready["postgres"] == servers.postgres.replace(f"keeper:{PASSWORD}@", "")
    assert (stack.ready["kafka"], stack.ready["mailbox"]) == (servers.kafka, None)
    stack.ready |= {"postgres": servers.postgres, "mailbox": servers.mailbox}

    key, officer = await stack.key("Ministry"), await stack.key("Officer", Role.OFFICER)
    body = request("04-uk-ambassador-courtesy")
    visit = await stack.submit(key, body)
    await stack.approve(officer, visit)
    assert await stack.until_state(key, visit, "proposed", "waitlisted") == "proposed"
    told = await stack.until_told(visit, "scheduling.programme.proposed.v1")
    assert {row["state"] for row in told} == {"delivered"}
    notices = {str(row["id"]) for row in told if row["address"] == body["focal_point"]["email"]}
    arrived = await stack.messages(body["focal_point"]["email"])
    assert len(notices) == 1
    assert notices < {message["message_id"].strip("<>").partition("@")[0] for message in arrived}

    assert await stack.stop() == 0
    assert PASSWORD not in (tmp_path / "wafd.log").read_text()
    assert not (tmp_path / "postgres").exists()
    assert await stack.messages()
    connection = await asyncpg.connect(servers.postgres)
    assert await connection.fetchval("SELECT count(*) FROM visits.outbox") > 0
    await connection.close()
    client = AIOKafkaClient(bootstrap_servers=servers.kafka)
    await client.bootstrap()
    await client.close()


async def refusal(data: Path, *options: str) -> tuple[int, str]:
    """Start it in the expectation that it ends; its exit code and last words."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", "up", f"--data={data}", "--api-port=0", *options),
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(240):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert out == b""
    assert b"Traceback" not in err
    assert PASSWORD not in err.decode()
    return process.returncode or 0, err.decode().splitlines()[-1]


async def test_a_refused_login_is_said_in_a_sentence(tmp_path: Path, servers: Servers) -> None:
    wrong = servers.postgres.replace(PASSWORD, "guessed")
    code, sentence = await refusal(tmp_path, *servers.options(postgres=wrong))
    assert code == 2
    assert sentence.startswith(
        "wafd: the database cannot be prepared (password authentication failed for user"
    )


async def test_a_database_that_does_not_exist_is_named(tmp_path: Path, servers: Servers) -> None:
    code, sentence = await refusal(tmp_path, *servers.options(postgres=servers.dsn(path="/elsewhere")))
    assert code == 2
    assert 'database "elsewhere" does not exist' in sentence


async def test_an_owner_who_may_not_create_roles_is_told_what_is_needed(
    tmp_path: Path, servers: Servers
) -> None:
    keeper = await asyncpg.connect(servers.postgres)
    await keeper.execute(f"CREATE ROLE guest LOGIN PASSWORD '{PASSWORD}'")
    await keeper.close()
    guest = servers.dsn(path="/postgres").replace("//keeper:", "//guest:")
    code, sentence = await refusal(tmp_path, *servers.options(postgres=guest))
    assert code == 2
    assert "--postgres needs the DSN of an owner who may create roles, schemas and extensions" in sentence


async def test_a_database_server_that_is_away_is_given_up_at_once(tmp_path: Path, servers: Servers) -> None:
    away = f"postgresql://keeper:{PASSWORD}@127.0.0.1:{free_port()}/wafd"
    code, sentence = await refusal(tmp_path, *servers.options(postgres=away))
    assert code == 2
    assert sentence.startswith("wafd: the database cannot be prepared (")


async def test_a_database_server_that_never_answers_is_given_up(tmp_path: Path, servers: Servers) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dsn = f"postgresql://keeper:{PASSWORD}@127.0.0.1:{silent.getsockname()[1]}/wafd"
        code, sentence = await refusal(tmp_path, *servers.options(postgres=dsn))
    assert code == 2
    assert sentence.startswith("wafd: the database cannot be prepared (")


async def test_a_mail_server_that_is_away_is_named(tmp_path: Path, servers: Servers) -> None:
    away = f"127.0.0.1:{free_port()}"
    code, sentence = await refusal(tmp_path, *servers.options(smtp=away))
    assert code == 2
    assert sentence.startswith(f"wafd: no mail can be sent by {away} (the mail server cannot be reached")
    assert sentence.endswith("correct --smtp")


async def test_a_broker_that_is_away_is_named(tmp_path: Path, servers: Servers) -> None:
    away = f"127.0.0.1:{free_port()}"
    code, sentence = await refusal(tmp_path, *servers.options(kafka=away))
    assert code == 2
    assert sentence.startswith(f"wafd: no Kafka answers at {away}")
