"""Starting and ending beside servers that may be away: what they delay is waited out, what hangs is left."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import asyncpg
import structlog

from runtime.database import migrations, open_pool
from runtime.errors import OUTAGES, UsageError, is_outage
from runtime.kafka import ensure_topics
from runtime.settings import Settings

log = structlog.get_logger()
T = TypeVar("T")

LONGEST_PAUSE = 5.0


async def wait_out(step: Callable[[], Awaitable[T]]) -> T:
    """Do something, with back-off again and again while servers are away. Raises what is no outage."""
    delay = 0.2
    while True:
        try:
            return await step()
        except OUTAGES as error:
            if not is_outage(error):
                raise
            log.warning("waiting for servers", error=type(error).__name__, seconds=delay)
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_PAUSE)


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """Do something that may wait for long; it is given up, for None, once ``stop`` is set."""
    doing, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if doing.done():
        return doing.result()
    doing.cancel()
    await asyncio.wait({doing}, timeout=1)
    return None


async def connect(settings: Settings, service: str) -> asyncpg.Pool:
    """Connect to PostgreSQL and see to the topics. Raises `UsageError`, or what `OUTAGES` lists."""
    pool = await open_pool(str(settings.database), service, settings.database_connections)
    try:
        await _check_schema(pool, service)
        await ensure_topics(settings)
    except BaseException:
        await close_pool(pool)
        raise
    return pool


async def _check_schema(pool: asyncpg.Pool, name: str) -> None:
    """Refuse to run on a schema that is not up to date."""
    known = await pool.fetchval("SELECT to_regclass($1) IS NOT NULL", f"{name}.migration")
    done = {row["name"] for row in await pool.fetch("SELECT name FROM migration")} if known else set()
    if missing := [migration for migration in migrations(name) if migration not in done]:
        raise UsageError(f"the schema {name} lacks the migration {missing[0]}: run `wafd migrate` first")


async def within(
    seconds: float, what: str, close: Callable[..., Awaitable[object]], *arguments: object
) -> None:
    """Close something, for a limited time: what hangs must not keep the process."""
    try:
        async with asyncio.timeout(seconds):
            await close(*arguments)
    except TimeoutError:
        log.warning("gave up closing", what=what, seconds=seconds)


async def close_pool(pool: asyncpg.Pool) -> None:
    """Close the connections of a pool, for a second, and then drop those that are left."""
    await within(1, "database connections", pool.close)
    pool.terminate()
