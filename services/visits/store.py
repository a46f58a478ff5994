"""What the service keeps in PostgreSQL: the catalogue, visits with their people apart, consultations."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from runtime.queries import load_queries
from schemas.scheduling import Alternative, CataloguePublished
from schemas.terms import Bilingual
from services.visits.consultation import Consultation
from services.visits.programme import StoredProgramme
from services.visits.request import PERSONAL_FIELDS, VisitRequest, to_json
from services.visits.transitions import State
from services.visits.visit import Advice, Visit

SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class StoredVisit:
    """A visit with what the store knows about it; ``version`` rises with every change."""

    visit: Visit
    version: int
    submitted_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Author:
    """Whom a command in the history is put down to: a client, or the system (None)."""

    client: UUID | None


async def read_catalogue(connection: asyncpg.Connection) -> CataloguePublished | None:
    """Read the newest catalogue; None until one has arrived."""
    content = await connection.fetchval(SQL["catalogue"])
    return None if content is None else CataloguePublished.model_validate(content)


async def keep_catalogue(connection: asyncpg.Connection, catalogue: CataloguePublished) -> None:
    """Keep the catalogue unless a newer one is kept already."""
    await connection.execute(SQL["keep_catalogue"], catalogue.revision, catalogue.model_dump(mode="json"))


async def next_reference(connection: asyncpg.Connection, year: int) -> str:
    """Draw the reference of a new visit, for example ``V-2026-000017``."""
    return f"V-{year}-{await connection.fetchval(SQL['next_reference']):06}"


async def add_visit(connection: asyncpg.Connection, visit: Visit, now: datetime) -> int:
    """Store a new visit; returns its version."""
    request, people = _apart(visit.request)
    version: int = await connection.fetchval(
        SQL["add_visit"],
        visit.id,
        visit.reference,
        visit.client,
        visit.request.sender_reference,
        visit.state.value,
        visit.revision,
        visit.approvable,
        request,
        now,
    )
    await connection.execute(SQL["add_people"], visit.id, people)
    return version


async def visit_by_sender_reference(
    connection: asyncpg.Connection, client: UUID, reference: str
) -> tuple[UUID, str] | None:
    """Find the visit that a client has submitted under its own ``reference``: its id and our reference.

    From here on nobody else submits one under it, until the transaction ends.
    """
    await connection.execute(SQL["lock_sender_reference"], client, reference)
    row = await connection.fetchrow(SQL["visit_by_sender_reference"], client, reference)
    return None if row is None else (row["id"], row["reference"])


async def read_visit(connection: asyncpg.Connection, id: UUID, client: UUID | None) -> StoredVisit | None:
    """Read a visit; ``client`` limits it to that client's own."""
    row = await connection.fetchrow(SQL["visit"], id, client)
    return None if row is None else _stored(row)


async def lock_visit(connection: asyncpg.Connection, id: UUID, client: UUID | None) -> StoredVisit | None:
    """Read a visit that this transaction alone may change from now on."""
    await connection.execute(SQL["lock_visit"], id)
    return await read_visit(connection, id, client)


async def change_visit(connection: asyncpg.Connection, visit: Visit, now: datetime) -> int:
    """Write a locked visit back; returns its new version."""
    request, people = _apart(visit.request)
    programme = visit.programme and visit.programme.model_dump(mode="json")
    hosts = programme.pop("persons") if programme else None
    version: int = await connection.fetchval(
        SQL["change_visit"],
        visit.id,
        visit.state.value,
        visit.revision,
        visit.approvable,
        request,
        programme,
        _written(visit.advice),
        visit.reason,
        visit.report_due,
        visit.chase_at,
        visit.report,
        now,
    )
    await connection.execute(SQL["change_people"], visit.id, people, hosts)
    return version


async def write_consultations(
    connection: asyncpg.Connection, visit: UUID, changed: Iterable[Consultation]
) -> None:
    """Write new and changed consultations of a locked visit."""
    rows = [(visit, *dict(each).values()) for each in changed]  # the query has the columns in their order
    if rows:
        await connection.executemany(SQL["write_consultation"], rows)


async def add_history(
    connection: asyncpg.Connection,
    visit: Visit,
    *,
    before: State | None,
    command: str,
    author: Author,
    reason: str | None,
    now: datetime,
) -> None:
    """Note what was done to a visit, by whom and why."""
    await connection.execute(
        SQL["add_history"],
        visit.id,
        now,
        author.client,
        command,
        before and before.value,
        visit.state.value,
        visit.revision,
        reason,
    )


async def read_history(connection: asyncpg.Connection, id: UUID) -> list[asyncpg.Record]:
    """List what was done to a visit, the oldest first."""
    return await connection.fetch(SQL["history"], id)


async def visits_page(
    connection: asyncpg.Connection,
    *,
    client: UUID | None,
    state: State | None,
    before: UUID | None,
    limit: int,
) -> list[asyncpg.Record]:
    """List the newest visits, without personal data; ``before`` is the last id of the page before."""
    return await connection.fetch(SQL["visits_page"], client, state and state.value, before, limit)


def _apart(request: VisitRequest) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split a request into what is stored openly and what is personal."""
    document = to_json(request)
    people = {name: document.pop(name) for name in PERSONAL_FIELDS if name in document}
    return document, people


def _stored(row: asyncpg.Record) -> StoredVisit:
    programme, advice = row["programme"], row["advice"]
    visit = Visit(
        id=row["id"],
        reference=row["reference"],
        client=row["client_id"],
        country=row["country"],
        state=State(row["state"]),
        revision=row["revision"],
        approvable=row["approvable"],
        request=VisitRequest.model_validate({**row["request"], **row["people"]}),
        reason=row["reason"],
        programme=programme and StoredProgramme.model_validate({**programme, "persons": row["hosts"]}),
        advice=advice and _read(advice),
        report_due=row["report_due"],
        chase_at=row["chase_at"],
        report=row["report"],
        consultations=tuple(Consultation.model_validate(each) for each in row["consultations"]),
    )
    return StoredVisit(visit, row["version"], row["submitted_at"], row["updated_at"])


def _written(advice: Advice | None) -> dict[str, Any] | None:
    if advice is None:
        return None
    return {
        "reasons": [reason.model_dump(mode="json") for reason in advice.reasons],
        "alternatives": [each.model_dump(mode="json") for each in advice.alternatives],
    }


def _read(advice: dict[str, Any]) -> Advice:
    return Advice(
        tuple(Bilingual.model_validate(each) for each in advice["reasons"]),
        tuple(Alternative.model_validate(each) for each in advice["alternatives"]),
    )
