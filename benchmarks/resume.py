"""How long events wait when a service's process is killed: it is started again, or another one takes over."""

import asyncio
import itertools
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from benchmarks.lab import Servers, approved, servers
from embedded.children import free_port
from embedded.process import Process
from embedded.processes import Supervisor
from runtime.database import migrate
from runtime.kafka import headers_of, new_producer
from runtime.settings import Settings
from runtime.transaction import clock, new_id
from schemas.event import topic_of

SERVICE: Final = "eventlog"
RATE: Final = 50
"""Events a second, over all partitions."""
SESSION: Final = {"embedded": 2, "kafka": 3}
"""As `wafd up` and `compose.yaml` have it, in seconds."""
SETTLES: Final = 12.0
"""Seconds between two kills: events that come then belong to the first."""


async def resume(kills: int, kafka: str | None, postgres: str | None) -> dict[str, Any]:
    """Kill the event log's only process so often, then one of two; figures are the longest waits, s."""
    session = SESSION["kafka" if kafka else "embedded"]
    async with servers(kafka, postgres) as used:
        admin = await asyncpg.connect(used.admin)
        await migrate(admin, SERVICE, None)
        waits = {}
        for processes in (1, 2):
            async with _running(used, processes, session) as running, _feeding(used.settings):
                await _until_all_work(admin)
                waits[processes] = [
                    await _longest_wait(admin, victim)
                    for victim, _ in zip(itertools.cycle(running), range(kills), strict=False)
                ]
        await admin.close()
    return {
        "broker": kafka or "embedded",
        "session_seconds": session,
        "kills": kills,
        "longest_wait_of_one_process_s": waits[1],
        "longest_wait_of_two_processes_s": waits[2],
    }


@asynccontextmanager
async def _running(used: Servers, processes: int, session: int) -> AsyncIterator[list[Process]]:
    """So many processes of the service, started again when they die, as `wafd up` does."""
    async with Supervisor() as supervisor:
        made, ports = [], [free_port() for _ in range(processes)]
        for port in ports:
            environment = {
                "WAFD_DATABASE": used.admin,
                "WAFD_KAFKA": used.settings.kafka,
                "WAFD_KAFKA_SESSION_SECONDS": str(session),
                "WAFD_HTTP_PORT": str(port),
                "WAFD_LOG_LEVEL": "error",
            }
            program = [sys.executable, "-m", "cli.main", "serve", SERVICE]
            made.append(Process(f"{SERVICE} {port}", program, environment))
            await supervisor.run(made[-1])
        await supervisor.wait_ready(*(f"http://127.0.0.1:{port}" for port in ports))
        yield made


async def _longest_wait(admin: asyncpg.Connection, victim: Process) -> float:
    """Kill a process; seconds from when an event was made until it was recorded, at the most."""
    killed = clock()
    victim.kill()
    await asyncio.sleep(SETTLES)
    return await _wait_since(admin, killed - timedelta(seconds=1), killed + timedelta(seconds=SETTLES - 2))


async def _wait_since(admin: asyncpg.Connection, since: datetime, until: datetime) -> float:
    wait: float = await admin.fetchval(
        f"SELECT extract(epoch FROM max(recorded_at - time))::float FROM {SERVICE}.event "
        "WHERE time BETWEEN $1 AND $2",
        since, until,
    )  # fmt: skip
    return round(wait, 2)


async def _until_all_work(admin: asyncpg.Connection) -> None:
    """Wait until events of all partitions are recorded at once."""
    async with asyncio.timeout(60):
        while True:
            await asyncio.sleep(3)
            with suppress(TypeError):  # none is there yet
                if await _wait_since(admin, clock() - timedelta(seconds=3), clock()) < 1:
                    return


@asynccontextmanager
async def _feeding(settings: Settings) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        producer = new_producer(settings, "bench-feeder")
        await producer.start()
        stack.push_async_callback(producer.stop)
        task = asyncio.create_task(_feed(producer))
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _feed(producer: Any) -> None:
    begin = time.perf_counter()
    for number in itertools.count():
        await asyncio.sleep(max(begin + number / RATE - time.perf_counter(), 0))
        event = approved(str(new_id()))
        headers = headers_of(event.type, str(event.id), str(event.correlationid))
        value = event.model_dump_json().encode()
        await producer.send(topic_of(event.type), value, key=event.subject.encode(), headers=headers)
