"""Wires the scheduling service: master data, solver process, handlers and timers."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import asyncpg
import structlog
from pydantic import Field

from runtime.errors import UsageError
from runtime.service import Service
from runtime.settings import Settings, load_settings
from runtime.transaction import Transaction, Transactions
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
from services.scheduling.handlers import PLAN, Office
from services.scheduling.http import routes
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

    return Service(
        name="scheduling",
        settings=settings,
        handlers={
            RequestApproved: office.want_programme,
            RequestAmended: office.take_amendment,
            RequestDeclined: office.cancel_programme,
            RequestWithdrawn: office.cancel_programme,
            VisitCancelled: office.cancel_programme,
            VisitConfirmed: office.release_programme,
        },
        timers={PLAN: office.propose_programme},
        routes=partial(
            routes,
            centre=centre,
            previews=Previews(previewer),
            seconds=settings.solver_seconds,
            body_limit=settings.body_limit,
        ),
        lifespan=lifespan,
        ready=ready,
    )


async def publish_catalogue(tx: Transaction, centre: Centre) -> None:
    """Keep the master data and tell what can be asked for.

    Told at every start, under the same revision as long as the master data are the same: a `visits`
    whose database was rebuilt would otherwise wait for the next change.
    """
    revision = await store.keep_centre(tx.connection, centre, tx.now)
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
