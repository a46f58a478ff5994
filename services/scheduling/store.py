"""What scheduling keeps in PostgreSQL: master data, visits and bookings."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg

from runtime.queries import load_queries
from schemas.scheduling import CentrePerson, Slot
from schemas.visits import DelegationPeople, MinistryPeople, Needs, RequestAmended, VisitFacts
from services.scheduling.calendar import Booked, Interval
from services.scheduling.centre import Centre
from services.scheduling.disruptions import resources_of
from services.scheduling.problem import visit_resource

SQL = load_queries(__file__)

State = Literal["wanted", "proposed", "released", "infeasible", "cancelled"]
Facts = dict[str, Any]


@dataclass(frozen=True)
class Visit:
    """A visit to plan; `slots` is the programme that is held for it, empty when there is none.

    ``latest_revision`` is above ``revision`` while an amendment waits for approval. Slots whose keys
    are ``pinned`` shall stay as they are; ``replan_because`` says why the programme has to be planned
    anew, if it has to.
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
    pinned: frozenset[str]
    replan_because: str | None

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
        """Whether the visit waits for a new or other programme and no amendment is under way."""
        wants = self.state == "wanted" or self.replan_because is not None
        return wants and self.revision == self.latest_revision

    @property
    def waits(self) -> bool:
        """Whether the visit is on the waiting list and no amendment is under way."""
        return self.state == "infeasible" and self.revision == self.latest_revision

    def is_in_progress(self, now: datetime) -> bool:
        """Whether a firm programme has begun."""
        return self.state == "released" and any(slot.starts <= now for slot in self.slots)


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
) -> Visit | None:
    """Take over an amendment that needs no approval; nothing comes back when it is not newer."""
    needs, people = amended.needs.model_dump(mode="json"), _kept(amended.people)
    return _visit(
        await connection.fetchrow(
            SQL["take_amendment"], visit, amended.revision, needs, people, now, amended.ministry
        )
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


async def find_visit(connection: asyncpg.Connection, reference: str) -> UUID | None:
    """The id of the visit with that reference, if it is known."""
    id_: UUID | None = await connection.fetchval(SQL["visit_of_reference"], reference)
    return id_


async def set_outcome(
    connection: asyncpg.Connection,
    visit: UUID,
    state: State,
    release: int,
    slots: tuple[Slot, ...],
    persons: tuple[CentrePerson, ...],
    now: datetime,
    pinned: Iterable[str] = (),
) -> None:
    """Record what became of a visit, the programme that it holds and who has a part in it."""
    held = [slot.model_dump(mode="json") for slot in slots]
    await connection.execute(
        SQL["set_outcome"], visit, state, release, held, _known(persons), now, sorted(pinned)
    )


async def make_firm(
    connection: asyncpg.Connection,
    visit: UUID,
    release: int,
    persons: tuple[CentrePerson, ...],
    now: datetime,
) -> None:
    """Record that the ministry accepted the programme that is held."""
    await connection.execute(SQL["make_firm"], visit, release, _known(persons), now)


def _known(persons: tuple[CentrePerson, ...]) -> list[Facts]:
    return [person.model_dump(mode="json") for person in persons]


async def want_replan(connection: asyncpg.Connection, visit: UUID, cause: str, now: datetime) -> None:
    """Have a held programme planned anew; lock the visit before."""
    await connection.execute(SQL["want_replan"], visit, cause, now)


async def want_again(connection: asyncpg.Connection, visit: UUID, now: datetime) -> None:
    """Have a visit on the waiting list planned as if it had just been approved; lock it before."""
    await connection.execute(SQL["want_again"], visit, now)


async def keep_programme(connection: asyncpg.Connection, visit: UUID, pinned: Iterable[str]) -> None:
    """Record that a held programme stays as it is, with these slots pinned."""
    await connection.execute(SQL["keep_programme"], visit, sorted(pinned))


async def set_pinned(
    connection: asyncpg.Connection, visit: UUID, pinned: Iterable[str], now: datetime
) -> None:
    """Record which slots shall stay as they are; lock the visit before."""
    await connection.execute(SQL["set_pinned"], visit, sorted(pinned), now)


async def holding(connection: asyncpg.Connection, now: datetime) -> tuple[UUID, ...]:
    """The visits whose held programme has something still to come."""
    return tuple(row["visit_id"] for row in await connection.fetch(SQL["holding"], now))


async def busy(
    connection: asyncpg.Connection, visit: UUID, span: Interval
) -> dict[str, tuple[Interval, ...]]:
    """When each resource is taken by other visits than this one (`Booked`) or blocked, within a span."""
    taken: dict[str, tuple[Interval, ...]] = {}
    for row in await connection.fetch(SQL["busy"], visit, span.start, span.end):
        starts, ends, venue = row["starts"], row["ends"], row["venue"]
        interval = Interval(starts, ends) if venue is None else Booked(starts, ends, venue)
        taken[row["resource"]] = (*taken.get(row["resource"], ()), interval)
    return taken


async def lock_bookings(connection: asyncpg.Connection) -> None:
    """Keep other planners and officers from booking and blocking until this transaction or savepoint ends."""
    await connection.execute(SQL["lock_bookings"])


async def free_bookings(connection: asyncpg.Connection, visit: UUID) -> None:
    """Give back all that a visit holds."""
    await connection.execute(SQL["free_bookings"], visit)


async def book(connection: asyncpg.Connection, visit: UUID, release: int, slots: tuple[Slot, ...]) -> None:
    """Hold the delegation, places and people of a programme instead of what the visit held before.

    Raises `asyncpg.ExclusionViolationError` when another visit has one of them at the same time.
    """
    await lock_bookings(connection)
    await free_bookings(connection, visit)
    rows = [
        (visit, release, slot.key, resource, slot.starts, slot.ends, slot.place.code)
        for slot in slots
        for resource in (_delegation(visit, slot), *resources_of(slot))
    ]
    await connection.executemany(SQL["add_booking"], rows)


def _delegation(visit: UUID, slot: Slot) -> str:
    """The guests of a slot: each group of a split delegation can be in one place only."""
    return visit_resource(visit if slot.group is None else f"{visit}-{slot.group}")


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
        pinned=frozenset(row["pinned"]),
        replan_because=row["replan_because"],
    )
