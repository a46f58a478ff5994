"""Starts and ends child processes: each in a process group of its own, none outliving this process."""

import asyncio
import os
import secrets
import signal
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from embedded.tether import tethered


class EmbeddedServerError(RuntimeError):
    """An embedded server cannot run here; the message is one sentence for the user."""


class NotInstalled(EmbeddedServerError):
    """The package {package} is not installed: install Wafd with its extra, wafd[embedded]."""

    def __init__(self, package: str) -> None:
        super().__init__(
            f"the package {package} is not installed: install Wafd with its extra, wafd[embedded], "
            "or name servers of your own"
        )


class NotRunning(EmbeddedServerError):
    """{name} is not running."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not running")


async def spawn(
    program: Sequence[str | Path],
    *,
    dies_by: signal.Signals,
    output: int | IO[bytes],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    user: int | None = None,
    reach: bool = False,
) -> asyncio.subprocess.Process:
    """Start ``program`` (an absolute path and its arguments) with stdout and stderr in ``output``.

    On Linux the kernel sends it ``dies_by`` when the thread that called this dies: call it from the main
    thread. Its own process group keeps a Ctrl-C at the terminal from reaching it before us. As root,
    ``user`` is the uid it runs as; ``reach`` lets that user enter folders that are closed to it.
    ``env`` replaces the environment. Raises OSError when it cannot be started.
    """
    return await asyncio.create_subprocess_exec(
        *tethered(program, dies_by, user=user, reach=reach),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env=env,
        cwd=cwd,
        process_group=0,
    )


async def ended(process: asyncio.subprocess.Process) -> int:
    """Wait until the process ends, then kill what it left behind in its group; returns its exit code."""
    code = await process.wait()
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    return code


async def end(process: asyncio.subprocess.Process, by: signal.Signals, *, within: float) -> int:
    """Send ``by``, wait ``within`` seconds, then kill the whole process group; returns the exit code."""
    if process.returncode is not None:
        return process.returncode
    with suppress(ProcessLookupError):
        process.send_signal(by)
    try:
        return await asyncio.wait_for(ended(process), within)
    except TimeoutError:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        return await ended(process)


def installed(package: str) -> Path:
    """The folder of a package of the extra `embedded`, found without running its code.

    Raises `NotInstalled`.
    """
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise NotInstalled(package)
    return Path(found.submodule_search_locations[0])


_chosen: set[int] = set()
"""Ports that `free_port` has given away: their servers may not listen yet."""


def free_port() -> int:
    """A TCP port of the loopback address that nothing listens on at this moment.

    Chosen by chance below the ports that systems give to outgoing connections, and never twice, so that
    hardly anybody takes it before its server does.
    """
    while (port := secrets.choice(range(20_000, 32_000))) in _chosen or port_is_taken(port):
        continue
    _chosen.add(port)
    return port


def port_is_taken(port: int) -> bool:
    """Whether something listens on this TCP port of the loopback address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
