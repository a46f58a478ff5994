"""Finds what the database's exclusion constraint cannot see: blocks, ways between premises, daily limits."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from schemas.scheduling import Slot
from services.scheduling.calendar import Booked, Interval
from services.scheduling.catalogue import QUARTER
from services.scheduling.centre import Centre
from services.scheduling.disruptions import resources_of
from services.scheduling.problem import CENTRE_RESOURCE, person_resource
from services.scheduling.ways import Ways

Busy = Mapping[str, tuple[Interval, ...]]


def in_the_way(
    slots: Sequence[Slot], held: Sequence[Slot], centre: Centre, busy: Busy, now: datetime
) -> str | None:
    """Why ``slots`` cannot be booked as others' bookings and blocks are now, in words; nothing if they can.

    What has begun stays, and what is ``held`` already was looked at when it was booked; only a block
    may have come since.
    """
    to_come = tuple(slot for slot in slots if slot.starts > now)
    new = tuple(slot for slot in to_come if not any(_same(slot, other) for other in held))
    complaints = (
        *_taken(to_come, busy),
        *_on_the_way(new, centre, busy),
        *_too_many(slots, new, centre, busy),
    )
    return next(iter(complaints), None)


def _same(one: Slot, other: Slot) -> bool:
    return (one.key, one.starts, one.ends) == (other.key, other.starts, other.ends) and set(
        resources_of(one)
    ) == set(resources_of(other))


def _taken(slots: Sequence[Slot], busy: Busy) -> Iterator[str]:
    for slot in slots:
        for resource in (CENTRE_RESOURCE, *resources_of(slot)):
            if any(span.start < slot.ends and slot.starts < span.end for span in busy.get(resource, ())):
                yield f"{resource} is taken at {slot.key}"


def _on_the_way(slots: Sequence[Slot], centre: Centre, busy: Busy) -> Iterator[str]:
    ways = Ways(centre)
    for slot in slots:
        for one in slot.assignments:
            for booked in _booked(one.person, busy):
                rest = centre.interpreting.rest if one.role == "interpreter" else 0
                gap = timedelta(minutes=max(rest, _way(ways, slot.place.code, booked.venue)))
                if booked.start < slot.ends + gap and slot.starts < booked.end + gap:
                    yield f"{one.person} cannot be at {slot.key} in time"


def _too_many(slots: Sequence[Slot], new: Sequence[Slot], centre: Centre, busy: Busy) -> Iterator[str]:
    concerned = {one.person for slot in new for one in slot.assignments}
    for code in sorted(concerned):
        person = centre.person(code)
        own = [slot.starts for slot in slots if any(one.person == code for one in slot.assignments)]
        others = [booked.start for booked in _booked(code, busy)]
        days = Counter(moment.astimezone(centre.zone).date() for moment in (*own, *others))
        if person and any(
            days[day.astimezone(centre.zone).date()] > person.max_sessions_a_day for day in own
        ):
            yield f"{code} has too many sessions on one day"


def _booked(person: str, busy: Busy) -> tuple[Booked, ...]:
    return tuple(span for span in busy.get(person_resource(person), ()) if isinstance(span, Booked))


def _way(ways: Ways, one: str, other: str) -> int:
    """Minutes that people need from one venue to another."""
    here, there = ways.premises(one), ways.premises(other)
    return 0 if here == there else ways.travel(here, there) * QUARTER
