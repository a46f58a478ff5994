"""One service process: its wiring as a value, and how it starts, tells its health and stops."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

import asyncpg
import structlog
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

from runtime import logging as wafd_logging
from runtime.database import borrowed
from runtime.errors import OUTAGES, OperationError, UsageError
from runtime.http import add_health, new_app, new_server
from runtime.inbox import Inbox
from runtime.kafka import Subscription, new_producer
from runtime.outbox import Relay
from runtime.queries import load_queries
from runtime.retention import SWEEP_AFTER_START, sweep
from runtime.settings import Settings
from runtime.startup import close_pool, connect, unless, wait_out, within
from runtime.timers import Timers
from runtime.transaction import Handler, TimerHandler, Transaction, Transactions
from schemas.event import EventData, topic_of

log = structlog.get_logger()
SQL = load_queries(__file__)

DRAIN_SECONDS, PUBLISH_SECONDS = 9, 2
"""Time for work in hand, and then for its publication, after SIGTERM; the process is gone within 15 s."""

REQUEST_SECONDS = 8
"""Time for the transaction of a request: it is answered 503 rather than kept waiting for servers."""


@asynccontextmanager
async def _nothing(_transactions: Transactions) -> AsyncIterator[None]:
    yield


@dataclass(frozen=True)
class Service:
    """A service as a value: what it consumes, its timers, its routes."""

    name: str
    settings: Settings
    handlers: Mapping[type[EventData], Handler]
    timers: Mapping[str, TimerHandler] = field(default_factory=dict)
    timer_workers: int = 2
    routes: Callable[[FastAPI, Transactions], None] | None = None
    ready: Callable[[asyncpg.Connection], Awaitable[str | None]] | None = None
    lifespan: Callable[[Transactions], AbstractAsyncContextManager[None]] = _nothing
    topics: tuple[str, ...] | None = None
    """Topics to read; by default those of the events it handles."""
    collectors: Sequence[Collector] = ()
    """Metrics of its own."""
    consume_any: Handler | None = None
    """Handles every event of its topics, also of types unknown here (the event log)."""


def run(service: Service) -> None:
    """Run a service until SIGTERM or SIGINT; drains and returns. Raises `UsageError`."""
    wafd_logging.configure(service.name, service.settings.log_level)
    asyncio.run(_run(service))


async def _run(service: Service) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    pool = await unless(stop, wait_out(lambda: connect(service.settings, service.name)))
    if pool is not None:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(close_pool, pool)
            await Process(service, pool).run(stop)
    log.info("stopped")


class Process:
    """The running parts of a service: consumer, relay, timers, HTTP."""

    def __init__(self, service: Service, pool: asyncpg.Pool) -> None:
        settings = service.settings
        self._service = service
        self._pool = pool
        self._registry = CollectorRegistry()
        for collector in service.collectors:
            self._registry.register(collector)
        self._transactions = Transactions(pool)
        self._producer = new_producer(settings, service.name)
        self._relay = Relay(pool, self._producer, settings.batch_records, self._registry)
        handlers = {data.TYPE: handler for data, handler in service.handlers.items()}
        self._inbox = Inbox(self._transactions, handlers, self._registry, service.consume_any)
        built_in: dict[str, TimerHandler] = {"redrive": self._inbox.redrive, "sweep": self._sweep}
        # The service's own timers may wait for a mail server or a solver; redrives and sweeps must not.
        self._timers = [Timers(self._transactions, service.timers) for _ in range(service.timer_workers)]
        self._timers.append(Timers(self._transactions, built_in))
        self._transactions.on_events = self._relay.wake
        self._transactions.on_timers = self._wake_timers
        topics = service.topics or sorted({topic_of(type_) for type_ in handlers})
        self.subscription = Subscription(settings, service.name, topics, self._inbox.consume, self._registry)
        self.subscription.membership.on_change = self._inbox.forget_trouble
        self._stopping = False

    async def run(self, stop: asyncio.Event) -> None:
        """Run every part until ``stop`` is set, then drain.

        Raises `OperationError` when a part fails, or `UsageError` when settings are to blame.
        """
        async with AsyncExitStack() as stack:
            if not await unless(stop, self._prepare(stack)):
                return
            server = new_server(
                self._app(), self._service.settings.http_host, self._service.settings.http_port
            )
            relay = asyncio.create_task(self._relay.run(), name="relay")
            timers = [
                asyncio.create_task(worker.run(), name=f"timers {number}")
                for number, worker in enumerate(self._timers)
            ]
            http = asyncio.create_task(server.serve(), name="http")
            consumer = asyncio.create_task(self._consume(), name="consumer")
            stopped = asyncio.create_task(stop.wait())
            parts = {relay, *timers, http, consumer, stopped}
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            server.should_exit = True
            await self._drain(relay, http, consumer, timers)
            _raise_failure([relay, http, consumer, *timers])

    async def _prepare(self, stack: AsyncExitStack) -> bool:
        """Have ready what every part needs; outages are waited out."""
        stack.push_async_callback(within, 1, "producer", self._producer.stop)
        await wait_out(self._producer.start)
        lifespan = await wait_out(self._enter_lifespan)
        stack.push_async_callback(within, 1, "lifespan", lifespan.__aexit__, None, None, None)
        await wait_out(self._set_sweep)
        return True

    async def _enter_lifespan(self) -> AbstractAsyncContextManager[None]:
        lifespan = self._service.lifespan(self._transactions)
        await lifespan.__aenter__()
        return lifespan

    async def _consume(self) -> None:
        """Join the group, however long that takes, and consume until cancelled."""
        await wait_out(self.subscription.start)
        log.info("started", port=self._service.settings.http_port)
        await asyncio.Event().wait()

    async def _drain(
        self,
        relay: asyncio.Task[None],
        http: asyncio.Task[None],
        consumer: asyncio.Task[None],
        timers: list[asyncio.Task[None]],
    ) -> None:
        """Take nothing new, finish what is in hand, publish what that emitted."""
        self._stopping = True
        log.info("draining")
        consumer.cancel()
        for worker in self._timers:
            worker.stop()
        working = {asyncio.create_task(self.subscription.stop()), http, *timers}
        _, late = await asyncio.wait(working, timeout=DRAIN_SECONDS)
        self._relay.stop()
        _, unpublished = await asyncio.wait({relay}, timeout=PUBLISH_SECONDS)
        for task in (*late, *unpublished):
            task.cancel()
        if late or unpublished:
            log.warning(
                "gave up draining: the rest is done after the next start", tasks=len(late | unpublished)
            )
            await asyncio.wait(late | unpublished, timeout=0.5)

    def _wake_timers(self) -> None:
        for worker in self._timers:
            worker.wake()

    def _app(self) -> FastAPI:
        app = new_app(f"Wafd {self._service.name}")
        add_health(app, self.problems, self._registry)
        if self._service.routes:
            self._service.routes(app, replace(self._transactions, within=REQUEST_SECONDS))
        return app

    async def problems(self) -> list[str]:
        """Why this process is not ready, one sentence each; none when it is."""
        if self._stopping:
            return ["the service is stopping"]
        problems = (
            self._relay.trouble,
            self._inbox.trouble,
            await self._database_trouble(),
            await self.subscription.trouble(),
        )
        return [problem for problem in problems if problem]

    async def _database_trouble(self) -> str | None:
        try:
            async with borrowed(self._pool, 3) as connection:
                if self._service.ready:
                    return await self._service.ready(connection)
                await connection.execute("SELECT 1")
        except OUTAGES as error:
            return f"the database does not answer: {type(error).__name__}"
        return None

    async def _set_sweep(self) -> None:
        async with self._transactions() as tx:
            first = tx.now + SWEEP_AFTER_START
            await tx.connection.execute(
                SQL["set_timer_not_before"], "sweep", "", first, tx.correlation_id, None
            )

    async def _sweep(self, tx: Transaction, _key: str) -> None:
        await sweep(tx, self._service.settings)


def _raise_failure(parts: Sequence[asyncio.Task[None]]) -> None:
    """Report the part that ended by an exception, whose text may quote personal data, by its class."""
    for part in parts:
        error = None if part.cancelled() or not part.done() else part.exception()
        if isinstance(error, UsageError):
            raise error
        if error is not None:
            log.error("a part of the service failed", part=part.get_name(), exc_info=error)
            raise OperationError(f"{part.get_name()} failed: {type(error).__name__}; the log says where")
