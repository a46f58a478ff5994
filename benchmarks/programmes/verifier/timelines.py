"""Nobody and nothing is in two places at once, and everybody has time for the way."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import combinations
from typing import NamedTuple

from benchmarks.programmes.verifier.case import Case
from schemas.scheduling import Slot

_BUFFER = timedelta(minutes=15)


class Stay(NamedTuple):
    """Somebody is on some premises; ``venue`` and ``premises`` are empty for a plain block."""

    starts: datetime
    ends: datetime
    what: str
    venue: str
    premises: str
    fixed: bool


def nobody_twice(case: Case) -> Iterator[str]:
    """Every complaint about overlaps, ways and buffers: of guests, people, venues, and the Centre itself."""
    groups: set[int | None] = {slot.group for slot in case.slots if slot.group} or {None}
    for group in sorted(groups, key=lambda number: number or 0):
        mine = [_stay(case, slot) for slot in case.slots if slot.group in {None, group}]
        yield from _conflicts(case, f"the delegation's group {group or 1}", mine, _BUFFER)
    for code in sorted({one.person for slot in case.slots for one in slot.assignments}):
        yield from _person(case, code)
    for code in sorted({slot.place.code for slot in case.slots}):
        inside = [_stay(case, slot) for slot in case.slots if slot.place.code == code]
        yield from _conflicts(case, f"venue:{code}", [*inside, *_elsewhere(case, f"venue:{code}")])
    for slot in case.new:
        for span in case.problem.busy.get("centre", ()):
            if slot.starts < span.end and span.start < slot.ends:
                yield f"the Centre is closed during {slot.key}"


def _person(case: Case, code: str) -> Iterator[str]:
    resource = f"person:{code}"
    mine = [_stay(case, slot) for slot in case.slots if code in {one.person for one in slot.assignments}]
    yield from _conflicts(case, resource, [*mine, *_elsewhere(case, resource)])


def _stay(case: Case, slot: Slot) -> Stay:
    venue = case.venue(slot)
    return Stay(slot.starts, slot.ends, slot.key, venue.code, venue.premises, case.has_begun(slot))


def _elsewhere(case: Case, resource: str) -> list[Stay]:
    """What takes a resource already; it stays as it is."""
    premises = {venue.code: venue.premises for venue in case.centre.venues}
    stays = []
    for span in case.problem.busy.get(resource, ()):
        venue = getattr(span, "venue", "") if resource.startswith("person:") else ""
        where = premises.get(venue, "")
        stays.append(Stay(span.start, span.end, "something else", venue, where, fixed=True))
    return stays


def _conflicts(case: Case, who: str, stays: list[Stay], buffer: timedelta = timedelta(0)) -> Iterator[str]:
    for one, other in combinations(sorted(stays), 2):
        if one.fixed and other.fixed:
            continue
        if other.starts < one.ends:
            yield f"{who} has {one.what} and {other.what} at one time"
        elif other.starts - one.ends < _gap(case, one, other, buffer):
            yield f"{who} has no time for the way from {one.what} to {other.what}"


def _gap(case: Case, one: Stay, other: Stay, buffer: timedelta) -> timedelta:
    if not one.venue or not other.venue or one.venue == other.venue:
        return timedelta(0)
    return max(buffer, case.way(one.premises, other.premises))
