"""One program of ours as a child process, its output passed on line by line."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from embedded.children import NotRunning, end, ended, spawn

STOPS_WITHIN: Final = 20.0
WRONG_USE: Final = 2
"""The exit code of a process whose settings are wrong: starting it again would not help."""


@dataclass
class Process:
    """A program of ours whose output, JSON lines, goes to our stderr line by line unbroken."""

    name: str
    program: Sequence[str | Path]
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables set in addition to our own environment."""
    last_line: str = field(default="", init=False)
    """What it said last: the sentence of a command line that ends with `WRONG_USE`."""
    _process: asyncio.subprocess.Process | None = field(default=None, init=False, repr=False)
    _relay: asyncio.Task[None] | None = field(default=None, init=False, repr=False)

    @property
    def pid(self) -> int:
        """The process id. Raises `NotRunning`."""
        if self._process is None:
            raise NotRunning(self.name)
        return self._process.pid

    async def start(self) -> None:
        """Start the program; returns at once. Raises OSError when there is no such program."""
        self._process = None
        reader, writer = os.pipe()
        try:
            self._process = await spawn(
                self.program, dies_by=signal.SIGTERM, output=writer, env={**os.environ, **self.env}
            )
        except BaseException:
            os.close(reader)
            raise
        finally:
            os.close(writer)
        self._relay = asyncio.create_task(self._pass_on(reader), name=f"output of {self.name}")

    async def wait(self) -> int:
        """Wait until it ended and all it said was passed on; returns its exit code."""
        code = await ended(self._process) if self._process else 0
        if self._relay:
            await asyncio.wait({self._relay}, timeout=1)
        return code

    async def stop(self) -> None:
        """Send SIGTERM, wait up to 20 s, then kill it with all its children."""
        if self._process:
            await end(self._process, signal.SIGTERM, within=STOPS_WITHIN)
            await self.wait()
        if self._relay:
            self._relay.cancel()
        self._process = self._relay = None

    def kill(self) -> None:
        """End the program at once, as a crash would."""
        if self._process and self._process.returncode is None:
            self._process.kill()

    async def _pass_on(self, pipe: int) -> None:
        lines = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(lines), os.fdopen(pipe, "rb", buffering=0)
        )
        try:
            rest = b""
            while chunk := await lines.read(1 << 16):
                whole, newline, rest = (rest + chunk).rpartition(b"\n")
                await self._say(whole + newline)
            await self._say(rest + b"\n" if rest else b"")
        finally:
            transport.close()

    async def _say(self, lines: bytes) -> None:
        if lines.strip():
            self.last_line = lines.split(b"\n")[-2].decode(errors="replace")
            await asyncio.to_thread(_write, lines)


def _write(lines: bytes) -> None:
    """Write whole lines; in a thread, so that a reader of ours who stalls does not stall the watch."""
    with suppress(OSError, ValueError):  # nobody reads any more: that must not end the services
        sys.stderr.buffer.write(lines)
        sys.stderr.buffer.flush()
