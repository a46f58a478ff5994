"""Orders that follow from scheduling's news and from timers."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from uuid import UUID

import structlog

from runtime.transaction import TimerHandler, Transaction, Transactions
from schemas.event import Event
from schemas.scheduling import (
    CataloguePublished,
    ProgrammeCancelled,
    ProgrammeInfeasible,
    ProgrammeProposed,
    ProgrammeReleased,
    ProgrammeRevised,
)
from services.visits import commands as c
from services.visits import store
from services.visits.commands import Command
from services.visits.orders import SYSTEM, carry_out
from services.visits.programme import stored
from services.visits.transitions import Forbidden
from services.visits.visit import Stale

log = structlog.get_logger()

KEEP_ANSWERS = timedelta(days=7)
"""How long a repeated request gets the answer of the first one."""


async def keep_catalogue(tx: Transaction, event: Event[CataloguePublished]) -> None:
    """Keep what can be asked for, unless a newer catalogue is here."""
    await store.keep_catalogue(tx.connection, event.data)


async def record_proposal(tx: Transaction, event: Event[ProgrammeProposed] | Event[ProgrammeRevised]) -> None:
    """Put a new or changed programme up for the ministry's answer."""
    programme = stored(event.data, event.data.respond_by)
    await _follow(tx, event.subject, c.RecordProposal(programme))


async def record_release(tx: Transaction, event: Event[ProgrammeReleased]) -> None:
    """Keep the firm programme, by which the visit begins and ends."""
    await _follow(tx, event.subject, c.RecordRelease(stored(event.data, None)))


async def record_infeasible(tx: Transaction, event: Event[ProgrammeInfeasible]) -> None:
    """Put the visit on the waiting list, with the reasons and what would be possible instead."""
    data = event.data
    await _follow(tx, event.subject, c.RecordInfeasible(data.revision, data.reasons, data.alternatives))


async def record_cancellation(tx: Transaction, event: Event[ProgrammeCancelled]) -> None:
    """Let go of a programme that scheduling has dropped."""
    data = event.data
    await _follow(tx, event.subject, c.RecordCancellation(data.revision, data.release, data.people.reason))


def timers(report_days: int) -> dict[str, TimerHandler]:
    """Make the handlers of the deadlines that `services.visits.visit.deadlines` sets."""
    orders: dict[str, Callable[[], Command]] = {
        "expire-consultations": c.ExpireConsultations,
        "expire-proposal": c.ExpireProposal,
        "begin": c.Begin,
        "complete": partial(c.Complete, report_days),
        "chase-report": c.ChaseReport,
    }
    fired = {name: partial(_fire, order=order) for name, order in orders.items()}
    return {**fired, "forget-answers": forget_answers}


@asynccontextmanager
async def sweeping(transactions: Transactions) -> AsyncIterator[None]:
    """Start the timer that keeps itself going."""
    async with transactions() as tx:
        await tx.remind("forget-answers", "", tx.now)
    yield


async def forget_answers(tx: Transaction, key: str) -> None:
    """Drop the answers that are too old to be asked for again, now and every hour."""
    await tx.connection.execute(store.SQL["forget_answers"], tx.now - KEEP_ANSWERS)
    await tx.remind("forget-answers", key, tx.now + timedelta(hours=1))


async def _fire(tx: Transaction, key: str, *, order: Callable[[], Command]) -> None:
    await _follow(tx, key, order())


async def _follow(tx: Transaction, subject: str, command: Command) -> None:
    """Carry out what news or a timer asks for; what has been overtaken meanwhile is let go."""
    visit = await store.lock_visit(tx.connection, UUID(subject), None)
    if visit is None:
        raise LookupError(f"there is no visit {subject}")
    try:
        await carry_out(tx, command, visit, SYSTEM)
    except (Forbidden, Stale) as refusal:
        log.info("overtaken", command=type(command).__name__, visit=subject, why=str(refusal))
