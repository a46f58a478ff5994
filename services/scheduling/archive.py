"""What is kept of every release of a programme."""

from datetime import datetime
from uuid import UUID

import asyncpg

from schemas.scheduling import Score, Slot
from services.scheduling.releases import Release
from services.scheduling.store import SQL


async def keep_release(connection: asyncpg.Connection, visit: UUID, release: Release) -> None:
    """Keep a release as it is told."""
    slots = [slot.model_dump(mode="json") for slot in release.slots]
    score = release.score.model_dump(mode="json") if release.score else None
    await connection.execute(
        SQL["add_release"], visit, release.release, release.revision, release.kind, slots, score,
        release.cause, release.made_at,
    )  # fmt: skip


async def releases(connection: asyncpg.Connection, visit: UUID) -> tuple[Release, ...]:
    """Every release of a visit's programme, in order."""
    return tuple(_release(row) for row in await connection.fetch(SQL["releases"], visit))


def _release(row: asyncpg.Record) -> Release:
    made_at: datetime = row["made_at"]
    return Release(
        release=row["release"],
        revision=row["revision"],
        kind=row["kind"],
        slots=tuple(Slot.model_validate(slot) for slot in row["slots"]),
        score=Score.model_validate(row["score"]) if row["score"] else None,
        cause=row["cause"],
        made_at=made_at,
    )
