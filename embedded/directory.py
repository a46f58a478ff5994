"""The data directory of the embedded servers: made, claimed by one process, with its secrets and logs."""

import fcntl
import json
import os
import secrets
from pathlib import Path
from typing import IO

from embedded.children import EmbeddedServerError

LOG_LIMIT = 10 * 1024 * 1024


class UnusableDirectory(EmbeddedServerError):
    """The data directory {path} cannot be used: {reason}; name another with --data."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"the data directory {path} cannot be used: {reason}; name another with --data")


def claim(data: Path) -> IO[str]:
    """Make the directory and keep other processes out of it until the returned file is closed.

    Raises `UnusableDirectory`.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.geteuid() == 0:  # the database server runs as another user and must pass
            data.chmod(data.stat().st_mode | 0o001)
        lock = (data / "lock").open("a+", encoding="ascii")
    except OSError as problem:
        raise UnusableDirectory(data, problem.strerror or str(problem)) from problem
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        lock.seek(0)
        holder = lock.read().strip()
        lock.close()
        raise UnusableDirectory(data, f"process {holder} of Wafd is running on it") from problem
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def secret(data: Path, name: str) -> str:
    """The secret of this name, generated at its first use and kept in ``secrets.json`` (mode 0600)."""
    file = data / "secrets.json"
    known: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    if name not in known:
        known[name] = secrets.token_urlsafe(24)
        _write_private(file, json.dumps(known, indent=2))
    return known[name]


def _write_private(file: Path, text: str) -> None:
    fresh = file.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(file)


def open_log(file: Path) -> IO[bytes]:
    """Open a server's log for appending; one larger than 10 MiB is first moved to ``<name>.1``."""
    if file.exists() and file.stat().st_size > LOG_LIMIT:
        file.replace(file.with_name(file.name + ".1"))
    return file.open("ab", buffering=0)
