"""A PostgreSQL of the system that speaks German: nothing may hang on the words of an error."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import asyncpg

from embedded.children import end, ended, free_port, spawn
from embedded.cluster import closed_to, server_user
from embedded.directory import open_log

PROGRAMS = Path("/usr/lib/postgresql")
TRANSLATIONS = Path("/usr/share/locale/de/LC_MESSAGES")
OLDEST = 15
STARTS_WITHIN = 60.0
ENVIRONMENT = {"PATH": os.defpath, "LC_CTYPE": "C.UTF-8", "LC_MESSAGES": "C.UTF-8", "LANGUAGE": "de"}
"""The translations are found by LANGUAGE, in any locale but C; so German need not be installed."""

SETTINGS = ("--listen_addresses=127.0.0.1", "--unix_socket_directories=", "--lc_messages=C.UTF-8")


class Foreign(NamedTuple):
    """Where the server is."""

    port: int

    @property
    def dsn(self) -> str:
        """The superuser's DSN."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"


def programs() -> Path | None:
    """The folder of the programs of the newest version that is translated, if there is one."""
    versions = [int(folder.name) for folder in PROGRAMS.glob("[0-9]*") if folder.name.isdecimal()]
    for version in sorted(versions, reverse=True):
        folder = PROGRAMS / str(version) / "bin"
        if version >= OLDEST and (folder / "postgres").exists():
            return folder if (TRANSLATIONS / f"postgres-{version}.mo").exists() else None
    return None


@asynccontextmanager
async def german_postgres(data: Path, folder: Path) -> AsyncIterator[Foreign]:
    """Run the server whose programs are in ``folder`` on a new cluster in ``data``."""
    cluster, user, port = data / "cluster", server_user(data / "cluster"), free_port()
    cluster.mkdir(parents=True, mode=0o700)
    if user is not None:
        os.chown(cluster, user, user)
    reach = closed_to(user, cluster)
    with open_log(data / "postgres.log") as log:
        made = await spawn(
            [folder / "initdb", "--pgdata", cluster, "--username=postgres", "--auth=trust", "--no-sync"],
            dies_by=signal.SIGTERM, output=log, env=ENVIRONMENT, user=user, reach=reach,
        )  # fmt: skip
        assert await ended(made) == 0, (data / "postgres.log").read_text()
        server = await spawn(
            [folder / "postgres", "-D", cluster, f"--port={port}", *SETTINGS],
            dies_by=signal.SIGINT, output=log, env=ENVIRONMENT, user=user, reach=reach,
        )  # fmt: skip
    try:
        await _until_german(Foreign(port))
        yield Foreign(port)
    finally:
        await end(server, signal.SIGINT, within=30)


async def _until_german(server: Foreign) -> None:
    async with asyncio.timeout(STARTS_WITHIN):
        while True:
            with suppress(OSError, asyncpg.CannotConnectNowError):
                connection = await asyncpg.connect(server.dsn)
                break
            await asyncio.sleep(0.1)
    try:
        await connection.execute("SELECT 1 / 0")
    except asyncpg.DivisionByZeroError as error:
        assert str(error) == "Division durch Null"  # noqa: PT017 -- the driver's own class is not the point
    finally:
        await connection.close()
