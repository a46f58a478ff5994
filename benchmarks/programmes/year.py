"""A year of a Centre: each request is solved against the bookings of those before it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, timedelta

from benchmarks.programmes.by_hand import by_hand, is_worse
from benchmarks.programmes.centres import centre_for
from benchmarks.programmes.requests import Request, year_of_requests
from benchmarks.programmes.verifier import complaints
from schemas.scheduling import Slot
from services.scheduling.calendar import Booked, Interval, span_of
from services.scheduling.centre import Centre
from services.scheduling.explain import solve
from services.scheduling.problem import Problem, Solution, person_resource, venue_resource
from services.scheduling.runs import horizon

SECONDS = 5.0
"""What the search may take, as in the service."""

Told = Callable[[str], None]
Busy = dict[str, tuple[Interval, ...]]


@dataclass
class Calendar:
    """The bookings of all programmes, by resource."""

    booked: dict[str, list[Booked]] = field(default_factory=dict)
    size: int = 0

    def book(self, slots: tuple[Slot, ...]) -> None:
        """Take what a programme needs."""
        for slot in slots:
            for resource in resources(slot):
                span = Booked(slot.starts, slot.ends, slot.place.code)
                self.booked.setdefault(resource, []).append(span)
                self.size += 1

    def busy(self, within: Interval | None = None) -> Busy:
        """What is taken; with ``within`` what touches it, as the service reads it for a problem."""
        return {
            resource: tuple(
                span
                for span in spans
                if within is None or (span.start < within.end and within.start < span.end)
            )
            for resource, spans in self.booked.items()
        }


@dataclass(frozen=True)
class Answer:
    """What became of one request: the solver's and the greedy programme, if any, and the time each took."""

    problem: Problem
    found: Solution | None
    seconds: float
    baseline: Solution | None
    baseline_seconds: float
    faults: tuple[str, ...]

    @property
    def is_worse(self) -> bool:
        """Whether the greedy programme is better."""
        return is_worse(self.problem, self.found, self.baseline)


def resources(slot: Slot) -> tuple[str, ...]:
    """What a slot takes: its venue and its people."""
    return (venue_resource(slot.place.code), *(person_resource(one.person) for one in slot.assignments))


def run_year(visits: int, seed: int, told: Told) -> tuple[Centre, list[Answer]]:
    """Solve a year of requests in their order, each programme booked before the next request."""
    centre, calendar = centre_for(visits, seed), Calendar()
    answers = []
    for request in year_of_requests(centre, visits, seed):
        answer = answered(problem_of(centre, request, calendar))
        answers.append(answer)
        if answer.found:
            calendar.book(answer.found.slots)
        told(f"{visits:,} visits a year")
    return centre, answers


def problem_of(centre: Centre, request: Request, calendar: Calendar, *, whole: bool = False) -> Problem:
    """The problem that the service would make of a request; ``whole`` with all bookings of the calendar."""
    now = request.at.astimezone(UTC)
    span = span_of(centre, horizon(request.needs, now, centre))
    margin = timedelta(days=1)
    within = None if whole else Interval(span.start - margin, span.end + margin)
    return Problem(centre, request.needs, calendar.busy(within), now, SECONDS, country=request.country)


def answered(problem: Problem) -> Answer:
    """Solve a problem, by hand, too, and check both programmes."""
    since = time.perf_counter()
    outcome = solve(problem)
    then = time.perf_counter()
    baseline = by_hand(problem)
    took = time.perf_counter() - then
    found = outcome if isinstance(outcome, Solution) else None
    faults = [f"solver: {fault}" for fault in complaints(problem, found.slots)] if found else []
    if baseline:
        faults += [f"greedy: {fault}" for fault in complaints(problem, baseline.slots)]
    if not isinstance(outcome, Solution) and not outcome.reasons:
        faults.append("solver: there is no reason")
    return Answer(problem, found, then - since, baseline, took, tuple(faults))
