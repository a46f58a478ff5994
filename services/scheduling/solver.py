"""Finds the best programme for a problem within its time; runs in the worker process."""

from collections.abc import Iterator
from dataclasses import dataclass

from ortools.sat.python import cp_model

from schemas.scheduling import Slot
from schemas.terms import DateWindow
from services.scheduling.availability import lay_out
from services.scheduling.budget import Budget
from services.scheduling.candidates import Aside, Blocked, Desk
from services.scheduling.domain import is_half_day
from services.scheduling.goals import Placed, score
from services.scheduling.greedy import greedy
from services.scheduling.model import Model, as_held, decide, note_changes, placed, prefer
from services.scheduling.problem import Problem, Solution
from services.scheduling.programme import slots_of
from services.scheduling.rules import state_rules
from services.scheduling.runs import Run, runs_near, runs_of_days
from services.scheduling.sessions import Session, sessions_wanted

EFFORT = 0.05
"""CP-SAT's deterministic time for one run of days: bounds the polishing alike on every machine."""

GOOD_ENOUGH = 0.03
"""A programme this near to the best possible is taken."""

FOUND = (cp_model.OPTIMAL, cp_model.FEASIBLE)

SEED = 20
"""Fixed, so that the same problem has the same answer."""

LOOKED_AT_ALL = 60
"""The first runs of days of a window, about three months of them, which are looked at one by one."""

THEN_EVERY = 7
"""Of the later runs, one in so many: prime, so that it is another weekday every time."""

RUNS_COMPARED = 5
"""When as little as possible is to change, the fewest changes on so many runs of days are taken."""


@dataclass(frozen=True)
class NotFound:
    """No programme was found; ``in_time`` when the time sufficed for all that is looked at."""

    in_time: bool


def search(problem: Problem, budget: Budget) -> Solution | NotFound:
    """The programme on the first run of days that admits one: windows by preference, then early days.

    Every window has its share of the time, so that a long one does not keep the next from being
    looked at; what it leaves over falls to those after it. With a programme ``held``, the one with the
    fewest changed slots.
    """
    if problem.held:
        return _search_near(problem, budget)
    windows, in_time = problem.needs.windows, True
    for number, window in enumerate(windows):
        found = _search_window(problem, window, budget.share(len(windows) - number))
        if isinstance(found, Solution):
            return found
        in_time = in_time and found.in_time
    return NotFound(in_time)


def _search_near(problem: Problem, budget: Budget) -> Solution | NotFound:
    best: Solution | None = None
    found = 0
    for days in runs_near(problem):
        for version in versions(problem, sessions_wanted(problem.needs, problem.centre, days)):
            if budget.is_spent:
                return best or NotFound(in_time=False)
            if solution := place(problem, version, days, budget):
                found += 1
                if best is None or changes(problem, solution) < changes(problem, best):
                    best = solution
                break
        if best and (found == RUNS_COMPARED or not changes(problem, best)):
            return best
    return best or NotFound(in_time=not budget.is_spent)


def changes(problem: Problem, solution: Solution) -> int:
    """How many of the held slots are another, or no more."""
    return len({_outline(slot) for slot in problem.held} - {_outline(slot) for slot in solution.slots})


def _outline(slot: Slot) -> tuple[object, ...]:
    people = frozenset((one.person, one.role) for one in slot.assignments)
    return (slot.key, slot.starts, slot.ends, slot.place.code, people)


def _search_window(problem: Problem, window: DateWindow, budget: Budget) -> Solution | NotFound:
    if budget.is_spent:
        return NotFound(in_time=False)
    for solution in in_window(problem, window, budget):
        return solution
    return NotFound(in_time=not budget.is_spent)


def in_window(problem: Problem, window: DateWindow, budget: Budget) -> Iterator[Solution]:
    """The best programme of each run of days of a window that admits one, until the budget is spent."""
    for days in looked_at(runs_of_days(problem, window)):
        for version in versions(problem, sessions_wanted(problem.needs, problem.centre, days)):
            if budget.is_spent:
                return
            if solution := place(problem, version, days, budget):
                yield solution
                break


def looked_at(runs: tuple[Run, ...]) -> tuple[Run, ...]:
    """The runs of a window that are looked at: all of them, unless the window is very long."""
    return (*runs[:LOOKED_AT_ALL], *runs[LOOKED_AT_ALL::THEN_EVERY])


def versions(problem: Problem, sessions: tuple[Session, ...]) -> tuple[tuple[Session, ...], ...]:
    """What may be scheduled: all sessions; on a half day also fewer themes, the last ones left out."""
    themes = tuple(dict.fromkeys(session.theme for session in sessions if session.theme))
    if not is_half_day(problem.needs):
        return (sessions,)
    least = 1 if themes and any(session.after for session in sessions) else 0
    kept = (themes[:count] for count in range(len(themes), least - 1, -1))
    return tuple(tuple(one for one in sessions if one.theme is None or one.theme in some) for some in kept)


def place(problem: Problem, sessions: tuple[Session, ...], days: Run, budget: Budget) -> Solution | None:
    """Place the sessions on a run of days, as well as can be found within the budget."""
    desk = lay_out(problem, sessions, days)
    if isinstance(desk, Blocked) or not _has_room(desk):
        return None
    chosen = _best(problem, desk, budget)
    if chosen is None:
        return None
    themes = tuple(dict.fromkeys(one.theme for one in sessions if one.theme))
    return Solution(slots_of(problem, desk, chosen), days, themes, score(problem, desk, chosen))


def _best(problem: Problem, desk: Desk, budget: Budget) -> tuple[Placed, ...] | None:
    """The solver's programme, or the greedy one where the solver finds none in time or a dearer one."""
    model = _model(problem, desk)
    if problem.held:
        return _fewest_changes(model, budget)
    by_hand = greedy(problem, desk)
    if by_hand:
        _hint(model, by_hand)
    solver = new_solver(budget)
    solver.parameters.max_deterministic_time = EFFORT
    solver.parameters.relative_gap_limit = GOOD_ENOUGH
    status = solver.solve(model.cp)
    if status == cp_model.UNKNOWN and not by_hand:  # a hard one: any programme will do
        solver = new_solver(budget)
        solver.parameters.stop_after_first_solution = True
        status = solver.solve(model.cp)
    if status not in FOUND:
        return by_hand if status == cp_model.UNKNOWN else None
    found = placed(model, solver)
    if by_hand and score(problem, desk, by_hand).cost < score(problem, desk, found).cost:
        return by_hand
    return found


def _fewest_changes(model: Model, budget: Budget) -> tuple[Placed, ...] | None:
    """First the fewest changed slots, then the best programme with so few."""
    _hint_held(model)
    model.cp.minimize(sum(model.changed))
    first = new_solver(budget)
    if first.solve(model.cp) not in FOUND:
        return None
    fewest, known = round(first.objective_value), placed(model, first)
    model.cp.clear_hints()  # type: ignore[no-untyped-call]
    _hint(model, known)
    model.cp.add(sum(model.changed) <= fewest)
    model.cp.minimize(sum(model.cost))
    second = new_solver(budget)
    second.parameters.max_deterministic_time = EFFORT
    second.parameters.relative_gap_limit = GOOD_ENOUGH
    return placed(model, second) if second.solve(model.cp) in FOUND else known


def is_feasible(
    problem: Problem, sessions: tuple[Session, ...], days: Run, budget: Budget, aside: Aside
) -> bool:
    """Whether the sessions could be placed on these days if some rules were set aside.

    Also not when the budget was spent before that showed.
    """
    desk = lay_out(problem, sessions, days, aside)
    if isinstance(desk, Blocked) or not _has_room(desk):
        return False
    model = decide(problem, desk)
    state_rules(model)
    return new_solver(budget).solve(model.cp) in FOUND


def _model(problem: Problem, desk: Desk) -> Model:
    model = decide(problem, desk)
    state_rules(model)
    prefer(model)
    if problem.held:
        note_changes(model)
    else:
        model.cp.minimize(sum(model.cost))
    return model


def _hint(model: Model, programme: tuple[Placed, ...]) -> None:
    """Have the solver begin with a programme that is known."""
    known = {one.session.key: one for one in programme}
    for item in model.sessions:
        one = known[item.key]
        model.cp.add_hint(item.start, one.start)
        for code, literal in item.venues.items():
            model.cp.add_hint(literal, code == one.venue)
        for group, person in zip(item.parts, one.people, strict=True):
            for code, literal in group.items():
                model.cp.add_hint(literal, code == person)
        for code, literal in item.interpreters.items():
            model.cp.add_hint(literal, code in one.interpreters)


def _hint_held(model: Model) -> None:
    held = {slot.key: slot for slot in model.problem.held}
    for item in model.sessions:
        kept = as_held(model, item, held[item.key]) if item.key in held else None
        if kept:
            model.cp.add_hint(item.start, kept[0])
            for literal in kept[1]:
                model.cp.add_hint(literal, True)


def _has_room(desk: Desk) -> bool:
    """Whether the working hours are at least as long as all sessions; the solver is slow to see it."""
    groups = {choice.session.group for choice in desk.choices} - {None} or {None}
    hours = desk.grid.open.bit_count() + sum(choice.length for choice in desk.choices if choice.fixed)
    return all(
        sum(
            choice.length
            for choice in desk.choices
            if choice.session.group in {None, group} and choice.session.within is None
        )
        <= hours
        for group in groups
    )


def new_solver(budget: Budget) -> cp_model.CpSolver:
    """A solver of one thread that has what is left of the budget."""
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = SEED
    solver.parameters.max_time_in_seconds = max(budget.left, 0.01)
    # Measured on programmes of this size: without linear relaxation and probing twice as fast.
    solver.parameters.linearization_level = 0
    solver.parameters.cp_model_probing_level = 0
    return solver
