"""The waiting list in PostgreSQL: who waits, and how it hears that something was given back."""

from datetime import date, datetime, timedelta
from uuid import UUID

import asyncpg

from runtime.transaction import Transaction
from schemas.terms import DateWindow
from schemas.visits import Needs
from services.scheduling.calendar import span_of
from services.scheduling.centre import Centre
from services.scheduling.store import SQL
from services.scheduling.waitlist import Waiting, in_turn

WAITLIST = "waitlist"
"""The timer, with one key only, that has the next visit on the waiting list tried again."""


def give_back(tx: Transaction) -> None:
    """Note that something is given back which waiting visits might need, and have them tried."""
    tx.write(SQL["give_back"])
    try_on(tx)


def try_on(tx: Transaction) -> None:
    """Have the next waiting visit tried, after the plans that are due already."""
    tx.wake(WAITLIST, "")


async def given_back(connection: asyncpg.Connection) -> int:
    """How often something was given back."""
    number: int = await connection.fetchval(SQL["given_back"])
    return number


async def set_tried(connection: asyncpg.Connection, visit: UUID, given_back: int) -> None:
    """Note up to which giving back a visit was tried in vain."""
    await connection.execute(SQL["set_tried"], visit, given_back)


async def waiting_list(connection: asyncpg.Connection, centre: Centre, now: datetime) -> tuple[Waiting, ...]:
    """Who waits and can still come, in the order in which they are tried."""
    today = now.astimezone(centre.zone).date()
    year = span_of(centre, _year(today))
    counts = await connection.fetch(SQL["held_by_country"], year.start, year.end)
    held = {row["country"]: row["programmes"] for row in counts}
    return in_turn([_waiting(row) for row in await connection.fetch(SQL["waiting"])], held, today)


def _year(today: date) -> DateWindow:
    return DateWindow(first=date(today.year, 1, 1), last=date(today.year + 1, 1, 1) - timedelta(days=1))


def _waiting(row: asyncpg.Record) -> Waiting:
    needs = Needs.model_validate(row["needs"])
    return Waiting(
        id=row["id"],
        reference=row["reference"],
        country=row["country"],
        urgency=needs.urgency,
        last_day=max(window.last for window in needs.windows),
        since=row["waiting_since"],
        tried=row["tried"],
    )
