"""Decides which slots of a held programme cannot stay: blocked, closed, absent, or no more as asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from schemas.scheduling import Slot
from schemas.visits import Needs
from services.scheduling.calendar import Interval, closed_because, is_holiday_in
from services.scheduling.centre import Centre, Person, Weekday
from services.scheduling.domain import CHECK_IN, TRANSFER
from services.scheduling.problem import CENTRE_RESOURCE, person_resource, venue_resource


@dataclass(frozen=True)
class Block:
    """A person, venue or the whole Centre (``resource``) out of use, and why in an officer's words."""

    id: UUID
    resource: str
    span: Interval
    reason: str
    added_by: str


def resources_of(slot: Slot) -> tuple[str, ...]:
    """The venue and the people that a slot takes."""
    people = (person_resource(one.person) for one in slot.assignments)
    return tuple(dict.fromkeys((venue_resource(slot.place.code), *people)))


def misfits(
    slots: Sequence[Slot], needs: Needs, centre: Centre, blocks: Sequence[Block], now: datetime
) -> dict[str, str]:
    """The slots still to come that cannot stay, by key, each with the first reason in words.

    A slot that has begun by ``now`` (aware) stays whatever happens.
    """
    found = {}
    for slot in slots:
        reason = next(_faults(slot, needs, centre, blocks), None) if slot.starts > now else None
        if reason:
            found[slot.key] = reason
    return found


def still_asked_for(slots: Sequence[Slot], needs: Needs, centre: Centre, now: datetime) -> tuple[Slot, ...]:
    """The slots that have begun by ``now``, or are on days on which the delegation wants to be there."""
    return tuple(
        slot
        for slot in slots
        if slot.starts <= now or _is_wanted(needs, slot.starts.astimezone(centre.zone).date())
    )


def _is_wanted(needs: Needs, day: date) -> bool:
    return day not in needs.blackout_dates and any(one.first <= day <= one.last for one in needs.windows)


def _faults(slot: Slot, needs: Needs, centre: Centre, blocks: Sequence[Block]) -> Iterator[str]:
    day = slot.starts.astimezone(centre.zone).date()
    yield from _blocked(slot, blocks)
    if closed := closed_because(centre, day):
        yield f"the Centre is closed on {day}: {closed.en}"
    yield from _venue_faults(slot, needs, centre, day)
    for one in slot.assignments:
        yield from _person_faults(one.person, one.role, centre, day)
    yield from _faults_by_the_request(slot, needs, day)


def _blocked(slot: Slot, blocks: Sequence[Block]) -> Iterator[str]:
    taken = {CENTRE_RESOURCE, *resources_of(slot)}
    for block in blocks:
        if block.resource in taken and block.span.start < slot.ends and slot.starts < block.span.end:
            yield f"{block.resource} is blocked"  # why, may be an illness: it goes when the block goes


def _venue_faults(slot: Slot, needs: Needs, centre: Centre, day: date) -> Iterator[str]:
    code, venue = slot.place.code, centre.venue(slot.place.code)
    if venue is None:
        yield f"there is no venue {code} any more"
        return
    if any(closure.first <= day <= closure.last for closure in venue.closures):
        yield f"the venue {code} is closed on {day}"
    if missing := set(needs.access_needs) - {*venue.features}:
        yield f"the venue {code} lacks {', '.join(sorted(missing))}"


def _person_faults(code: str, role: str, centre: Centre, day: date) -> Iterator[str]:
    person = centre.person(code)
    if person is None:
        yield f"{code} has left the Centre"
        return
    if role not in person.roles:
        yield f"{code} is no {role} any more"
    absent = any(absence.first <= day <= absence.last for absence in person.absences)
    if absent or Weekday.of(day) in person.days_off or _keeps_holiday(person, day):
        yield f"{code} is away on {day}"


def _keeps_holiday(person: Person, day: date) -> bool:
    return person.country is not None and is_holiday_in(person.country, day)


def _faults_by_the_request(slot: Slot, needs: Needs, day: date) -> Iterator[str]:
    if needs.arrives and slot.starts < needs.arrives + TRANSFER:
        yield "the delegation arrives later"
    if needs.leaves and slot.ends > needs.leaves - CHECK_IN:
        yield "the delegation leaves earlier"
    if not _is_wanted(needs, day):
        yield f"the delegation cannot be there on {day}"
