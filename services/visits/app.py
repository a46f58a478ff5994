"""The wiring of the service."""

from functools import partial

import asyncpg
from pydantic import Field

from runtime.service import Service
from runtime.settings import Settings, load_settings
from schemas.scheduling import (
    CataloguePublished,
    ProgrammeCancelled,
    ProgrammeInfeasible,
    ProgrammeProposed,
    ProgrammeReleased,
    ProgrammeRevised,
)
from services.visits import handlers
from services.visits.consultation import LONGEST_DAYS
from services.visits.http import routes
from services.visits.store import read_catalogue


class VisitsSettings(Settings):
    """What this service needs to know besides."""

    report_days: int = Field(
        default=30, ge=1, le=365, description="days after a visit until its report is due"
    )
    consultation_days: int = Field(
        default=5,
        ge=1,
        le=LONGEST_DAYS,
        description="days that a consulted body has, unless the officer says",
    )
    body_limit: int = Field(default=1_048_576, ge=1024, description="bytes that a request's body may have")


def service() -> Service:
    """Wire the service by its settings."""
    settings = load_settings(VisitsSettings)
    return Service(
        name="visits",
        settings=settings,
        handlers={
            CataloguePublished: handlers.keep_catalogue,
            ProgrammeProposed: handlers.record_proposal,
            ProgrammeRevised: handlers.record_proposal,
            ProgrammeReleased: handlers.record_release,
            ProgrammeInfeasible: handlers.record_infeasible,
            ProgrammeCancelled: handlers.record_cancellation,
        },
        timers=handlers.timers(settings.report_days),
        routes=partial(routes, body_limit=settings.body_limit, consultation_days=settings.consultation_days),
        ready=_why_not_ready,
        lifespan=handlers.sweeping,
    )


async def _why_not_ready(connection: asyncpg.Connection) -> str | None:
    return None if await read_catalogue(connection) else "no catalogue yet"
