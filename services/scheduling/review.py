"""Looks over held programmes when the world has changed, and has those that no longer fit planned anew."""

from datetime import timedelta
from uuid import UUID

import structlog

from runtime.transaction import Transaction
from services.scheduling import blocking, store
from services.scheduling.disruptions import misfits
from services.scheduling.planning import PLAN, Office
from services.scheduling.store import Visit

log = structlog.get_logger()

REVIEW = "review"
"""The timer of a review: of the visit whose id is its key, or of all visits when the key is empty."""

ASK_AGAIN = timedelta(seconds=5)
"""After which a review is taken up again that only a process with the newest master data can do."""


async def review(office: Office, tx: Transaction, key: str) -> None:
    """Look over all held programmes, or one of them.

    Of all, none is locked: several rows locked in this order could deadlock with an inbox's batch
    that locks them in another. Each that does not fit gets a review of its own.
    """
    if key:
        visit = await store.lock_visit(tx.connection, UUID(key))
        if visit is not None:
            await replan_if_needed(office, tx, visit)
    elif await store.has_centre(tx.connection, office.centre.content_hash):
        for id_ in await store.holding(tx.connection, tx.now):
            visit = await store.read_visit(tx.connection, id_)
            if visit is not None and await _why_not(office, tx, visit):
                await tx.remind(REVIEW, str(id_), tx.now)
    else:
        await tx.remind(REVIEW, key, tx.now + ASK_AGAIN)


async def replan_if_needed(office: Office, tx: Transaction, visit: Visit) -> None:
    """Have a visit, locked by the caller, planned anew if its held programme does not fit any more."""
    why = await _why_not(office, tx, visit)
    if why and visit.replan_because is None and visit.state != "wanted":
        log.info("programme does not fit any more", visit=str(visit.id))
        await store.want_replan(tx.connection, visit.id, why, tx.now)
        await tx.remind(PLAN, str(visit.id), tx.now)


async def _why_not(office: Office, tx: Transaction, visit: Visit) -> str | None:
    blocks = await blocking.blocks(tx.connection, tx.now)
    found = misfits(visit.slots, visit.needs, office.centre, blocks, tx.now)
    return next(iter(found.values()), None)
