"""Three small services in a row, built as Wafd's own are: `intake` → `worker` → `sink`.

`intake` stores an order and answers 202 after the commit; `worker` and `sink` note each order that
reaches them. Every fifth order sets a timer in `worker`, which notes it too.
"""

import asyncio
import os
import time
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from runtime import inbox, outbox
from runtime.errors import is_outage
from runtime.kafka import Records, Subscription
from runtime.service import Service, run
from runtime.settings import Settings, load_settings
from runtime.transaction import Handler, Transaction, Transactions
from schemas.event import Event, EventData
from schemas.scheduling import ProgrammeInfeasible
from schemas.terms import Bilingual, Contact, PersonName
from schemas.visits import MinistryPeople, ReasonPeople, RequestDeclined
from tests.faults import points, sabotage
from tests.faults.points import about, wrap

log = structlog.get_logger()

ACTIVITY = "WAFD_LAB_ACTIVITY"
"""The file to which a process writes what it received and published, a line each."""

SLOW = "WAFD_LAB_SLOW"
"""Seconds that a handler takes for each event."""

GROUP = "WAFD_LAB_GROUP"
"""What is added to the name of the consumer group, so that a service receives everything once more."""

BELL_EVERY = 5

TABLES: Mapping[str, str] = {
    "intake": """
        CREATE TABLE placed (
            key text, n bigint, at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (key, n))
    """,
    "worker": """
        CREATE TABLE subject (key text PRIMARY KEY, last bigint NOT NULL);
        CREATE TABLE refused (key text PRIMARY KEY);
        CREATE TABLE applied (
            position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text, n bigint, event uuid,
            extra text, at timestamptz NOT NULL DEFAULT clock_timestamp());
        CREATE TABLE rung (
            position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text, n bigint)
    """,
    "sink": """
        CREATE TABLE applied (
            position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text, n bigint, event uuid,
            extra text, at timestamptz NOT NULL DEFAULT clock_timestamp())
    """,
}

PLACE = "INSERT INTO placed (key, n) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING true"
LOCK = """
INSERT INTO subject (key, last) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET last = excluded.last
RETURNING EXISTS (SELECT FROM refused WHERE refused.key = $1) AS refused
"""
APPLY = "INSERT INTO applied (key, n, event, extra) VALUES ($1, $2, $3, $4)"
RING = "INSERT INTO rung (key, n) VALUES ($1, $2)"

FOCAL_POINTS = (Contact(name=PersonName(latin="Noor Example", arabic="نور مثال"), email="n@m.example"),)
FACTS: dict[str, Any] = {
    "reference": "V-2026-000017", "revision": 1, "country": "QA", "ministry": "Ministry",
}  # fmt: skip


class Refused(Exception):
    """The worker will not have this key at the moment."""


class Order(BaseModel):
    """The n-th order of a key; ``words`` begin with its number."""

    key: str
    n: int
    words: str


def routes(app: FastAPI, transactions: Transactions) -> None:
    """Add ``POST /orders``; an order that is repeated is answered again and stored once."""

    @app.post("/orders")
    async def place(order: Order) -> JSONResponse:
        try:
            with about("request"):
                async with transactions() as tx:
                    if await tx.connection.fetchval(PLACE, order.key, order.n):
                        people = ReasonPeople(focal_points=FOCAL_POINTS, reason=order.words)
                        tx.emit(RequestDeclined(**FACTS, people=people), subject=order.key)
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning("order refused", error=type(error).__name__)
            return JSONResponse({}, 503)
        return JSONResponse({}, 202)


async def work(tx: Transaction, event: Event[RequestDeclined]) -> None:
    """Note an order and pass it on."""
    n = int(event.data.people.reason.split()[0])
    await asyncio.sleep(float(os.environ.get(SLOW, "0")))
    if await tx.connection.fetchval(LOCK, event.subject, n):
        raise Refused
    tx.write(APPLY, event.subject, n, event.id, getattr(event.data, "channel", None))
    tx.emit(answer(event.data.people.reason), subject=event.subject)
    if n % BELL_EVERY == 0:
        await tx.remind("ring", f"{event.subject}#{n}", tx.now)


def answered(words: str) -> ProgrammeInfeasible:
    """What the worker says about an order."""
    reasons = (Bilingual(ar="لا", en=words),)
    people = MinistryPeople(focal_points=FOCAL_POINTS)
    return ProgrammeInfeasible(**FACTS, reasons=reasons, alternatives=(), people=people)


answer: Callable[[str], EventData] = answered
"""Which a newer version puts in another way."""


async def ring(tx: Transaction, place: str) -> None:
    """Note a timer that fired."""
    key, n = place.split("#")
    tx.write(RING, key, int(n))


async def arrive(tx: Transaction, event: Event[ProgrammeInfeasible]) -> None:
    """Note an order at the end of its way."""
    tx.write(APPLY, event.subject, int(event.data.reasons[0].en.split()[0]), event.id, None)


ARRIVALS: MutableMapping[type[EventData], Handler] = {ProgrammeInfeasible: arrive}
"""What the sink handles, and how."""


def _intake(settings: Settings) -> Service:
    # It has to consume something: a type that nobody emits here.
    from schemas.scheduling import CataloguePublished  # noqa: PLC0415

    async def ignore(_tx: Transaction, _event: Event[CataloguePublished]) -> None:
        return

    return Service("intake", settings, {CataloguePublished: ignore}, routes=routes)


def _worker(settings: Settings) -> Service:
    return Service("worker", settings, {RequestDeclined: work}, timers={"ring": ring})


def _sink(settings: Settings) -> Service:
    return Service("sink", settings, ARRIVALS)


SERVICES: Mapping[str, Callable[[Settings], Service]] = {
    "intake": _intake, "worker": _worker, "sink": _sink,
}  # fmt: skip


def serve(name: str) -> None:
    """Run one service of the chain; what the environment names is newer, broken or goes wrong in it."""
    from tests.faults import newer  # noqa: PLC0415 -- it changes this module

    _observe(os.environ[ACTIVITY])
    if broken := os.environ.get(sabotage.VARIABLE):
        sabotage.SABOTAGES[broken]()
    if contract := os.environ.get(newer.VARIABLE):
        newer.CONTRACTS[contract]()
    if group := os.environ.get(GROUP):
        _join_group(group)
    if fault := points.read():
        points.install(fault)
    run(SERVICES[name](load_settings(Settings)))


def _join_group(suffix: str) -> None:
    make = Subscription.__init__

    def init(self: Subscription, settings: Settings, service: str, *arguments: Any) -> None:
        make(self, settings, service + suffix, *arguments)

    Subscription.__init__ = init  # type: ignore[assignment,method-assign]


def _observe(file: str) -> None:
    """Write down what is received and published: lines ``time pid what id…``, whole also after a SIGKILL."""
    lines = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(what: str, *about: str) -> None:
        os.write(lines, f"{time.time():.3f} {os.getpid()} {' '.join((what, *about))}\n".encode())

    async def consume(original: Any, self: inbox.Inbox, records: Records) -> None:
        ids = [dict(record.headers).get("ce_id", b"?").decode("utf-8", "replace") for record in records]
        note("received", *ids)
        await original(self, records)
        note("handled")

    wrap(inbox.Inbox, "consume", consume)

    async def publish_once(original: Any, *arguments: Any) -> bool:
        if some := await original(*arguments):
            note("published")
        return bool(some)

    wrap(outbox.Relay, "publish_once", publish_once)
