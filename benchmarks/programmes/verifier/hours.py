"""Working days and hours, breaks, prayers, arrival and departure, half days."""

from collections.abc import Iterator
from datetime import timedelta

from benchmarks.programmes.verifier.case import Case
from benchmarks.programmes.verifier.days import hours_of, working_days, works
from benchmarks.programmes.verifier.sun import TOLERANCE, begins
from schemas.scheduling import Slot
from services.scheduling.centre import Break

_AFTER_LANDING = timedelta(minutes=90)
_BEFORE_DEPARTURE = timedelta(minutes=180)
_HALF_DAY = timedelta(hours=4)


def within_hours(case: Case) -> Iterator[str]:
    """Every complaint about times of day and about the days of the visit."""
    for slot in case.new:
        yield from _hours_of(case, slot)
        yield from _travel_dates(case, slot)
        if slot.starts <= case.problem.now:
            yield f"{slot.key} begins in the past"
    yield from _run_of_days(case)
    first, last = min(slot.starts for slot in case.slots), max(slot.ends for slot in case.slots)
    if case.needs.kind == "courtesy" and case.needs.days == 1 and last - first > _HALF_DAY:
        yield "a half-day visit is longer than four hours"


def _hours_of(case: Case, slot: Slot) -> Iterator[str]:
    starts, ends = case.local(slot.starts), case.local(slot.ends)
    day, working = starts.date(), hours_of(case, starts.date())
    if not works(case, day):
        yield f"{slot.key} is on a closed day ({day})"
    if starts.time() < working.hours.start or ends.time() > working.hours.end or ends.date() != day:
        yield f"{slot.key} is outside working hours"
    if starts.minute % 15 or starts.second or starts.microsecond:
        yield f"{slot.key} is off the grid"
    item = case.item(slot)
    hours = item.hours if item else None
    if hours and (starts.time() < hours.start or ends.time() > hours.end):
        yield f"{slot.key} is outside its own hours"
    for one in working.breaks:
        if isinstance(one, Break):
            if not hours and starts.time() < one.end and ends.time() > one.start:
                yield f"{slot.key} is in a break ({one.name.en})"
        elif case.centre.position:
            pause = begins(one.prayer, case.centre.position, day)
            until = pause + timedelta(minutes=one.minutes)
            if slot.starts < until - TOLERANCE and slot.ends > pause + TOLERANCE:
                yield f"{slot.key} is in a break ({one.prayer})"


def _travel_dates(case: Case, slot: Slot) -> Iterator[str]:
    if case.needs.arrives and slot.starts - case.needs.arrives < _AFTER_LANDING:
        yield f"{slot.key} begins too soon after the arrival"
    if case.needs.leaves and case.needs.leaves - slot.ends < _BEFORE_DEPARTURE:
        yield f"{slot.key} ends too short before the departure"


def _run_of_days(case: Case) -> Iterator[str]:
    days, needs = case.days, case.needs
    spans = [(window.first, window.last) for window in needs.windows]
    if case.problem.held:  # a programme that was held may stay where it is
        held = [case.local(slot.starts).date() for slot in case.problem.held]
        spans.append((min(held), max(held)))
    if not any(first <= days[0] and days[-1] <= last for first, last in spans):
        yield "the visit is outside the windows"
    if any(day in needs.blackout_dates for day in days):
        yield "the visit is over a blackout date"
    working = working_days(case)
    if len(working) != needs.days:
        yield f"the visit has {len(working)} working days instead of {needs.days}"
