"""Which starts, venues and people are left for each session on a run of days, other bookings considered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Literal

from schemas.terms import DateWindow
from services.scheduling.calendar import Interval
from services.scheduling.centre import Centre, Person, Venue, Weekday
from services.scheduling.domain import Session
from services.scheduling.grid import Grid, quarters, starts
from services.scheduling.problem import Problem, person_resource, venue_resource


class Group(StrEnum):
    """The groups of constraints that an explanation may set aside, to see whether they are the reason."""

    BREAKS = "breaks"
    OTHER_VISITS = "other_visits"
    ABSENCES = "absences"
    DAILY_LIMITS = "daily_limits"
    SITE_HOURS = "site_hours"


@dataclass(frozen=True)
class Option:
    """A venue or person that a session may have, with the starts at which it is free long enough."""

    code: str
    starts: int


@dataclass(frozen=True)
class Choice:
    """A session with what is left for it on the run; there is at least one start, venue and lead."""

    session: Session
    starts: int
    venues: tuple[Option, ...]
    leads: tuple[Option, ...]
    interpreters: tuple[Option, ...]

    @property
    def length(self) -> int:
        """Quarters that the session takes."""
        return quarters(self.session.minutes)


@dataclass(frozen=True)
class Blocked:
    """A session for which nothing is left on the run: no time, venue, lead or interpreter."""

    session: Session
    lacks: Literal["time", "venue", "lead", "interpreter"]


@dataclass(frozen=True)
class Desk:
    """The choices of one run, and how many sessions each person may still take on each day."""

    grid: Grid
    choices: tuple[Choice, ...]
    left: Mapping[str, Mapping[date, int]]


def lay_out(
    problem: Problem,
    sessions: tuple[Session, ...],
    days: tuple[date, ...],
    ignoring: frozenset[Group] = frozenset(),
) -> Desk | Blocked:
    """Find what is left for each session on the run, or the first session with nothing left."""
    grid = Grid.over(problem.centre, days, problem.now, breaks=Group.BREAKS not in ignoring)
    look = _Look(problem, grid, ignoring)
    choices = []
    for session in sessions:
        choice = look.choice(session, _edge_days(session, grid))
        if isinstance(choice, Blocked):
            return choice
        choices.append(choice)
    people = {option.code for choice in choices for option in (*choice.leads, *choice.interpreters)}
    return Desk(grid, tuple(choices), {code: look.sessions_left(code) for code in people})


def _edge_days(session: Session, grid: Grid) -> int:
    """The welcome is on the first day and the closing on the last; other sessions are on any day."""
    match session.kind:
        case "welcome":
            return grid.day_mask(grid.days[0])
        case "closing":
            return grid.day_mask(grid.days[-1])
        case _:
            return -1


class _Look:
    """Looks up, once each, when the resources of a problem are free on a grid."""

    def __init__(self, problem: Problem, grid: Grid, ignoring: frozenset[Group]) -> None:
        self._problem = problem
        self._grid = grid
        self._ignoring = ignoring
        self._people: dict[str, int] = {}
        self._venues: dict[str, int] = {}

    def choice(self, session: Session, within: int) -> Choice | Blocked:
        length = quarters(session.minutes)
        open_starts = starts(self._grid.open & within, length)
        venues = self._options(session.venues, self._venue_free, open_starts, length)
        leads = self._options(session.leads, self._person_free, open_starts, length)
        helpers = tuple(dict.fromkeys(code for codes in session.interpreters.values() for code in codes))
        interpreters = self._options(helpers, self._person_free, open_starts, length)
        able = {option.code for option in interpreters}
        able_leads = tuple(
            lead
            for lead in leads
            if lead.code not in session.interpreters or able.intersection(session.interpreters[lead.code])
        )
        possible = open_starts & _union(venues) & (_union(able_leads) if session.lead else -1)
        if possible:
            return Choice(session, possible, venues, able_leads, interpreters)
        if open_starts and not venues:
            return Blocked(session, "venue")
        if open_starts and not able_leads:
            return Blocked(session, "interpreter" if leads else "lead")
        return Blocked(session, "time")

    def _options(
        self, codes: tuple[str, ...], free: Callable[[str], int], open_starts: int, length: int
    ) -> tuple[Option, ...]:
        options = (Option(code, starts(free(code), length) & open_starts) for code in codes)
        return tuple(option for option in options if option.starts)

    def _venue_free(self, code: str) -> int:
        if code not in self._venues:
            venue = self._problem.centre.venue(code)
            assert venue is not None  # noqa: S101 -- sessions name venues of the same centre
            self._venues[code] = self._grid.open & ~self._venue_taken(venue)
        return self._venues[code]

    def _venue_taken(self, venue: Venue) -> int:
        taken = self._booked(venue_resource(venue.code))
        if Group.SITE_HOURS in self._ignoring:
            return taken
        for closure in venue.closures:
            taken |= self._days_mask(closure)
        return taken | self._grid.daily_mask(venue.site.blackout_hours if venue.site else ())

    def _person_free(self, code: str) -> int:
        if code not in self._people:
            person = _person(self._problem.centre, code)
            free = self._grid.open & ~self._booked(person_resource(code))
            if Group.ABSENCES not in self._ignoring:
                free &= ~self._away(person)
            for day, left in self.sessions_left(code).items():
                if left <= 0:
                    free &= ~self._grid.day_mask(day)
            self._people[code] = free
        return self._people[code]

    def _away(self, person: Person) -> int:
        away = 0
        for absence in person.absences:
            away |= self._days_mask(absence)
        for day in self._grid.days:
            if Weekday.of(day) in person.days_off:
                away |= self._grid.day_mask(day)
        return away

    def _days_mask(self, span: DateWindow) -> int:
        days = (day for day in self._grid.days if span.first <= day <= span.last)
        mask = 0
        for day in days:
            mask |= self._grid.day_mask(day)
        return mask

    def _booked(self, resource: str) -> int:
        if Group.OTHER_VISITS in self._ignoring:
            return 0
        return self._grid.mask(self._problem.busy.get(resource, ()))

    def sessions_left(self, code: str) -> dict[date, int]:
        """How many sessions a person may still take on each day of the run."""
        limit = _person(self._problem.centre, code).max_sessions_a_day
        if Group.DAILY_LIMITS in self._ignoring:
            limit = 1000
        busy = (
            () if Group.OTHER_VISITS in self._ignoring else self._problem.busy.get(person_resource(code), ())
        )
        return {day: limit - sum(self._is_on(day, span) for span in busy) for day in self._grid.days}

    def _is_on(self, day: date, span: Interval) -> bool:
        return span.start.astimezone(self._problem.centre.zone).date() == day


def _person(centre: Centre, code: str) -> Person:
    person = centre.person(code)
    assert person is not None  # noqa: S101 -- sessions name people of the same centre
    return person


def _union(options: tuple[Option, ...]) -> int:
    mask = 0
    for option in options:
        mask |= option.starts
    return mask
