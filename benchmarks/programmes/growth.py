"""What a typical visit costs as the calendar grows, and how much a replanned programme changes."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random

from benchmarks.programmes.requests import typical
from benchmarks.programmes.verifier import complaints
from benchmarks.programmes.verifier.changes import differs
from benchmarks.programmes.year import Answer, Calendar, Told, problem_of, resources
from schemas.scheduling import Slot
from services.scheduling.calendar import Booked, Interval
from services.scheduling.centre import Centre
from services.scheduling.explain import solve
from services.scheduling.problem import Problem, Solution

SIZES = (0, 1_000, 2_500, 5_000, 10_000, 20_000, 40_000)
"""Bookings."""

_NEW_YEAR = datetime(2027, 1, 15, tzinfo=UTC)


@dataclass(frozen=True)
class Probe:
    """One typical visit solved against a calendar of that many bookings."""

    bookings: int
    seconds: float
    is_feasible: bool
    faults: tuple[str, ...]


def probes(centre: Centre, answers: list[Answer], each: int, seed: int, told: Told) -> Iterator[Probe]:
    """Solve the same typical visits against larger and larger parts of a year's calendar, never booked."""
    programmes = [answer.found.slots for answer in answers if answer.found]
    Random(seed).shuffle(programmes)  # noqa: S311 -- which part of the calendar
    calendar = Calendar()
    for size in SIZES:
        while programmes and calendar.size < size:
            calendar.book(programmes.pop())
        if calendar.size < size:
            return
        for number in range(each):
            at = _NEW_YEAR + timedelta(days=230 * number / each)
            request = typical(centre, at.astimezone(centre.zone), number, seed)
            yield _probe(problem_of(centre, request, calendar, whole=True), size)
            told(f"typical visits, {size:,} bookings")


def _probe(problem: Problem, size: int) -> Probe:
    since = time.perf_counter()
    outcome = solve(problem)
    took = time.perf_counter() - since
    found = outcome if isinstance(outcome, Solution) else None
    return Probe(size, took, found is not None, tuple(complaints(problem, found.slots)) if found else ())


@dataclass(frozen=True)
class Replanned:
    """After one cancellation: slots changed with least change, and by solving anew; both of one programme."""

    changed: int
    changed_anew: int
    faults: tuple[str, ...]


def replannings(answers: list[Answer], count: int, seed: int, told: Told) -> Iterator[Replanned]:
    """Take a person or the venue from one slot of some programmes, and plan them again in two ways."""
    dice = Random(f"replan {seed}")  # noqa: S311 -- which slots
    calendar = Calendar()
    solved = [answer for answer in answers if answer.found]
    for answer in solved:
        calendar.book(answer.found.slots if answer.found else ())
    for answer in dice.sample(solved, min(count, len(solved))):
        if answer.found and (case := _replanned(dice, answer.problem, answer.found.slots, calendar)):
            yield case
        told("programmes planned again")


def _replanned(
    dice: Random, problem: Problem, held: tuple[Slot, ...], calendar: Calendar
) -> Replanned | None:
    """None when there is no programme any more: the visit goes back to its ministry."""
    slot = dice.choice(held)
    lost = dice.choice(resources(slot))
    busy = dict(calendar.busy())
    for one in held:
        own = Booked(one.starts, one.ends, one.place.code)
        for resource in resources(one):
            busy[resource] = tuple(span for span in busy[resource] if span != own)
    busy[lost] = (*busy[lost], Interval(slot.starts, slot.ends))
    anew = replace(problem, busy=busy)
    near = replace(anew, held=held)
    first, second = solve(near), solve(anew)
    if not isinstance(first, Solution) or not isinstance(second, Solution):
        return None
    faults = (*complaints(near, first.slots), *complaints(anew, second.slots))
    return Replanned(_changes(held, first), _changes(held, second), faults)


def _changes(held: tuple[Slot, ...], solution: Solution) -> int:
    now = {slot.key: slot for slot in solution.slots}
    return sum(slot.key not in now or differs(slot, now[slot.key]) for slot in held)
