"""Runs Wafd's processes side by side: restarts one that dies, relays its logs, stops all in order."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

import structlog

from embedded.children import EmbeddedServerError, NotRunning, end, ended, spawn
from embedded.probe import why_not_ready

log = structlog.get_logger()

FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 5.0
HEALTHY_AFTER: Final = 30.0
"""A process that ran this long starts anew with the first pause, and its settings are not to blame."""

STOPS_WITHIN: Final = 20.0
WRONG_USE: Final = 2
"""The exit code of a process whose settings are wrong: starting it again would not help."""


class ProcessRefused(EmbeddedServerError):
    """{name} cannot run as it was started: {sentence}."""

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(f"{name} cannot run as it was started: {sentence}")
        self.name = name


class NotReady(EmbeddedServerError):
    """Not ready within {seconds} s: {reasons}."""

    def __init__(self, seconds: float, reasons: Sequence[str]) -> None:
        super().__init__(f"not ready within {seconds:.0f} s: {'; '.join(reasons)}")


class Server(Protocol):
    """Anything that runs beside us: a `Process`, `embedded.postgres.Postgres`, `embedded.broker.Broker`."""

    name: str

    async def start(self) -> None:
        """Start it, also again after it ended; raises `EmbeddedServerError` when it cannot run."""

    async def wait(self) -> int:
        """Wait until it ends; returns its exit code."""

    async def stop(self) -> None:
        """End it gracefully, or by force when it takes too long."""


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


class Supervisor:
    """Watches servers and restarts one that ends unexpectedly; leaving its context stops all.

    One that ends soon after its start with `WRONG_USE` is not restarted: `refused` tells.
    """

    def __init__(self) -> None:
        self._adopted: list[Server] = []
        self._services: list[Process] = []
        self._may_run = asyncio.Event()
        self._may_run.set()
        self._watches: list[asyncio.Task[None]] = []
        self._refusal: asyncio.Future[ProcessRefused] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def adopt(self, server: Server, *, refill: Callable[[], Awaitable[None]] | None = None) -> None:
        """Watch a server that was started already; it outlives the services and those adopted later.

        One that comes back empty, as a broker in memory does, has a ``refill``: the services are ended
        before it restarts and start again after ``refill``. A consumer that lived on would take up in the
        new log where it was in the old one, and skip what lies before.
        """
        self._adopted.append(server)
        self._watches.append(asyncio.create_task(self._watch(server, refill), name=f"watch {server.name}"))

    async def run(self, service: Process) -> None:
        """Start a service and watch it."""
        await service.start()
        self._services.append(service)
        self._watches.append(asyncio.create_task(self._watch(service, None), name=f"watch {service.name}"))

    async def refused(self) -> ProcessRefused:
        """Wait until a process cannot run as it was started; returns the sentence as an exception."""
        return await asyncio.shield(self._refusal)

    async def wait_ready(self, *urls: str, within: float = 60.0) -> None:
        """Poll ``<url>/health/ready`` of every base URL until each answers 200.

        Raises `ProcessRefused`, or `NotReady` with each one's reason after ``within`` seconds.
        """
        reasons = dict.fromkeys(urls, "not asked yet")
        try:
            async with asyncio.timeout(within):
                while reasons:
                    if self._refusal.done():
                        raise self._refusal.result()
                    answers = await asyncio.gather(
                        *(asyncio.to_thread(why_not_ready, url) for url in reasons)
                    )
                    pairs = zip(reasons, answers, strict=True)
                    reasons = {url: reason for url, reason in pairs if reason is not None}
                    await asyncio.sleep(0.1 if reasons else 0)
        except TimeoutError:
            raise NotReady(within, [f"{url}: {reason}" for url, reason in reasons.items()]) from None

    async def stop(self) -> None:
        """Stop the services all at once, then the adopted servers, the last one first."""
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)
        await asyncio.gather(*(service.stop() for service in self._services))
        for server in reversed(self._adopted):
            await server.stop()
        self._watches, self._services, self._adopted = [], [], []

    async def _watch(self, server: Server, refill: Callable[[], Awaitable[None]] | None) -> None:
        clock, pause = asyncio.get_running_loop().time, FIRST_PAUSE
        while True:
            since = clock()
            code = await server.wait()
            soon = clock() - since < HEALTHY_AFTER
            if soon and code == WRONG_USE and isinstance(server, Process):
                self._refuse(server)
                return
            pause = pause if soon else FIRST_PAUSE
            log.warning("process ended unexpectedly", process=server.name, code=code, restart_in=pause)
            if refill:
                await self._end_services()
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
            await self._restart(server, refill)

    async def _end_services(self) -> None:
        """Kill the services, which lose nothing by it, and hold back their restart."""
        self._may_run.clear()
        for service in self._services:
            service.kill()
        log.warning("services ended until their broker is back", services=len(self._services))

    async def _restart(self, server: Server, refill: Callable[[], Awaitable[None]] | None) -> None:
        try:
            if server in self._services:
                await self._may_run.wait()
            await server.start()
            if refill:
                await refill()
                self._may_run.set()
        except (EmbeddedServerError, OSError) as problem:
            log.error("restart failed", process=server.name, reason=str(problem))  # noqa: TRY400  # one line
        else:
            log.info("process restarted", process=server.name)

    def _refuse(self, process: Process) -> None:
        log.error("process refused to start", process=process.name, reason=process.last_line)
        if not self._refusal.done():
            self._refusal.set_result(ProcessRefused(process.name, process.last_line))


def termination() -> asyncio.Event:
    """An event that SIGTERM, Ctrl-C (SIGINT) or the end of the terminal (SIGHUP) sets from now on."""
    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    return asked
