"""The chain as real processes on real servers, ready to be broken, and the count of what came of it."""

import asyncio
import itertools
import math
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple, Protocol, cast
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
from pydantic import SecretStr

from embedded.children import free_port
from runtime.database import migrate
from runtime.incoming import HELD
from runtime.operations import ask_redrive, discard, operating, republish
from tests.faults import chain, points, sabotage
from tests.faults.brokers import Breakable
from tests.faults.chain import BELL_EVERY, TABLES
from tests.faults.journal import Client, Journal
from tests.faults.nursery import Nursery
from tests.faults.oracle import Figures, Order, Stage, judge, repeated, worse

PASSWORD: Final = "only-for-tests"
TEMPLATE: Final = "lab_template"
HUNG_AFTER: Final = 60.0
"""Seconds after which a process that was asked to end is taken for hung, and killed."""

RESTS_AFTER: Final = 60.0
"""Seconds without any movement after which nothing more is waited for."""

NOTHING: Final[Mapping[str, str]] = {}
BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)
KEYS: Final = tuple(f"V-{number}" for number in range(16))
_numbers = itertools.count()


class Server(Protocol):
    """A database server."""

    @property
    def dsn(self) -> str:
        """The superuser's DSN."""


class Death(NamedTuple):
    """The end of a process."""

    at: float
    pid: int
    code: int


class Activity(NamedTuple):
    """A line of what a process wrote down: it received, handled or published something."""

    at: float
    pid: int
    what: str
    ids: tuple[str, ...]


def no_faults() -> Iterator[str]:
    """Let every incarnation live."""
    return itertools.repeat("")


@dataclass
class Replica:
    """One process of a service, started again at once whenever it dies."""

    service: str
    port: int
    nursery: Nursery = field(repr=False)
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    faults: Iterator[str] = field(default_factory=no_faults, repr=False)
    """The fault of each incarnation, in turn."""
    log: Path = Path()
    pid: int = 0
    deaths: list[Death] = field(default_factory=list)
    wanted: bool = False
    _keeper: asyncio.Task[None] | None = None

    @property
    def kills(self) -> list[Death]:
        """Deaths by SIGKILL."""
        return [death for death in self.deaths if death.code == -signal.SIGKILL]

    @property
    def crashes(self) -> list[Death]:
        """Deaths that nobody asked for."""
        return [death for death in self.deaths if death.code not in {0, -signal.SIGKILL}]

    async def start(self) -> None:
        """Start it, and keep it running from now on."""
        self.wanted = True
        began = asyncio.Event()
        self._keeper = asyncio.create_task(self._keep(began), name=f"keeper of {self.service}")
        await began.wait()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process that runs now, if one does."""
        if self.pid:  # never to one that has taken over the number
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def stop(self) -> float:
        """End it by SIGTERM and do not start it again; the seconds that took. Kills it when it hangs."""
        self.wanted = False
        began = time.monotonic()
        self.send(signal.SIGTERM)
        assert self._keeper is not None
        _, late = await asyncio.wait({self._keeper}, timeout=HUNG_AFTER)
        if late:
            self.send(signal.SIGKILL)
            await self._keeper
        return time.monotonic() - began

    async def restart(self) -> float:
        """End it by SIGTERM and have it start again; the seconds until it ended."""
        before, began = len(self.deaths), time.monotonic()
        self.send(signal.SIGTERM)
        while len(self.deaths) == before:
            await asyncio.sleep(0.02)
        return time.monotonic() - began

    @property
    def paused(self) -> bool:
        """Whether it stands still (SIGSTOP)."""
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            return False
        return stat.rpartition(")")[2].split()[0] == "T"

    async def until_paused(self, within: float = 120) -> None:
        """Wait until it stands still."""
        async with asyncio.timeout(within):
            while not self.paused:
                await asyncio.sleep(0.02)

    async def _keep(self, began: asyncio.Event) -> None:
        while self.wanted:
            environment = self.environment | {points.VARIABLE: next(self.faults)}
            self.pid = await self.nursery.fork(self.service, environment, self.log)
            began.set()
            code = await self.nursery.ended(self.pid)
            self.deaths.append(Death(time.time(), self.pid, code))
            self.pid = 0


class Lab:
    """The chain on one database and one broker, with its client."""

    def __init__(self, folder: Path, nursery: Nursery, admin: str, kafka: str, port: int) -> None:
        self.folder = folder
        self.admin_dsn = admin
        self.kafka = kafka
        self.injected = 0
        self.environment: dict[str, str] = {}
        """Of every process started from now on."""
        self.replicas: dict[str, list[Replica]] = {}
        self.client = Client(Journal(folder / "journal"), self._ports, KEYS)
        self.admin: asyncpg.Pool
        self.broker: Breakable
        self._nursery = nursery
        self._port = port

    async def open(self) -> None:
        """Connect as the superuser."""
        self.admin = await asyncpg.create_pool(self.admin_dsn, min_size=0, max_size=4)

    def dsn(self, service: str) -> str:
        """The DSN of a service's role, past a link if there is one."""
        parts = urlsplit(self.admin_dsn)
        return urlunsplit(parts._replace(netloc=f"wafd_{service}:{PASSWORD}@{parts.hostname}:{self._port}"))

    async def start(self, **services: int) -> None:
        """Start so many processes of each service (one of each by default) and wait until all are ready."""
        for service, count in (services or dict.fromkeys(chain.SERVICES, 1)).items():
            for _ in range(count):
                await self.add(service)
        await self.until_ready()

    async def add(
        self, service: str, faults: Iterator[str] | None = None, environment: Mapping[str, str] = NOTHING
    ) -> Replica:
        """Start one more process of a service."""
        port = free_port()
        own = {
            "WAFD_DATABASE": self.dsn(service),
            "WAFD_KAFKA": self.kafka,
            "WAFD_KAFKA_SESSION_SECONDS": "1",
            "WAFD_HTTP_PORT": str(port),
            "WAFD_BATCH_RECORDS": "50",
            "WAFD_DATABASE_CONNECTIONS": "6",
            chain.ACTIVITY: str(self._activity_file(service)),
        }
        made = Replica(
            service, port, self._nursery,
            own | self.environment | dict(environment), faults or no_faults(), self.folder / f"{service}.log",
        )  # fmt: skip
        self.replicas.setdefault(service, []).append(made)
        await made.start()
        return made

    @property
    def all_replicas(self) -> list[Replica]:
        """Every process of every service."""
        return [replica for replicas in self.replicas.values() for replica in replicas]

    async def until_ready(self, within: float = 120) -> None:
        """Wait until every process says that it is ready."""
        async with asyncio.timeout(within), httpx.AsyncClient(trust_env=False) as http:
            for replica in self.all_replicas:
                while not await _ready(http, replica.port):
                    await asyncio.sleep(0.05)

    async def stop(self) -> list[float]:
        """End every process by SIGTERM; the seconds each took."""
        return await asyncio.gather(*(r.stop() for r in self.all_replicas if r.wanted))

    async def close(self) -> None:
        """End what is left over after a test."""
        with suppress(Exception):
            await self.client.stop(within=0.1)
        for replica in self.all_replicas:
            replica.wanted = False
            replica.send(signal.SIGKILL)
        await asyncio.gather(*(r.stop() for r in self.all_replicas))
        self.client.journal.close()
        with suppress(Exception):
            async with asyncio.timeout(3):
                await self.admin.close()
        self.admin.terminate()

    async def drain(self, within: float = RESTS_AFTER) -> float:
        """Let the client finish and the chain come to rest; the seconds until then.

        Returns also when nothing has moved for a time: the verdict then says what is missing.
        """
        await self.client.stop()
        began = moved = time.monotonic()
        before = -1
        while time.monotonic() - moved < within:
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                if await self._at_rest():
                    break
                if (now := await self._applied_rows()) != before:
                    before, moved = now, time.monotonic()
            await asyncio.sleep(0.1)
        took = time.monotonic() - began
        await asyncio.sleep(0.5)  # for what would be applied again
        return took

    async def judge(self, *, duplicates: int | None = None) -> Figures:
        """Hold what was applied against the journal."""
        attempted, acknowledged = self.client.journal.read()
        counted = self.duplicates if duplicates is None else duplicates
        return judge(
            attempted, acknowledged, await self.stages(),
            stuck=await self.stuck(), injected=self.injected, duplicates=counted,
        )  # fmt: skip

    async def settle(self) -> tuple[Figures, float]:
        """Drain and judge; then have every event delivered once more, and judge again.

        The figures are the worse ones of both, for a repetition may mend a loss. With them the seconds
        until the chain had come to rest.
        """
        drained = await self.drain()
        first = await self.judge()
        await self.republish()
        before = self.duplicates
        await self._until_repeated(before + 2 * first.acknowledged)  # at the worker and at the sink
        return worse(first, await self.judge()), drained

    async def _until_repeated(self, times: int) -> None:
        """Wait until so many deliveries were repetitions and nothing waits; fail when nothing moves."""
        before, moved = -1, time.monotonic()
        while (now := self.duplicates) < times or await self.stuck():
            if now != before:
                before, moved = now, time.monotonic()
            assert time.monotonic() - moved < RESTS_AFTER, f"{now} of {times} repetitions arrived"
            await asyncio.sleep(0.3)
        await asyncio.sleep(0.3)  # until the last one is handled

    async def delays(self, keys: Collection[str], *, since: float = 0) -> list[float]:
        """Seconds from the intake to the sink of each order under ``keys`` placed ``since``, sorted."""
        rows = await self.admin.fetch(
            "SELECT extract(epoch FROM applied.at - placed.at)::float AS took "
            "FROM sink.applied JOIN intake.placed USING (key, n) "
            "WHERE key = ANY ($1::text[]) AND placed.at >= to_timestamp($2) ORDER BY took",
            list(keys), since,
        )  # fmt: skip
        return [row["took"] for row in rows]

    async def reached(self, table: str) -> Counter[str]:
        """The number of the latest order of each key in a table."""
        rows = await self.admin.fetch(f"SELECT key, max(n) AS n FROM {table} GROUP BY key")
        return Counter({row["key"]: row["n"] for row in rows})

    async def redrive(self, *keys: str, service: str = "worker") -> None:
        """Ask for a redrive of keys in a service, as `wafd parked redrive` does."""
        async with operating(self.admin_dsn, service) as transactions, transactions() as tx:
            await ask_redrive(tx, keys, "the lab", "tests")

    async def discard_poison(self) -> int:
        """Give up every parked record that is no order, held behind another or refused; how many."""
        rows = [row for row in await self.parked() if not row["cause"].startswith((HELD, "Refused"))]
        async with operating(self.admin_dsn, "worker") as transactions:
            for row in rows:
                async with transactions() as tx:
                    await discard(tx, row["id"], "poison", "tests")
        return len(rows)

    async def republish(self) -> None:
        """Have the relays publish again all that was ever recorded, as `wafd recover` does."""
        for service in ("intake", "worker"):
            async with self.admin.acquire() as connection, connection.transaction():
                await connection.execute(f"SET LOCAL search_path TO {service}, public")
                await republish(cast("asyncpg.Connection", connection), BEGINNING)

    async def stages(self) -> list[Stage]:
        """What each stage applied."""
        return [
            Stage("worker", await self._applied("worker.applied")),
            Stage("sink", await self._applied("sink.applied")),
            Stage("bell", await self._applied("worker.rung"), rings, in_order=False),
        ]

    async def stuck(self) -> int:
        """How much waits: events to publish, parked records, timers that are due."""
        return sum([
            await self.admin.fetchval(
                f"SELECT (SELECT count(*) FROM {service}.unpublished)"
                f" + (SELECT count(*) FROM {service}.parked WHERE state = 'parked')"
                f" + (SELECT count(*) FROM {service}.timer WHERE name <> 'sweep')"
            )
            for service in chain.SERVICES
        ])  # fmt: skip

    async def parked(self, service: str = "worker") -> list[asyncpg.Record]:
        """The parked records of a service, the oldest first."""
        return await self.admin.fetch(
            f"SELECT * FROM {service}.parked WHERE state = 'parked' ORDER BY position"
        )

    @property
    def duplicates(self) -> int:
        """How many deliveries to worker and sink were repetitions."""
        return sum(
            repeated([id_ for line in self.activity(service, "received") for id_ in line.ids])
            for service in ("worker", "sink")
        )

    def activity(self, service: str, *kinds: str) -> list[Activity]:
        """What the processes of a service wrote down."""
        file = self._activity_file(service)
        found = []
        for line in file.read_text().splitlines() if file.exists() else ():
            at, pid, what, *ids = line.split(" ")
            if not kinds or what in kinds:
                found.append(Activity(float(at), int(pid), what, tuple(ids)))
        return found

    def resumed_after(self, replica: Replica) -> list[float]:
        """The seconds from each kill until its service did something, if it lived to."""
        moments = [line.at for line in self.activity(replica.service)]
        kills = [death.at for death in replica.kills]
        found = []
        for killed, again in itertools.pairwise([*kills, math.inf]):
            after = [at for at in moments if killed < at < again]
            found += [at - killed for at in after[:1]]
        return found

    def logged(self, service: str) -> str:
        """What the processes of a service logged."""
        return (self.folder / f"{service}.log").read_text("utf-8", "replace")

    @property
    def crashes(self) -> list[tuple[str, Death]]:
        """Every end of a process that nobody asked for."""
        return [(replica.service, death) for replica in self.all_replicas for death in replica.crashes]

    async def _at_rest(self) -> bool:
        _, acknowledged = self.client.journal.read()
        owed = set(acknowledged)
        if await self._applied_rows() < 2 * len(owed) or await self.stuck():
            return False
        return all(
            {order for order in owed if stage.expects(order)} <= set(stage.applied)
            for stage in await self.stages()
        )

    async def _applied_rows(self) -> int:
        """How much was applied so far."""
        count: int = await self.admin.fetchval(
            "SELECT (SELECT count(*) FROM worker.applied) + (SELECT count(*) FROM sink.applied)"
            " + (SELECT count(*) FROM worker.rung)"
        )
        return count

    async def _applied(self, table: str) -> list[Order]:
        return [(row["key"], row["n"]) for row in await self.admin.fetch(
            f"SELECT key, n FROM {table} ORDER BY position"
        )]  # fmt: skip

    def _ports(self) -> Sequence[int]:
        return [replica.port for replica in self.replicas["intake"]]

    def _activity_file(self, service: str) -> Path:
        return self.folder / f"{service}.activity"


def rings(order: Order) -> bool:
    """Whether an order sets a timer."""
    return order[1] % BELL_EVERY == 0


def p99(delays: Sequence[float]) -> float:
    """Of sorted delays the one that one in a hundred exceeds."""
    return delays[int(len(delays) * 0.99)]


async def _ready(http: httpx.AsyncClient, port: int) -> bool:
    try:
        return (await http.get(f"http://127.0.0.1:{port}/health/ready", timeout=5)).is_success
    except httpx.TransportError:
        return False


async def make_template(server: Server) -> None:
    """Make the database that each lab's is cloned from."""
    maintenance = await asyncpg.connect(server.dsn)
    await maintenance.execute(f"CREATE DATABASE {TEMPLATE}")
    await maintenance.close()
    admin = await asyncpg.connect(named(server.dsn, TEMPLATE))
    for service, tables in TABLES.items():
        await migrate(admin, service, SecretStr(PASSWORD))
        await admin.execute(f"SET search_path TO {service}; {tables}; RESET search_path")
        await migrate(admin, service, None)  # the rights on the new tables
    await admin.close()


@asynccontextmanager
async def new_database(server: Server) -> AsyncIterator[str]:
    """The superuser's DSN of a fresh database, dropped at the end."""
    name = f"lab_{next(_numbers)}"
    maintenance = await asyncpg.connect(server.dsn)
    await maintenance.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    await maintenance.close()
    yield named(server.dsn, name)
    maintenance = await asyncpg.connect(server.dsn)
    await maintenance.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await maintenance.close()


def named(dsn: str, database: str) -> str:
    """The same server's DSN of another database."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{database}"))


def broken(name: str) -> Mapping[str, str]:
    """The environment of a sabotaged process."""
    return {sabotage.VARIABLE: name}
