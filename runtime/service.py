"""One service process: its wiring as a value, and how it starts, tells its health and stops."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import asyncpg
import structlog
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

from runtime import logging as wafd_logging
from runtime.database import migrations, open_pool
from runtime.errors import OUTAGES, OperationError, UsageError
from runtime.http import add_health, new_app, new_server
from runtime.inbox import Inbox
from runtime.kafka import Subscription, ensure_topics, new_producer
from runtime.outbox import Relay
from runtime.queries import load_queries
from runtime.retention import SWEEP_AFTER_START, sweep
from runtime.settings import Settings
from runtime.timers import Timers
from runtime.transaction import Handler, TimerHandler, Transaction, Transactions
from schemas.event import EventData, topic_of

log = structlog.get_logger()
SQL = load_queries(__file__)

DRAIN_SECONDS, PUBLISH_SECONDS = 9, 2
"""Time for work in hand, and then for its publication, after SIGTERM; the process is gone within 15 s."""


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
    starting = asyncio.create_task(_wait_for_servers(service))
    await asyncio.wait({starting, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        return
    async with AsyncExitStack() as stack:
        pool = starting.result()
        stack.push_async_callback(_close_pool, pool)
        await Process(service, pool).run(stop)
    log.info("stopped")


async def _wait_for_servers(service: Service) -> asyncpg.Pool:
    """Connect to PostgreSQL and Kafka, with back-off for as long as they are away."""
    delay = 0.2
    while True:
        try:
            pool = await open_pool(
                str(service.settings.database), service.name, service.settings.database_connections
            )
            try:
                await _check_schema(pool, service.name)
                await ensure_topics(service.settings)
            except BaseException:
                await _close_pool(pool)
                raise
        except OUTAGES as error:
            log.warning("waiting for servers", error=type(error).__name__, seconds=delay)
            await asyncio.sleep(delay)
            delay = min(delay * 2, 5)
        else:
            return pool


async def _check_schema(pool: asyncpg.Pool, name: str) -> None:
    """Refuse to run on a schema that is not up to date."""
    known = await pool.fetchval("SELECT to_regclass($1) IS NOT NULL", f"{name}.migration")
    done = {row["name"] for row in await pool.fetch("SELECT name FROM migration")} if known else set()
    if missing := [migration for migration in migrations(name) if migration not in done]:
        raise UsageError(f"the schema {name} lacks the migration {missing[0]}: run `wafd migrate` first")


async def _within(
    seconds: float, what: str, close: Callable[..., Awaitable[object]], *arguments: object
) -> None:
    """Close something, for a limited time: what hangs must not keep the process."""
    try:
        async with asyncio.timeout(seconds):
            await close(*arguments)
    except TimeoutError:
        log.warning("gave up closing", what=what, seconds=seconds)


async def _close_pool(pool: asyncpg.Pool) -> None:
    await _within(1, "database connections", pool.close)
    pool.terminate()


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
        """Run every part until ``stop`` is set, then drain. Raises `OperationError` when a part fails."""
        async with AsyncExitStack() as stack:
            await self._producer.start()
            stack.push_async_callback(_within, 1, "producer", self._producer.stop)
            lifespan = self._service.lifespan(self._transactions)
            await lifespan.__aenter__()
            stack.push_async_callback(_within, 1, "lifespan", lifespan.__aexit__, None, None, None)
            await self._set_sweep()
            server = new_server(
                self._app(), self._service.settings.http_host, self._service.settings.http_port
            )
            relay = asyncio.create_task(self._relay.run(), name="relay")
            timers = [
                asyncio.create_task(worker.run(), name=f"timers {number}")
                for number, worker in enumerate(self._timers)
            ]
            http = asyncio.create_task(server.serve(), name="http")
            stopped = asyncio.create_task(stop.wait())
            await self.subscription.start()
            log.info("started", port=self._service.settings.http_port)
            await asyncio.wait({relay, *timers, http, stopped}, return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            server.should_exit = True
            await self._drain(relay, http, timers)
            _raise_failure([relay, http, *timers])

    async def _drain(
        self, relay: asyncio.Task[None], http: asyncio.Task[None], timers: list[asyncio.Task[None]]
    ) -> None:
        """Take nothing new, finish what is in hand, publish what that emitted."""
        self._stopping = True
        log.info("draining")
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
            self._service.routes(app, self._transactions)
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
            async with asyncio.timeout(3), self._pool.acquire() as connection:
                if self._service.ready:
                    return await self._service.ready(cast("asyncpg.Connection", connection))
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
        if error is not None:
            log.error("a part of the service failed", part=part.get_name(), exc_info=error)
            raise OperationError(f"{part.get_name()} failed: {type(error).__name__}; the log says where")
