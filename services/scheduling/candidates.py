"""Which starts, venues and people are left for each session on a run of days, other bookings considered."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Literal

from schemas.scheduling import Slot
from schemas.terms import DateWindow
from services.scheduling.calendar import Booked, Interval, is_holiday_in
from services.scheduling.catalogue import QUARTER
from services.scheduling.centre import Centre, Person, Venue, Weekday
from services.scheduling.domain import BUFFER_MINUTES
from services.scheduling.grid import Grid, quarters, starts
from services.scheduling.problem import CENTRE_RESOURCE, Problem, Wish, person_resource, venue_resource
from services.scheduling.sessions import Session

TRANSFER = timedelta(minutes=90)
"""Between landing and the first session."""

CHECK_IN = timedelta(hours=3)
"""Between the last session and the departure."""


class Rule(StrEnum):
    """What can stand in the way of a programme, and may be set aside to see whether it does."""

    WANTED = "wanted"
    BREAKS = "breaks"
    CLOSURE = "closure"
    TRAVEL_DATES = "travel_dates"
    TAKEN = "taken"
    ABSENCE = "absence"
    DAILY_LIMIT = "daily_limit"
    SITE_HOURS = "site_hours"
    ORDER = "order"
    SPELL = "spell"
    WAY = "way"
    HALF_DAY = "half_day"
    PIN = "pin"
    WISH = "wish"


@dataclass(frozen=True, order=True)
class Cause:
    """One rule as it holds for one subject: a resource such as ``person:x``, a session's key, or all."""

    rule: Rule
    subject: str = ""


Aside = frozenset[Cause]
"""Causes that do not hold, to see what would be possible without them."""

NOTHING: Aside = frozenset()


@dataclass(frozen=True)
class Option:
    """A venue or person that a session may have, with the starts at which it is free long enough.

    ``elsewhere`` narrows the starts when the session is on premises from or to which the person has a way.
    """

    code: str
    starts: int
    elsewhere: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Choice:
    """A session with what is left for it on the run; there is at least one start, venue and person a part.

    ``parts`` are in the order of the session's own; ``must`` is an interpreter who has to be among those
    chosen; ``fixed`` is the held slot that it has to be.
    """

    session: Session
    starts: int
    venues: tuple[Option, ...]
    parts: tuple[tuple[Option, ...], ...]
    interpreters: tuple[Option, ...]
    fixed: Slot | None = None
    must: str | None = None

    @property
    def length(self) -> int:
        """Quarters that the session takes."""
        return quarters(self.session.minutes)


@dataclass(frozen=True)
class Blocked:
    """A session for which nothing is left on the run: no time, venue, person for a part, or interpreter."""

    session: Session
    lacks: Literal["time", "venue", "lead", "interpreter", "pin", "wish"]


@dataclass(frozen=True)
class Desk:
    """The choices of one run, how many sessions people may still take on each day, and what is set aside."""

    grid: Grid
    choices: tuple[Choice, ...]
    left: Mapping[str, Mapping[date, int]]
    aside: Aside = NOTHING

    def holds(self, rule: Rule, subject: str = "") -> bool:
        """Whether a rule holds for a subject."""
        return _holds(self.aside, rule, subject)


def lay_out(
    problem: Problem, sessions: tuple[Session, ...], days: tuple[date, ...], aside: Aside = NOTHING
) -> Desk | Blocked:
    """Find what is left for each session on the run, or the first session with nothing left."""
    whole = Grid.over(problem.centre, days, problem.now, breaks=_holds(aside, Rule.BREAKS))
    grid = _bounded(problem, whole, aside)
    look = _Look(problem, grid, aside)
    choices = []
    for session in sessions:
        choice = look.choice(session)
        if isinstance(choice, Blocked):
            return choice
        choices.append(choice)
    people = {
        option.code
        for choice in choices
        for options in (*choice.parts, choice.interpreters)
        for option in options
    }
    return Desk(grid, tuple(choices), {code: look.sessions_left(code) for code in sorted(people)}, aside)


def way(centre: Centre, one: str, other: str) -> int:
    """Quarters of an hour from one venue to another: none within one, else at least the buffer."""
    if one == other:
        return 0
    here, there = premises(centre, one), premises(centre, other)
    return quarters(BUFFER_MINUTES) if here == there else travel(centre, here, there)


def travel(centre: Centre, here: str, there: str) -> int:
    """Quarters of an hour from one premises to others, at least the buffer."""
    minutes = next((one.minutes for one in centre.travel if {*one.between} == {here, there}), 0)
    return max(quarters(BUFFER_MINUTES), -(-minutes // QUARTER))


def premises(centre: Centre, venue: str) -> str:
    """Where a venue is."""
    found = centre.venue(venue)
    return found.premises if found else ""


def _holds(aside: Aside, rule: Rule, subject: str = "") -> bool:
    return Cause(rule, subject) not in aside and Cause(rule) not in aside


def _bounded(problem: Problem, grid: Grid, aside: Aside) -> Grid:
    """The grid without what is before the arrival, after the departure, or when the Centre is closed."""
    shut: list[Interval] = []
    if _holds(aside, Rule.TRAVEL_DATES):
        end = grid.instant(grid.length)
        if problem.needs.arrives:
            shut.append(Interval(grid.origin, max(grid.origin, problem.needs.arrives + TRANSFER)))
        if problem.needs.leaves:
            shut.append(Interval(min(end, problem.needs.leaves - CHECK_IN), end))
    if _holds(aside, Rule.CLOSURE):
        shut += problem.busy.get(CENTRE_RESOURCE, ())
    return grid.without(grid.mask(shut))


class _Look:
    """Looks up, once each, when the resources of a problem are free on a grid."""

    def __init__(self, problem: Problem, grid: Grid, aside: Aside) -> None:
        self._problem, self._centre = problem, problem.centre
        self._grid = grid
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
        return _holds(self._aside, rule, subject)

    def choice(self, session: Session) -> Choice | Blocked:
        slot = self._fixed.get(session.key)
        if slot and slot.starts <= self._problem.now:
            return self._begun(session, slot)
        found = self._free(session)
        if isinstance(found, Blocked):
            return found
        if wish := self._wishes.get(session.key):
            found = self._wished(found, wish)
        if slot and isinstance(found, Choice):
            found = self._pinned(found, slot)
        return found

    def _free(self, session: Session) -> Choice | Blocked:
        length = quarters(session.minutes)
        open_starts = starts(self._hours_of(session), length)
        if session.day is not None:
            open_starts &= self._grid.day_mask(self._grid.days[session.day])
        venues = _options(session.venues, self._venue_free, open_starts, length)
        homes = tuple(dict.fromkeys(premises(self._centre, option.code) for option in venues))
        parts = tuple(self._people_for(part.people, homes, open_starts, length) for part in session.parts)
        helpers = tuple(dict.fromkeys(code for codes in session.interpreters.values() for code in codes))
        interpreters = self._people_for(helpers, homes, open_starts, length, interpreting=True)
        able = {option.code for option in interpreters}
        able_parts = tuple(
            tuple(option for option in options if self._is_understood(session, option.code, able))
            for options in parts
        )
        possible = open_starts & _union(venues)
        for options in able_parts:
            possible &= _union(options)
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
            anywhere = 0
            for mask in at.values():
                anywhere |= mask
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
            there = premises(self._centre, span.venue) if isinstance(span, Booked) else home
            on_the_way = 0 if there == home else travel(self._centre, home, there) * QUARTER
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

    def _begun(self, session: Session, slot: Slot) -> Choice:
        """A slot that has begun stays as it is, whoever is free now."""
        start = 1 << self._grid.quarter(slot.starts)
        taking_part = _assigned(slot)
        parts = tuple(
            tuple(Option(code, start) for role, code in taking_part if role == part.role)
            for part in session.parts
        )
        interpreters = tuple(Option(code, start) for role, code in taking_part if role == "interpreter")
        return Choice(session, start, (Option(slot.place.code, start),), parts, interpreters, slot)

    def _pinned(self, choice: Choice, slot: Slot) -> Choice | Blocked:
        """The choice narrowed to the slot as it was held, if that is still possible."""
        start = 1 << self._grid.quarter(slot.starts)
        codes = {code for _, code in _assigned(slot)}
        parts = tuple(tuple(one for one in options if one.code in codes) for options in choice.parts)
        venues = tuple(one for one in choice.venues if one.code == slot.place.code)
        interpreters = tuple(one for one in choice.interpreters if one.code in codes)
        found = codes - {one.code for options in (*parts, interpreters) for one in options}
        free = choice.starts & start & _union(venues)
        for option in (*(one for options in parts for one in options), *interpreters):
            free &= option.starts
        if not free or found or not all(parts):
            return Blocked(choice.session, "pin")
        return Choice(choice.session, free, venues, parts, interpreters, slot)

    def _wished(self, choice: Choice, wish: Wish) -> Choice | Blocked:
        """The choice narrowed to what an officer wants, if that is possible."""
        starts_, venues, parts, must = choice.starts, choice.venues, choice.parts, None
        if wish.starts is not None:
            at = self._grid.quarter(wish.starts)
            on_grid = at >= 0 and self._grid.instant(at) == wish.starts
            starts_ &= 1 << at if on_grid else 0
        if wish.venue is not None:
            venues = tuple(one for one in venues if one.code == wish.venue)
        if wish.person is not None:
            role = self._role_meant(wish)
            if role != "interpreter":
                number = _part_of(wish.person, role, choice.session)
                parts = tuple(
                    tuple(one for one in options if one.code == wish.person) if at == number else options
                    for at, options in enumerate(parts)
                )
            else:
                must = wish.person
            known = {one.code for options in (*parts, choice.interpreters) for one in options}
            if wish.person not in known:
                return Blocked(choice.session, "wish")
        possible = starts_ & _union(venues)
        for options in parts:
            possible &= _union(options)
        if not possible:
            return Blocked(choice.session, "wish")
        return Choice(choice.session, possible, venues, parts, choice.interpreters, must=must)

    def _role_meant(self, wish: Wish) -> str | None:
        """The role of whom the person wanted is to replace; None when nobody is named."""
        slot = next((one for one in self._problem.held if one.key == wish.key), None)
        return (
            next((one.role for one in slot.assignments if one.person == wish.instead_of), None)
            if slot
            else None
        )


def _part_of(person: str, role: str | None, session: Session) -> int | None:
    """The number of the part, of a role if that is known, that a person may have."""
    return next(
        (
            number
            for number, part in enumerate(session.parts)
            if role in {None, part.role} and person in part.people
        ),
        None,
    )


def _assigned(slot: Slot) -> tuple[tuple[str, str], ...]:
    return tuple((one.role, one.person) for one in slot.assignments)


def _options(
    codes: Iterable[str], free: Callable[[str], int], open_starts: int, length: int
) -> tuple[Option, ...]:
    options = (Option(code, starts(free(code), length) & open_starts) for code in codes)
    return tuple(option for option in options if option.starts)


def _person(centre: Centre, code: str) -> Person:
    person = centre.person(code)
    assert person is not None  # noqa: S101 -- sessions name people of the same centre
    return person


def _union(options: tuple[Option, ...]) -> int:
    mask = 0
    for option in options:
        mask |= option.starts
    return mask
