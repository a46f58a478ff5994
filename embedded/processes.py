"""Runs Wafd's processes side by side: restarts one that dies, stops all in order."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Final, Protocol, Self

import structlog

from embedded.children import EmbeddedServerError
from embedded.probe import why_not_ready
from embedded.process import WRONG_USE, Process

log = structlog.get_logger()

FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 5.0
HEALTHY_AFTER: Final = 10.0
"""A process that ran this long starts anew with the first pause, and its settings are not to blame."""


class ProcessRefused(EmbeddedServerError):
    """{name} cannot run as it was started: {sentence}."""

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(f"{name} cannot run as it was started: {sentence}")


class WatchFailed(EmbeddedServerError):
    """The watch over {name} failed: {reason}."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"the watch over {name} failed: {reason}")


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
        self._refusal: asyncio.Future[EmbeddedServerError] = asyncio.get_running_loop().create_future()

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
        new log where it was in the old one, and skip what lies before. While ``refill`` raises, the server
        is stopped and started again.
        """
        self._adopted.append(server)
        self._begin_watch(server, refill)

    async def run(self, service: Process) -> None:
        """Start a service and watch it."""
        await service.start()
        self._services.append(service)
        self._begin_watch(service, None)

    async def refused(self) -> EmbeddedServerError:
        """Wait until a process cannot run as it was started, or is no longer watched.

        Returns the sentence as an exception: `ProcessRefused` or `WatchFailed`.
        """
        return await asyncio.shield(self._refusal)

    async def wait_ready(self, *urls: str, within: float = 60.0) -> None:
        """Poll ``<url>/health/ready`` of every base URL until each answers 200.

        Raises `ProcessRefused`, `WatchFailed`, or `NotReady` with each one's reason after ``within`` seconds.
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

    def _begin_watch(self, server: Server, refill: Callable[[], Awaitable[None]] | None) -> None:
        watch = asyncio.create_task(self._watch(server, refill), name=server.name)
        watch.add_done_callback(self._tell_failure)
        self._watches.append(watch)

    def _tell_failure(self, watch: asyncio.Task[None]) -> None:
        """End everything when a watch fails: nobody would see the death of its server."""
        error = None if watch.cancelled() else watch.exception()
        if error is None:
            return
        log.critical("watch failed", process=watch.get_name(), exc_info=error)
        if not self._refusal.done():
            self._refusal.set_result(WatchFailed(watch.get_name(), repr(error)))

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
                self._end_services()
            restarted = False
            while not restarted:
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                restarted = await self._restart(server, refill)

    def _end_services(self) -> None:
        """Kill the services, which lose nothing by it, and hold back their restart."""
        self._may_run.clear()
        for service in self._services:
            service.kill()
        log.warning("services ended until their broker is back", services=len(self._services))

    async def _restart(self, server: Server, refill: Callable[[], Awaitable[None]] | None) -> bool:
        """Try once; a server that could not be refilled is stopped, for it lacks what was acknowledged."""
        try:
            if server in self._services:
                await self._may_run.wait()
            await server.start()
            if refill:
                await refill()
                self._may_run.set()
        except Exception as problem:  # whatever it was, giving up would leave the services down for good
            log.exception("restart failed", process=server.name, reason=str(problem))
            await server.stop()
            return False
        log.info("process restarted", process=server.name)
        return True

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
