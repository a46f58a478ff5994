"""Looks up when venues and people are free for each session on a run of days, other bookings considered."""

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from functools import reduce
from operator import or_

from schemas.terms import DateWindow
from services.scheduling.calendar import Booked, Interval, is_holiday_in
from services.scheduling.candidates import (
    NOTHING,
    Aside,
    Blocked,
    Choice,
    Desk,
    Option,
    Rule,
    holds,
    union,
)
from services.scheduling.catalogue import QUARTER
from services.scheduling.centre import Centre, Person, Venue, Weekday
from services.scheduling.domain import CHECK_IN, TRANSFER
from services.scheduling.grid import Grid, quarters, starts
from services.scheduling.narrowing import begun, history, pinned, wished
from services.scheduling.problem import CENTRE_RESOURCE, Problem, person_resource, venue_resource
from services.scheduling.sessions import Session
from services.scheduling.ways import Ways


def lay_out(
    problem: Problem, sessions: tuple[Session, ...], days: tuple[date, ...], aside: Aside = NOTHING
) -> Desk | Blocked:
    """Find what is left for each session on the run, or the first session with nothing left."""
    whole = Grid.over(problem.centre, days, problem.now, breaks=holds(aside, Rule.BREAKS))
    grid = _bounded(problem, whole, aside)
    ways = Ways(problem.centre)
    look = _Look(problem, grid, ways, aside)
    choices = []
    for session in (*sessions, *history(sessions, problem.held, problem.now)):
        choice = look.choice(session)
        if isinstance(choice, Blocked):
            return choice
        choices.append(choice)
    people = {
        option.code
        for choice in choices
        for options in (*choice.parts, choice.interpreters)
        for option in options
        if problem.centre.person(option.code)  # whoever has a part that has begun may have left since
    }
    left = {code: look.sessions_left(code) for code in sorted(people)}
    return Desk(grid, tuple(choices), left, ways, aside)


def _bounded(problem: Problem, grid: Grid, aside: Aside) -> Grid:
    """The grid without what is before the arrival, after the departure, or when the Centre is closed."""
    shut: list[Interval] = []
    if holds(aside, Rule.TRAVEL_DATES):
        end = grid.instant(grid.length)
        if problem.needs.arrives:
            shut.append(Interval(grid.origin, max(grid.origin, problem.needs.arrives + TRANSFER)))
        if problem.needs.leaves:
            shut.append(Interval(min(end, problem.needs.leaves - CHECK_IN), end))
    if holds(aside, Rule.CLOSURE):
        shut += problem.busy.get(CENTRE_RESOURCE, ())
    return grid.without(grid.mask(shut))


class _Look:
    """Looks up, once each, when the resources of a problem are free on a grid."""

    def __init__(self, problem: Problem, grid: Grid, ways: Ways, aside: Aside) -> None:
        self._problem, self._centre = problem, problem.centre
        self._grid = grid
        self._ways = ways
        self._aside = aside
        self._people: dict[tuple[str, str, bool], int] = {}
        self._venues: dict[str, int] = {}
        self._fixed = {
            slot.key: slot
            for slot in problem.held
            if slot.starts <= problem.now or (slot.key in problem.pinned and self._holds(Rule.PIN, slot.key))
        }
        self._wishes = {wish.key: wish for wish in problem.wishes if self._holds(Rule.WISH, wish.key)}

    def _holds(self, rule: Rule, subject: str = "") -> bool:
        return holds(self._aside, rule, subject)

    def choice(self, session: Session) -> Choice | Blocked:
        slot = self._fixed.get(session.key)
        if slot and slot.starts <= self._problem.now:
            return begun(session, slot, self._grid)
        found = self._free(session)
        if isinstance(found, Blocked):
            return found
        if wish := self._wishes.get(session.key):
            found = wished(found, wish, self._problem.held, self._grid)
        if slot and isinstance(found, Choice):
            found = pinned(found, slot, self._grid)
        return found

    def _free(self, session: Session) -> Choice | Blocked:
        length = quarters(session.minutes)
        open_starts = starts(self._hours_of(session), length)
        if session.day is not None:
            open_starts &= self._grid.day_mask(self._grid.days[session.day])
        venues = _options(session.venues, self._venue_free, open_starts, length)
        homes = tuple(dict.fromkeys(self._ways.premises(option.code) for option in venues))
        parts = tuple(self._people_for(part.people, homes, open_starts, length) for part in session.parts)
        helpers = tuple(dict.fromkeys(code for codes in session.interpreters.values() for code in codes))
        interpreters = self._people_for(helpers, homes, open_starts, length, interpreting=True)
        able = {option.code for option in interpreters}
        able_parts = tuple(
            tuple(option for option in options if self._is_understood(session, option.code, able))
            for options in parts
        )
        possible = open_starts & union(venues)
        for options in able_parts:
            possible &= union(options)
        if possible:
            return Choice(session, possible, venues, able_parts, interpreters)
        if open_starts and not venues:
            return Blocked(session, "venue")
        if open_starts and not all(parts):
            return Blocked(session, "lead")
        if open_starts and not all(able_parts):
            return Blocked(session, "interpreter")
        return Blocked(session, "time")

    def _is_understood(self, session: Session, code: str, able: set[str]) -> bool:
        helpers = session.interpreters.get(code)
        return helpers is None or len(able.intersection(helpers)) >= session.teams

    def _hours_of(self, session: Session) -> int:
        if session.within is None:
            return self._grid.open
        return self._grid.working & self._grid.daily_mask((session.within,))

    def _people_for(
        self,
        codes: Iterable[str],
        homes: tuple[str, ...],
        open_starts: int,
        length: int,
        *,
        interpreting: bool = False,
    ) -> tuple[Option, ...]:
        """Who of the people is free for long enough, with the way from and to their other sessions."""
        options = []
        for code in codes:
            at = {
                home: starts(self._person_free(code, home, interpreting=interpreting), length) & open_starts
                for home in homes
            }
            anywhere = reduce(or_, at.values(), 0)
            if anywhere:
                narrower = {home: mask for home, mask in at.items() if mask != anywhere}
                options.append(Option(code, anywhere, narrower))
        return tuple(options)

    def _venue_free(self, code: str) -> int:
        if code not in self._venues:
            venue = self._centre.venue(code)
            assert venue is not None  # noqa: S101 -- sessions name venues of the same centre
            self._venues[code] = self._grid.working & ~self._venue_taken(venue)
        return self._venues[code]

    def _venue_taken(self, venue: Venue) -> int:
        resource = venue_resource(venue.code)
        taken = self._grid.mask(self._busy(resource))
        if not self._holds(Rule.SITE_HOURS, resource):
            return taken
        for closure in venue.closures:
            taken |= self._days_mask(closure)
        return taken | self._grid.daily_mask(venue.site.blackout_hours if venue.site else ())

    def _person_free(self, code: str, home: str, *, interpreting: bool) -> int:
        key = (code, home, interpreting)
        if key not in self._people:
            person = _person(self._centre, code)
            free = self._grid.working & ~self._grid.mask(self._widened(code, home, interpreting=interpreting))
            if self._holds(Rule.ABSENCE, person_resource(code)):
                free &= ~self._away(person)
            for day, left in self.sessions_left(code).items():
                if left <= 0:
                    free &= ~self._grid.day_mask(day)
            self._people[key] = free
        return self._people[key]

    def _widened(self, code: str, home: str, *, interpreting: bool) -> Iterable[Interval]:
        """When a person is busy, with the way to these premises and the rest of who interprets."""
        rest = self._centre.interpreting.rest if interpreting else 0
        for span in self._busy(person_resource(code)):
            there = self._ways.premises(span.venue) if isinstance(span, Booked) else home
            on_the_way = 0 if there == home else self._ways.travel(home, there) * QUARTER
            margin = timedelta(minutes=max(rest if isinstance(span, Booked) else 0, on_the_way))
            yield Interval(span.start - margin, span.end + margin)

    def _away(self, person: Person) -> int:
        away = 0
        for absence in person.absences:
            away |= self._days_mask(absence)
        for day in self._grid.days:
            if Weekday.of(day) in person.days_off or (person.country and is_holiday_in(person.country, day)):
                away |= self._grid.day_mask(day)
        return away

    def _days_mask(self, span: DateWindow) -> int:
        mask = 0
        for day in self._grid.days:
            if span.first <= day <= span.last:
                mask |= self._grid.day_mask(day)
        return mask

    def _busy(self, resource: str) -> tuple[Interval, ...]:
        """What takes a resource: bookings of other visits, and blocks."""
        return tuple(
            span
            for span in self._problem.busy.get(resource, ())
            if self._holds(Rule.TAKEN if isinstance(span, Booked) else Rule.ABSENCE, resource)
        )

    def sessions_left(self, code: str) -> dict[date, int]:
        """How many sessions a person may still take on each day of the run."""
        resource = person_resource(code)
        limit = _person(self._centre, code).max_sessions_a_day
        if not self._holds(Rule.DAILY_LIMIT, resource):
            limit = 1000
        booked = [span for span in self._busy(resource) if isinstance(span, Booked)]
        return {day: limit - sum(self._is_on(day, span) for span in booked) for day in self._grid.days}

    def _is_on(self, day: date, span: Interval) -> bool:
        return span.start.astimezone(self._centre.zone).date() == day


def _options(
    codes: Iterable[str], free: Callable[[str], int], open_starts: int, length: int
) -> tuple[Option, ...]:
    options = (Option(code, starts(free(code), length) & open_starts) for code in codes)
    return tuple(option for option in options if option.starts)


def _person(centre: Centre, code: str) -> Person:
    person = centre.person(code)
    assert person is not None  # noqa: S101 -- sessions name people of the same centre
    return person
