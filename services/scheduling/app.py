"""Wires the scheduling service: master data, solver process, handlers and timers."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import asyncpg
import structlog
from fastapi import FastAPI
from pydantic import Field

from runtime.errors import UsageError
from runtime.service import Service
from runtime.settings import Settings, load_settings
from runtime.transaction import Handler, TimerHandler, Transaction, Transactions
from schemas.event import EventData
from schemas.scheduling import CATALOGUE_SUBJECT, CataloguePublished, SiteEntry, ThemeEntry
from schemas.visits import (
    RequestAmended,
    RequestApproved,
    RequestDeclined,
    RequestWithdrawn,
    VisitCancelled,
    VisitConfirmed,
)
from services.scheduling import store
from services.scheduling.centre import Centre
from services.scheduling.centre_file import BadCentre, load_centre
from services.scheduling.domain import MOST_GROUPS, visitors_at_once
from services.scheduling.handlers import (
    cancel_programme,
    release_programme,
    take_amendment,
    want_programme,
)
from services.scheduling.http import routes
from services.scheduling.orders_http import order_routes
from services.scheduling.planning import PLAN, Office
from services.scheduling.review import REVIEW, review
from services.scheduling.waiting import WAITLIST, give_back
from services.scheduling.what_if import Previews
from services.scheduling.worker import SolverProcess

log = structlog.get_logger()


class SchedulingSettings(Settings):
    """What scheduling needs to know beyond every service's settings."""

    centre: Path = Field(description="the YAML file of the Centre's master data")
    solver_seconds: float = Field(default=5, gt=0, le=600, description="time limit of one search")
    body_limit: int = Field(default=1_048_576, ge=1024, description="bytes that a request's body may have")
    answer_days: int = Field(default=7, ge=1, le=90, description="days that a ministry has to answer")


def service() -> Service:
    """The scheduling service. Raises `UsageError` when settings or master data are wrong."""
    settings = load_settings(SchedulingSettings)
    try:
        centre = load_centre(settings.centre)
    except BadCentre as error:
        raise UsageError(str(error)) from error
    solver, previewer = SolverProcess(), SolverProcess()  # the second starts with the first preview
    office = Office(centre, solver, settings.solver_seconds, settings.answer_days)

    @asynccontextmanager
    async def lifespan(transactions: Transactions) -> AsyncIterator[None]:
        async with transactions() as tx:
            await publish_catalogue(tx, centre)
        warming = asyncio.create_task(solver.warm(centre, transactions.now()))
        try:
            yield
        finally:
            warming.cancel()
            with suppress(asyncio.CancelledError, BrokenProcessPool):
                await warming
            await solver.stop()
            await previewer.stop()

    async def ready(connection: asyncpg.Connection) -> str | None:
        known = await store.has_centre(connection, centre.content_hash)
        return None if known else "the Centre's master data are not loaded"

    def add_routes(app: FastAPI, transactions: Transactions) -> None:
        routes(
            app,
            transactions,
            centre=centre,
            previews=Previews(previewer),
            seconds=settings.solver_seconds,
            body_limit=settings.body_limit,
        )
        order_routes(app, transactions, office, settings.body_limit)

    return Service(
        name="scheduling",
        settings=settings,
        handlers=handlers(office),
        timers=timers(office),
        routes=add_routes,
        lifespan=lifespan,
        ready=ready,
    )


def handlers(office: Office) -> dict[type[EventData], Handler]:
    """What the office does when it hears of visits."""
    return {
        RequestApproved: want_programme,
        RequestAmended: partial(take_amendment, office),
        RequestDeclined: partial(cancel_programme, office),
        RequestWithdrawn: partial(cancel_programme, office),
        VisitCancelled: partial(cancel_programme, office),
        VisitConfirmed: partial(release_programme, office),
    }


def timers(office: Office) -> dict[str, TimerHandler]:
    """What the office does when a time has come."""
    return {PLAN: office.propose_programme, WAITLIST: office.try_waiting, REVIEW: partial(review, office)}


async def publish_catalogue(tx: Transaction, centre: Centre) -> None:
    """Keep the master data, have held programmes looked over, and tell what can be asked for.

    Told at every start, under the same revision as long as the master data are the same: a `visits`
    whose database was rebuilt would otherwise wait for the next change.
    """
    known = await store.has_centre(tx.connection, centre.content_hash)
    revision = await store.keep_centre(tx.connection, centre, tx.now)
    await tx.remind(REVIEW, "", tx.now)
    if not known:
        give_back(tx)
    log.info("master data loaded", revision=revision, people=len(centre.people), venues=len(centre.venues))
    tx.emit(catalogue(centre, revision), subject=CATALOGUE_SUBJECT)


def catalogue(centre: Centre, revision: int) -> CataloguePublished:
    """What a delegation can ask for."""
    return CataloguePublished(
        revision=revision,
        themes=tuple(ThemeEntry(code=theme.code, title=theme.title) for theme in centre.themes),
        sites=tuple(
            SiteEntry(
                code=venue.code,
                title=venue.name,
                group_cap=visitors_at_once(venue, venue.site),
                visitors=MOST_GROUPS * visitors_at_once(venue, venue.site),
                media_allowed=venue.site.media_allowed,
                confidentiality_required=venue.site.confidentiality_required,
            )
            for venue in centre.venues
            if venue.site
        ),
        largest_venue=max(venue.capacity for venue in centre.venues if venue.kind in {"meeting", "hall"}),
    )
