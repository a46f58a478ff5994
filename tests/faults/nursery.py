"""Starts service processes by forking one that has everything imported: a restart costs no start-up.

As a program it reads a JSON line for each process to fork, and writes one when it has, and when it ended.
"""

import asyncio
import json
import os
import select
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from embedded.tether import tie


class Nursery:
    """Processes of the chain's services, each its own from the fork on."""

    def __init__(self) -> None:
        self._mother: asyncio.subprocess.Process | None = None
        self._born: asyncio.Queue[int] = asyncio.Queue()
        self._ends: dict[int, asyncio.Future[int]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Import what the services need, once."""
        self._mother = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.nursery",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, process_group=0,
        )  # fmt: skip
        self._reader = asyncio.create_task(self._listen(), name="nursery")

    async def fork(self, service: str, environment: Mapping[str, str], log: Path) -> int:
        """Start a process of ``service``, its output appended to ``log``; returns its process id."""
        assert self._mother is not None
        assert self._mother.stdin is not None
        async with self._turn:
            order = {"service": service, "environment": dict(environment), "log": str(log)}
            self._mother.stdin.write(json.dumps(order).encode() + b"\n")
            return await self._born.get()

    async def ended(self, pid: int) -> int:
        """Wait for the end of a process; its exit code, negative for the signal that killed it."""
        return await asyncio.shield(self._ends[pid])

    async def stop(self) -> None:
        """Kill what still runs."""
        if self._mother is not None:
            assert self._mother.stdin is not None
            self._mother.stdin.close()
            await self._mother.wait()
        if self._reader is not None:
            await self._reader

    async def _listen(self) -> None:
        assert self._mother is not None
        assert self._mother.stdout is not None
        async for line in self._mother.stdout:
            told = json.loads(line)
            if "code" in told:
                self._ends[told["pid"]].set_result(told["code"])
            else:
                self._ends[told["pid"]] = asyncio.get_running_loop().create_future()
                self._born.put_nowait(told["pid"])


def main() -> None:
    """Fork on demand until stdin ends, then kill every child."""
    from tests.faults import chain  # noqa: PLC0415 -- not for those who only start it

    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    children: set[int] = set()
    rest = b""
    while True:
        ready, _, _ = select.select([0, wake], [], [])
        if wake in ready:
            os.read(wake, 4096)
            _bury(children)
        if 0 in ready:
            chunk = os.read(0, 1 << 16)
            if not chunk:
                break
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                children.add(_fork(json.loads(line), chain.serve))
    for child in children:
        os.kill(child, signal.SIGKILL)


def _fork(order: dict[str, Any], serve: Any) -> int:
    mother = os.getpid()
    pid = os.fork()
    if pid:
        _tell(pid=pid)
        return pid
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        tie(signal.SIGKILL, mother)
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.environ.update(order["environment"])
        serve(order["service"])
        code = 0
    except BaseException:  # noqa: BLE001 -- the mother's code must not go on here
        import traceback  # noqa: PLC0415

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _bury(children: set[int]) -> None:
    for child in list(children):
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            children.discard(child)
            _tell(pid=child, code=os.waitstatus_to_exitcode(status))


def _tell(**what: int) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    main()
