"""What scheduling keeps in PostgreSQL: master data, visits and bookings."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg

from runtime.queries import load_queries
from schemas.scheduling import CentrePerson, Slot
from schemas.visits import DelegationPeople, MinistryPeople, Needs, RequestAmended, VisitFacts
from services.scheduling.calendar import Interval
from services.scheduling.centre import Centre
from services.scheduling.problem import person_resource, venue_resource, visit_resource

SQL = load_queries(__file__)

State = Literal["wanted", "proposed", "released", "infeasible", "cancelled"]
Facts = dict[str, Any]


@dataclass(frozen=True)
class Visit:
    """A visit to plan; `slots` is the programme that is held for it, empty when there is none.

    ``latest_revision`` is above ``revision`` while an amendment waits for approval.
    """

    id: UUID
    reference: str
    country: str
    ministry: str
    revision: int
    latest_revision: int
    state: State
    needs: Needs
    people: MinistryPeople
    release: int
    slots: tuple[Slot, ...]
    persons: tuple[CentrePerson, ...]
    """Who has a part in `slots`, as they could be written to when these were told."""

    @property
    def facts(self) -> Facts:
        """What every event about the visit says."""
        return {
            "reference": self.reference,
            "revision": self.revision,
            "country": self.country,
            "ministry": self.ministry,
        }

    @property
    def is_to_be_planned(self) -> bool:
        """Whether an approved request waits for its programme and no amendment is under way."""
        return self.state == "wanted" and self.revision == self.latest_revision


async def keep_centre(connection: asyncpg.Connection, centre: Centre, now: datetime) -> int:
    """Keep the master data instead of the newest when they differ; returns their revision."""
    await connection.execute(SQL["lock_centre"])
    newest = await connection.fetchrow(SQL["newest_centre"])
    if newest and newest["content_hash"] == centre.content_hash:
        return int(newest["revision"])
    revision = newest["revision"] + 1 if newest else 1
    master_data = centre.model_dump(mode="json")
    await connection.execute(SQL["add_centre"], revision, centre.content_hash, master_data, now)
    await connection.execute(SQL["drop_superseded_centres"], revision)
    return int(revision)


async def has_centre(connection: asyncpg.Connection, content_hash: str) -> bool:
    """Whether the newest master data are those of that hash."""
    newest = await connection.fetchrow(SQL["newest_centre"])
    return newest is not None and newest["content_hash"] == content_hash


async def current_centre(connection: asyncpg.Connection) -> Centre | None:
    """The master data that were loaded last."""
    kept = await connection.fetchval(SQL["current_centre"])
    return None if kept is None else Centre.model_validate(kept)


async def want_visit(
    connection: asyncpg.Connection,
    visit: UUID,
    facts: VisitFacts,
    needs: Needs,
    people: DelegationPeople,
    now: datetime,
) -> bool:
    """Note an approved request as to be planned; says no when it is stale or already noted."""
    row = await connection.fetchrow(
        SQL["want_visit"], visit, facts.reference, facts.country, facts.ministry, facts.revision,
        needs.model_dump(mode="json"), _kept(people), now,
    )  # fmt: skip
    return row is not None


async def note_amendment(
    connection: asyncpg.Connection, visit: UUID, amended: RequestAmended, now: datetime
) -> None:
    """Note that an amendment waits for approval; its contacts are written to from now on."""
    people = _kept(amended.people)
    await connection.execute(SQL["note_amendment"], visit, amended.revision, amended.ministry, people, now)


async def take_amendment(
    connection: asyncpg.Connection, visit: UUID, amended: RequestAmended, now: datetime
) -> None:
    """Take over an amendment that needs no approval, unless it is not newer."""
    needs, people = amended.needs.model_dump(mode="json"), _kept(amended.people)
    await connection.execute(
        SQL["take_amendment"], visit, amended.revision, needs, people, now, amended.ministry
    )


def _kept(people: DelegationPeople) -> Facts:
    """Whom to write to; who comes, and what people wrote, stays in the event."""
    return people.model_dump(mode="json", include={"focal_points"})


async def read_visit(connection: asyncpg.Connection, visit: UUID) -> Visit | None:
    """One visit as it stands, if it is known."""
    return _visit(await connection.fetchrow(SQL["read_visit"], visit))


async def lock_visit(connection: asyncpg.Connection, visit: UUID) -> Visit | None:
    """One visit, if it is known, locked until the transaction or savepoint ends."""
    return _visit(await connection.fetchrow(SQL["lock_visit"], visit))


async def set_outcome(
    connection: asyncpg.Connection,
    visit: UUID,
    state: State,
    release: int,
    slots: tuple[Slot, ...],
    persons: tuple[CentrePerson, ...],
    now: datetime,
) -> None:
    """Record what became of a visit, the programme that it holds and who has a part in it."""
    held = [slot.model_dump(mode="json") for slot in slots]
    known = [person.model_dump(mode="json") for person in persons]
    await connection.execute(SQL["set_outcome"], visit, state, release, held, known, now)


async def busy(
    connection: asyncpg.Connection, visit: UUID, span: Interval
) -> dict[str, tuple[Interval, ...]]:
    """When each resource is taken by other visits than this one within a span of time."""
    taken: dict[str, tuple[Interval, ...]] = {}
    for row in await connection.fetch(SQL["busy"], visit, span.start, span.end):
        interval = Interval(row["starts"], row["ends"])
        taken[row["resource"]] = (*taken.get(row["resource"], ()), interval)
    return taken


async def free_bookings(connection: asyncpg.Connection, visit: UUID) -> None:
    """Give back all that a visit holds."""
    await connection.execute(SQL["free_bookings"], visit)


async def book(connection: asyncpg.Connection, visit: UUID, release: int, slots: tuple[Slot, ...]) -> None:
    """Hold the delegation, places and people of a programme instead of what the visit held before.

    Raises `asyncpg.ExclusionViolationError` when another visit has one of them at the same time.
    """
    await connection.execute(SQL["lock_bookings"])
    await free_bookings(connection, visit)
    rows = [
        (visit, release, slot.key, resource, slot.starts, slot.ends)
        for slot in slots
        for resource in _resources(visit, slot)
    ]
    await connection.executemany(SQL["add_booking"], rows)


def _resources(visit: UUID, slot: Slot) -> tuple[str, ...]:
    people = (person_resource(one.person) for one in slot.assignments)
    return (visit_resource(visit), venue_resource(slot.place.code), *people)


def _visit(row: asyncpg.Record | None) -> Visit | None:
    if row is None:
        return None
    return Visit(
        id=row["id"],
        reference=row["reference"],
        country=row["country"],
        ministry=row["ministry"],
        revision=row["revision"],
        latest_revision=row["latest_revision"],
        state=row["state"],
        needs=Needs.model_validate(row["needs"]),
        people=MinistryPeople.model_validate(row["people"]),
        release=row["release"],
        slots=tuple(Slot.model_validate(slot) for slot in row["slots"]),
        persons=tuple(CentrePerson.model_validate(one) for one in row["people"].get("persons", ())),
    )
