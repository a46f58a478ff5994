"""Wiring of the event log: every topic into one table."""

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

from runtime.kafka import TOPICS
from runtime.service import Service
from runtime.settings import Settings, load_settings
from runtime.transaction import Transaction, Transactions
from schemas.event import AnyData, Event
from services.eventlog.store import record_event


def service() -> Service:
    """The event log as a service; it takes events of any type, known to this version or not."""
    return Service(
        name="eventlog",
        settings=load_settings(Settings),
        handlers={},
        consume_any=record,
        topics=TOPICS,
        routes=add_routes,
    )


async def record(tx: Transaction, event: Event[AnyData]) -> None:
    """Keep the event."""
    record_event(tx, event)


def add_routes(app: FastAPI, _transactions: Transactions) -> None:
    """Say at the root what is here."""

    @app.get("/", include_in_schema=False)
    async def root() -> PlainTextResponse:
        return PlainTextResponse(
            "Wafd event log. Read it with `wafd log tail`, `wafd log search` and `wafd log trace`.\n"
            "Here: /health/live, /health/ready, /metrics\n"
        )
