"""Finds the smallest set of rules that together leave no programme on a run of days.

Every rule as it holds for one subject is a cause. Setting a cause aside only ever makes more possible,
so that the smallest clash is the smallest set that meets every set of causes whose absence would help
(Ignatiev, Previti, Liffiton, Marques-Silva: Smallest MUS extraction with minimal hitting set dualization,
CP 2015). A first clash, irreducible but maybe not the smallest, is found by halving (Junker: QuickXplain,
AAAI 2004) and is the answer when the time is spent.
"""

from collections.abc import Callable, Iterator

from ortools.sat.python import cp_model

from services.scheduling.budget import Budget
from services.scheduling.calendar import Booked, is_holiday_in
from services.scheduling.candidates import Aside, Cause, Rule
from services.scheduling.centre import Weekday
from services.scheduling.grid import Grid
from services.scheduling.problem import CENTRE_RESOURCE, Problem, person_resource, venue_resource
from services.scheduling.runs import Run
from services.scheduling.sessions import Session
from services.scheduling.solver import is_feasible

Clash = frozenset[Cause]

TOO_MUCH = frozenset({Rule.WANTED, Rule.BREAKS, Rule.ORDER, Rule.WAY, Rule.HALF_DAY})
"""When these clash by themselves, the sessions are too many for the days: no smaller clash is sought."""


def smallest_clash(
    problem: Problem, sessions: tuple[Session, ...], days: Run, budget: Budget
) -> Clash | None:
    """The smallest clash found within the budget; None when not even one shows."""
    causes = sorted(_causes(problem, sessions, days))

    def possible_without(aside: frozenset[Cause]) -> bool:
        kept, all_aside = _without_sessions(sessions, aside)
        return is_feasible(problem, kept, days, budget, all_aside)

    if not possible_without(frozenset(causes)) or budget.is_spent:
        return None
    too_much = frozenset(cause for cause in causes if cause.rule in TOO_MUCH)
    if not possible_without(frozenset(causes) - too_much):
        return too_much
    first = _irreducible(causes, possible_without)
    return None if budget.is_spent else _smallest(first, causes, possible_without, budget)


def _without_sessions(sessions: tuple[Session, ...], aside: Aside) -> tuple[tuple[Session, ...], Aside]:
    """The sessions that are still wanted; what a session left out prepares needs no other preparation."""
    gone = [one for one in sessions if Cause(Rule.WANTED, one.key) in aside]
    kept = tuple(one for one in sessions if one not in gone)
    prepared = {
        Cause(Rule.ORDER, one.key)
        for one in kept
        if any(other.kind in kinds and other.meets(one) for other in gone for kinds in one.after)
    }
    return kept, aside | prepared


def _irreducible(causes: list[Cause], possible_without: Callable[[frozenset[Cause]], bool]) -> Clash:
    """A clash of which no cause can be left out, the earlier causes left out first."""
    everything = frozenset(causes)

    def clashes(some: frozenset[Cause]) -> bool:
        return not possible_without(everything - some)

    def explain(known: frozenset[Cause], rest: list[Cause], *, grew: bool) -> frozenset[Cause]:
        if grew and clashes(known):
            return frozenset()
        if len(rest) == 1:
            return frozenset(rest)
        half = len(rest) // 2
        later = explain(known | {*rest[:half]}, rest[half:], grew=True)
        return later | explain(known | later, rest[:half], grew=bool(later))

    return explain(frozenset(), causes, grew=False)


def _smallest(
    found: Clash, causes: list[Cause], possible_without: Callable[[frozenset[Cause]], bool], budget: Budget
) -> Clash:
    """The smallest clash, or ``found`` when the budget is spent before one is known to be the smallest."""
    helps: list[frozenset[Cause]] = []
    while not budget.is_spent:
        guess = _fewest_meeting(causes, helps)
        if len(guess) >= len(found):
            return found
        aside = frozenset(causes) - guess
        if not possible_without(aside):
            return found if budget.is_spent else guess
        for cause in causes:
            if cause in aside and possible_without(aside - {cause}):
                aside -= {cause}
        helps.append(aside)
    return found


def _fewest_meeting(causes: list[Cause], sets: list[frozenset[Cause]]) -> Clash:
    """The fewest causes of which each of the sets has one."""
    model = cp_model.CpModel()
    chosen = {cause: model.new_bool_var(str(cause)) for cause in causes}
    for one in sets:
        model.add_bool_or(chosen[cause] for cause in sorted(one))
    model.minimize(sum(chosen.values()))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.solve(model)
    return frozenset(cause for cause, literal in chosen.items() if solver.value(literal))


def _causes(problem: Problem, sessions: tuple[Session, ...], days: Run) -> Iterator[Cause]:
    """All that might stand in the way of these sessions on these days."""
    yield from (Cause(rule) for rule in (Rule.BREAKS, Rule.WAY, Rule.HALF_DAY))
    if problem.busy.get(CENTRE_RESOURCE):
        yield Cause(Rule.CLOSURE)
    if problem.needs.arrives or problem.needs.leaves:
        yield Cause(Rule.TRAVEL_DATES)
    for session in sessions:
        if session.kind not in {"welcome", "closing"}:
            yield Cause(Rule.WANTED, session.key)
        if session.after:
            yield Cause(Rule.ORDER, session.key)
    yield from (Cause(Rule.PIN, slot.key) for slot in problem.held if slot.key in problem.pinned)
    yield from (Cause(Rule.WISH, wish.key) for wish in problem.wishes)
    grid = Grid.over(problem.centre, days, problem.now)
    yield from _of_venues(problem, sessions, grid)
    yield from _of_people(problem, sessions, grid)


def _of_venues(problem: Problem, sessions: tuple[Session, ...], grid: Grid) -> Iterator[Cause]:
    for code in {code for session in sessions for code in session.venues}:
        resource, venue = venue_resource(code), problem.centre.venue(code)
        yield from _taken(problem, resource, grid)
        closed = venue and (venue.closures or (venue.site and venue.site.blackout_hours))
        if closed:
            yield Cause(Rule.SITE_HOURS, resource)


def _of_people(problem: Problem, sessions: tuple[Session, ...], grid: Grid) -> Iterator[Cause]:
    helpers = {code for session in sessions for codes in session.interpreters.values() for code in codes}
    leads = {code for session in sessions for part in session.parts for code in part.people}
    for code in leads | helpers:
        resource, person = person_resource(code), problem.centre.person(code)
        yield from _taken(problem, resource, grid)
        yield Cause(Rule.DAILY_LIMIT, resource)
        if code in helpers:
            yield Cause(Rule.SPELL, resource)
        away = person and (
            any(span.first <= day <= span.last for span in person.absences for day in grid.days)
            or any(Weekday.of(day) in person.days_off for day in grid.days)
            or any(person.country and is_holiday_in(person.country, day) for day in grid.days)
        )
        if away:
            yield Cause(Rule.ABSENCE, resource)


def _taken(problem: Problem, resource: str, grid: Grid) -> Iterator[Cause]:
    touching = [span for span in problem.busy.get(resource, ()) if grid.mask((span,))]
    if any(isinstance(span, Booked) for span in touching):
        yield Cause(Rule.TAKEN, resource)
    if not all(isinstance(span, Booked) for span in touching):
        yield Cause(Rule.ABSENCE, resource)
