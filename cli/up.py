"""`wafd up`: the whole system on this machine, with embedded servers where no real one is named."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
import structlog
import typer
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from pydantic import SecretStr, TypeAdapter, ValidationError

from cli.target import DEFAULT_DATA, RUN_FILE, SERVICES, check_dsn, command
from embedded import broker, postgres
from embedded.children import EmbeddedServerError, free_port, port_is_taken
from embedded.directory import claim, secret
from embedded.process import Process
from embedded.processes import ProcessRefused, Supervisor, termination
from runtime import logging as wafd_logging
from runtime import operations
from runtime.connection import check_login, connection_options
from runtime.database import migrate
from runtime.errors import OperationError, UsageError
from runtime.settings import Bootstrap, KafkaSettings, load_settings
from services.notifications.mail import Unusable, post

log = structlog.get_logger()

EXAMPLE_CENTRE = Path(__file__).parent.parent / "examples" / "centre.yaml"
MAIL_FROM = "visits@centre.example"
READY_WITHIN = 90.0


@dataclass(frozen=True)
class Choice:
    """Which servers to use and where to listen; None stands for an embedded server."""

    data: Path
    api_port: int
    scheduling_port: int
    console_port: int
    mailbox_port: int
    kafka: str | None
    postgres: str | None
    smtp: str | None


@dataclass(frozen=True)
class Running:
    """Where the parts of the running system are."""

    admin_database: str
    kafka: str
    smtp: str
    mailbox: str | None
    ports: Mapping[str, int]

    def ready_line(self, choice: Choice) -> dict[str, Any]:
        """What is printed on stdout once everything is ready."""
        return {
            "event": "ready",
            "api": f"http://127.0.0.1:{self.ports['visits']}",
            "scheduling": f"http://127.0.0.1:{self.ports['scheduling']}",
            "console": f"http://127.0.0.1:{self.ports['eventlog']}",
            "kafka": self.kafka,
            "postgres": self.admin_database if choice.postgres is None else _bare(choice.postgres),
            "mailbox": self.mailbox,
            "data": str(choice.data),
            "health": {name: f"http://127.0.0.1:{port}/health/ready" for name, port in self.ports.items()},
        }


@command
async def up(
    data: Annotated[Path, typer.Option(help="Where the embedded servers keep their data.")] = DEFAULT_DATA,
    api_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the HTTP API; 0: any.")] = 8000,
    kafka: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="A real Kafka.")] = None,
    postgres: Annotated[
        str | None, typer.Option(metavar="DSN", help="A real PostgreSQL, as its owner.")
    ] = None,
    smtp: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="A real mail server.")] = None,
    console_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the event log's health; 0: any.")
    ] = 0,
    mailbox_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the mailbox page; 0: any.")
    ] = 0,
    scheduling_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the scheduling API; 0: any.")
    ] = 0,
) -> None:
    """Start everything, print one JSON line when it is ready, and run until SIGTERM or Ctrl-C."""
    wafd_logging.configure("up", "info")
    choice = Choice(
        data.absolute(), api_port, scheduling_port, console_port, mailbox_port, kafka, postgres, smtp
    )
    stop = termination()
    try:
        _check(choice)
        async with started(choice, stop) as running:
            if running is not None:
                supervisor, line = running
                print(json.dumps(line), flush=True)
                await _until_stopped(supervisor, stop)
    except ProcessRefused as refusal:
        raise UsageError(str(refusal)) from None
    except EmbeddedServerError as problem:
        raise OperationError(str(problem)) from None


@asynccontextmanager
async def started(
    choice: Choice, stop: asyncio.Event
) -> AsyncIterator[tuple[Supervisor, dict[str, Any]] | None]:
    """Run the system for the length of the block; gives the ready line, or None when stopped before."""
    async with AsyncExitStack() as stack:
        if choice.postgres is not None:  # the embedded server claims its folder itself
            stack.enter_context(claim(choice.data))
        supervisor = await stack.enter_async_context(Supervisor())
        start = asyncio.create_task(_start(choice, supervisor))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({start, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not start.done():
            start.cancel()
            await asyncio.gather(start, return_exceptions=True)
            yield None
            return
        running = start.result()
        line = running.ready_line(choice)
        run_file = choice.data / RUN_FILE
        _write_privately(run_file, {**line, "admin_database": running.admin_database, "pid": os.getpid()})
        stack.callback(run_file.unlink, missing_ok=True)
        yield supervisor, line
        log.info("stopping")


async def _start(choice: Choice, supervisor: Supervisor) -> Running:
    if choice.smtp:
        await _takes_mail(choice.smtp)
    admin_database = choice.postgres or await _embedded_postgres(choice, supervisor)
    passwords = await _migrate(choice, admin_database)
    kafka = (
        await _reached(choice.kafka)
        if choice.kafka
        else await _embedded_broker(choice, supervisor, admin_database)
    )
    smtp, mailbox = (choice.smtp, None) if choice.smtp else await _embedded_mailbox(choice, supervisor)
    fixed = {
        "visits": choice.api_port,
        "scheduling": choice.scheduling_port,
        "eventlog": choice.console_port,
    }
    ports = {name: fixed.get(name) or free_port() for name in SERVICES}
    running = Running(admin_database, kafka, smtp, mailbox, ports)
    for name in SERVICES:
        program = [sys.executable, "-m", "cli.main", "serve", name]
        environment = _environment(choice, running, name, passwords[name])
        await supervisor.run(Process(name, program, environment))
    bases = [f"http://127.0.0.1:{port}" for port in running.ports.values()]
    await supervisor.wait_ready(*bases, within=READY_WITHIN)
    return running


async def _embedded_postgres(choice: Choice, supervisor: Supervisor) -> str:
    server = await postgres.start(choice.data)
    supervisor.adopt(server)
    return server.dsn


async def _embedded_broker(choice: Choice, supervisor: Supervisor, admin_database: str) -> str:
    """Start the broker, which is empty, and have the outboxes refill it; so again whenever it restarts."""

    async def refill() -> None:
        everything_kept = datetime.fromtimestamp(0, UTC)
        for service in SERVICES:
            connection = await asyncpg.connect(admin_database, server_settings={"search_path": service})
            try:
                count = await operations.republish(connection, everything_kept)
            finally:
                await connection.close()
            log.info("events will be published again", of=service, events=count)

    await refill()
    server = await broker.start(choice.data)
    supervisor.adopt(server, refill=refill)
    return server.address


async def _reached(kafka: str) -> str:
    """Make sure that a broker answers before four services wait for it. Raises `UsageError`."""
    settings = load_settings(KafkaSettings, kafka=kafka)
    await check_login(settings)
    client = AIOKafkaClient(**connection_options(settings), request_timeout_ms=5000)
    try:
        async with asyncio.timeout(15):
            await client.bootstrap()
    except (KafkaError, OSError) as error:
        raise UsageError(f"no Kafka answers at {kafka} ({type(error).__name__}): correct --kafka") from None
    finally:
        await client.close()
    return kafka


async def _takes_mail(smtp: str) -> None:
    """Make sure that a mail server answers and takes messages of the Centre. Raises `UsageError`."""
    try:
        await post(f"smtp://{smtp}", "offered").check(os.environ.get("WAFD_MAIL_FROM", MAIL_FROM))
    except Unusable as error:
        raise UsageError(f"no mail can be sent by {smtp} ({error}): correct --smtp") from None


async def _embedded_mailbox(choice: Choice, supervisor: Supervisor) -> tuple[str, str]:
    smtp, http = free_port(), choice.mailbox_port or free_port()
    ports = [f"--smtp-port={smtp}", f"--http-port={http}"]
    program = [sys.executable, "-m", "embedded.mailbox", f"--data={choice.data}", *ports]
    process = Process("mailbox", program)
    await process.start()
    supervisor.adopt(process)
    url = f"http://127.0.0.1:{http}"
    await supervisor.wait_ready(url, within=READY_WITHIN)
    return f"127.0.0.1:{smtp}", url


async def _migrate(choice: Choice, admin_database: str) -> dict[str, str]:
    """Bring every schema up to date; returns the services' passwords."""
    choice.data.mkdir(parents=True, exist_ok=True)
    passwords = {name: secret(choice.data, f"role-{name}") for name in SERVICES}
    try:
        admin = await asyncpg.connect(admin_database, timeout=10)
        for name, password in passwords.items():
            applied = await migrate(admin, name, SecretStr(password))
            if applied:
                log.info("migrated", of=name, migrations=applied)
        await admin.close()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError) as error:
        raise UsageError(
            f"the database cannot be prepared ({str(error) or type(error).__name__}); "
            "--postgres needs the DSN of an owner who may create roles, schemas and extensions"
        ) from error
    return passwords


def _environment(choice: Choice, running: Running, service: str, password: str) -> dict[str, str]:
    parts = urlsplit(running.admin_database)
    place = parts.netloc.rpartition("@")[2]
    login = urlunsplit(parts._replace(netloc=f"wafd_{service}:{quote(password, safe='')}@{place}"))
    fixed = {
        "WAFD_DATABASE": login,
        "WAFD_KAFKA": running.kafka,
        "WAFD_HTTP_HOST": "127.0.0.1",
        "WAFD_HTTP_PORT": str(running.ports[service]),
        "WAFD_SMTP": f"smtp://{running.smtp}",
    }
    chosen = {
        "WAFD_MAIL_FROM": MAIL_FROM,
        "WAFD_MAIL_DOMAIN": "centre.example",
        "WAFD_OFFICE_EMAIL": "protocol@centre.example",
        "WAFD_CENTRE": str(EXAMPLE_CENTRE),
    }
    if choice.kafka is None:  # it lets a member join after half its session time
        chosen["WAFD_KAFKA_SESSION_SECONDS"] = "2"
    return {**{name: os.environ.get(name, value) for name, value in chosen.items()}, **fixed}


def _check(choice: Choice) -> None:
    for option, value in (("--kafka", choice.kafka), ("--smtp", choice.smtp)):
        if value is not None and not _is_address(value):
            raise UsageError(f"{option} {value} is no address: write HOST:PORT")
    if choice.postgres is not None:
        check_dsn("--postgres", choice.postgres)
    if choice.data.exists():
        claim(choice.data).close()  # the folder first: with another port it would still be in use
    if choice.mailbox_port and choice.smtp:
        raise UsageError("--mailbox-port is of the embedded mailbox, which does not run beside --smtp")
    named = {
        "--api-port": choice.api_port,
        "--scheduling-port": choice.scheduling_port,
        "--console-port": choice.console_port,
        "--mailbox-port": choice.mailbox_port,
    }
    for option, port in named.items():
        if port and list(named.values()).count(port) > 1:
            raise UsageError(f"{option} {port} is named for another part, too: give each its own port")
        if port and port_is_taken(port):
            raise UsageError(f"port {port} is taken by another program: choose one with {option}")


def _is_address(value: str) -> bool:
    try:
        return "@" not in value and "/" not in value and bool(TypeAdapter(Bootstrap).validate_python(value))
    except ValidationError:
        return False


def _bare(dsn: str) -> str:
    parts = urlsplit(dsn)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


def _write_privately(path: Path, content: Mapping[str, Any]) -> None:
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    fresh.replace(path)


async def _until_stopped(supervisor: Supervisor, stop: asyncio.Event) -> None:
    """Wait for a signal. Raises `ProcessRefused` when a service cannot run as it was started."""
    refused = asyncio.create_task(supervisor.refused())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({refused, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if refused.done():
        raise refused.result()
    refused.cancel()
