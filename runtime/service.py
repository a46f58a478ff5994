"""One service process: its wiring as a value, and how it starts, tells its health and stops."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast

import asyncpg
import structlog
import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from runtime import logging as wafd_logging
from runtime.database import open_pool
from runtime.errors import OUTAGES, UsageError
from runtime.inbox import Inbox
from runtime.kafka import Subscription, ensure_topics, new_producer
from runtime.outbox import Relay
from runtime.parking import Parking
from runtime.queries import load_queries
from runtime.settings import Settings
from runtime.timers import Timers
from runtime.transaction import Handler, TimerHandler, Transaction, Transactions
from schemas.event import EventData, topic_of

log = structlog.get_logger()
SQL = load_queries(__file__)

DRAIN_SECONDS = 13
"""How long work in hand may take after SIGTERM; the process is gone within 15 s."""

SWEEP_EVERY = timedelta(hours=1)


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
    consume_any: Handler | None = None
    """Handles every event of its topics, also of types unknown here (the event log)."""


class _Server(uvicorn.Server):
    """Leaves the signals to the process that it is a part of."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


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
            log.warning("waiting for servers", error=repr(error), seconds=delay)
            await asyncio.sleep(delay)
            delay = min(delay * 2, 5)
        else:
            return pool


async def _check_schema(pool: asyncpg.Pool, name: str) -> None:
    if not await pool.fetchval("SELECT to_regclass($1) IS NOT NULL", f"{name}.outbox"):
        raise UsageError(f"the database has no schema {name} yet: run `wafd migrate` first")


async def _close_pool(pool: asyncpg.Pool) -> None:
    try:
        async with asyncio.timeout(5):
            await pool.close()
    except TimeoutError:
        pool.terminate()


class Process:
    """The running parts of a service: consumer, relay, timers, HTTP."""

    def __init__(self, service: Service, pool: asyncpg.Pool) -> None:
        self._service = service
        self._pool = pool
        self._registry = CollectorRegistry()
        settings = service.settings
        self._transactions = Transactions(pool)
        self._producer = new_producer(settings, service.name)
        self._relay = Relay(pool, self._producer, settings.batch_records, self._registry)
        handlers = {data.TYPE: handler for data, handler in service.handlers.items()}
        inbox = Inbox(self._transactions, handlers, Parking(), self._registry, service.consume_any)
        built_in: dict[str, TimerHandler] = {"redrive": inbox.redrive, "sweep": self._sweep}
        self._timers = Timers(self._transactions, {**service.timers, **built_in}, self._transactions.now)
        self._transactions.on_events = self._relay.wake
        self._transactions.on_timers = self._timers.wake
        topics = service.topics or sorted({topic_of(type_) for type_ in handlers})
        self._subscription = (
            Subscription(settings, service.name, topics, inbox.consume, self._registry) if topics else None
        )
        self._stopping = False

    async def run(self, stop: asyncio.Event) -> None:
        """Run every part until ``stop`` is set or one of them fails, then drain."""
        server = self._server()
        await self._producer.start()
        try:
            async with self._service.lifespan(self._transactions):
                await self._set_sweep()
                parts = [asyncio.create_task(self._relay.run(), name="relay")]
                parts += [
                    asyncio.create_task(self._timers.run(), name="timers")
                    for _ in range(self._service.timer_workers)
                ]
                http = asyncio.create_task(server.serve(), name="http")
                stopped = asyncio.create_task(stop.wait())
                if self._subscription:
                    await self._subscription.start()
                log.info("started", port=self._service.settings.http_port)
                await asyncio.wait({*parts, http, stopped}, return_when=asyncio.FIRST_COMPLETED)
                await self._drain(server, http, parts)
                stopped.cancel()
        finally:
            await self._producer.stop()

    async def _drain(
        self, server: uvicorn.Server, http: asyncio.Task[None], parts: list[asyncio.Task[None]]
    ) -> None:
        """Take nothing new, finish what is in hand, publish what that emitted."""
        self._stopping = True
        log.info("draining")
        server.should_exit = True
        self._timers.stop()
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                if self._subscription:
                    await self._subscription.stop()
                await http
                await asyncio.gather(*parts[1:])
                self._relay.stop()
                await parts[0]
        except TimeoutError:
            log.warning("gave up draining: the rest is redelivered", seconds=DRAIN_SECONDS)
            for part in (*parts, http):
                part.cancel()

    def _server(self) -> uvicorn.Server:
        settings = self._service.settings
        app = FastAPI(title=f"Wafd {self._service.name}", version="1", docs_url="/docs", redoc_url=None)
        self._add_health(app)
        if self._service.routes:
            self._service.routes(app, self._transactions)
        return _Server(
            uvicorn.Config(
                app,
                host=settings.http_host,
                port=settings.http_port,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                timeout_graceful_shutdown=8,
            )
        )

    def _add_health(self, app: FastAPI) -> None:
        @app.get("/health/live", include_in_schema=False)
        async def live() -> dict[str, str]:
            return {"status": "live"}

        @app.get("/health/ready", include_in_schema=False)
        async def ready() -> JSONResponse:
            problems = await self.problems()
            body = {"status": "not ready" if problems else "ready", "problems": problems}
            return JSONResponse(body, 503 if problems else 200)

        @app.get("/metrics", include_in_schema=False)
        async def metrics() -> Response:
            return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)

    async def problems(self) -> list[str]:
        """Why this process is not ready, one sentence each; none when it is."""
        if self._stopping:
            return ["the service is stopping"]
        problems = [self._relay.trouble, await self._database_trouble()]
        if self._subscription:
            problems.append(await self._subscription.trouble())
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
            await tx.connection.execute(SQL["set_first_timer"], "sweep", "", tx.now, tx.correlation_id, None)

    async def _sweep(self, tx: Transaction, _key: str) -> None:
        """Drop what is past its retention, a little at a time."""
        settings = self._service.settings
        outbox = await tx.connection.execute(
            SQL["sweep_outbox"], tx.now - timedelta(days=settings.outbox_retention_days)
        )
        inbox = await tx.connection.execute(
            SQL["sweep_inbox"], tx.now - timedelta(days=settings.inbox_retention_days)
        )
        more = any(not tag.endswith(" 0") for tag in (outbox, inbox))
        await tx.remind("sweep", "", tx.now + (timedelta(seconds=1) if more else SWEEP_EVERY))
