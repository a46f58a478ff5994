"""What scheduling does when it hears of visits."""

from uuid import UUID

import structlog

from runtime.transaction import Transaction
from schemas.event import Event
from schemas.visits import (
    RequestAmended,
    RequestApproved,
    RequestDeclined,
    RequestWithdrawn,
    VisitCancelled,
    VisitConfirmed,
)
from services.scheduling import store
from services.scheduling.planning import PLAN, Office
from services.scheduling.publishing import call_off, make_firm
from services.scheduling.review import replan_if_needed
from services.scheduling.waiting import try_on

log = structlog.get_logger()

ENDED = {
    RequestDeclined: "the request was declined",
    RequestWithdrawn: "the request was withdrawn",
    VisitCancelled: "the visit was cancelled",
}


async def want_programme(tx: Transaction, event: Event[RequestApproved]) -> None:
    """Note an approved request and have it planned at once."""
    data = event.data
    wanted = await store.want_visit(tx.connection, UUID(event.subject), data, data.needs, data.people, tx.now)
    if wanted:
        await tx.remind(PLAN, event.subject, tx.now)
    else:
        log.info("stale approval ignored", visit=event.subject, revision=data.revision)


async def take_amendment(office: Office, tx: Transaction, event: Event[RequestAmended]) -> None:
    """Keep a held programme until the amendment is approved; one that needs no approval holds at once.

    If the programme does not fit it, as when a flight is late, it is planned anew.
    """
    data, visit = event.data, UUID(event.subject)
    if data.needs_approval:
        await store.note_amendment(tx.connection, visit, data, tx.now)
        await tx.forget(PLAN, event.subject)
        return
    amended = await store.take_amendment(tx.connection, visit, data, tx.now)
    if amended is not None:  # a plan that is just being made is made again
        await replan_if_needed(office, tx, amended)
        if amended.waits:
            try_on(tx)


async def cancel_programme(
    office: Office, tx: Transaction, event: Event[RequestDeclined | RequestWithdrawn | VisitCancelled]
) -> None:
    """Give back what a visit holds that will not take place."""
    visit = await store.lock_visit(tx.connection, UUID(event.subject))
    if visit is None or visit.state == "cancelled":
        return
    await tx.forget(PLAN, event.subject)
    reason, cause = event.data.people.reason, ENDED[type(event.data)]
    release = await call_off(tx, office.centre, visit, reason=reason, cause=cause)
    await store.set_outcome(tx.connection, visit.id, "cancelled", release, (), (), tx.now)


async def release_programme(office: Office, tx: Transaction, event: Event[VisitConfirmed]) -> None:
    """Make the programme firm that the ministry accepted, if it is still the current one."""
    visit = await store.lock_visit(tx.connection, UUID(event.subject))
    if visit is None or visit.state != "proposed" or visit.release != event.data.release:
        log.info("stale confirmation ignored", visit=event.subject, release=event.data.release)
        return
    await make_firm(tx, office.centre, visit)
