"""Finds the best programme for a problem within its time; runs in the worker process."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from ortools.sat.python import cp_model

from schemas.scheduling import Assignment, Place, Slot
from schemas.terms import DateWindow
from services.scheduling.budget import Budget
from services.scheduling.candidates import Blocked, Desk, Group, lay_out
from services.scheduling.domain import Session, is_half_day, runs_of_days, sessions_wanted
from services.scheduling.model import Placed, build, placed
from services.scheduling.problem import Problem, Solution

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


@dataclass(frozen=True)
class NotFound:
    """No programme was found; ``in_time`` when the time sufficed for all that is looked at."""

    in_time: bool


def search(problem: Problem, budget: Budget) -> Solution | NotFound:
    """The programme on the first run of days that admits one: windows by preference, then early days.

    Every window has its share of the time, so that a long one does not keep the next from being
    looked at; what it leaves over falls to those after it.
    """
    windows, in_time = problem.needs.windows, True
    for number, window in enumerate(windows):
        found = _search_window(problem, window, budget.share(len(windows) - number))
        if isinstance(found, Solution):
            return found
        in_time = in_time and found.in_time
    return NotFound(in_time)


def _search_window(problem: Problem, window: DateWindow, budget: Budget) -> Solution | NotFound:
    if budget.is_spent:
        return NotFound(in_time=False)
    for solution in in_window(problem, window, budget):
        return solution
    return NotFound(in_time=not budget.is_spent)


def in_window(problem: Problem, window: DateWindow, budget: Budget) -> Iterator[Solution]:
    """The best programme of each run of days of a window that admits one, until the budget is spent."""
    sessions = sessions_wanted(problem.needs, problem.centre)
    for days in looked_at(runs_of_days(problem.centre, window, problem.needs, problem.now)):
        for version in versions(problem, sessions):
            if budget.is_spent:
                return
            if solution := place(problem, version, days, budget):
                yield solution
                break


def looked_at(runs: tuple[tuple[date, ...], ...]) -> tuple[tuple[date, ...], ...]:
    """The runs of a window that are looked at: all of them, unless the window is very long."""
    return (*runs[:LOOKED_AT_ALL], *runs[LOOKED_AT_ALL::THEN_EVERY])


def versions(problem: Problem, sessions: tuple[Session, ...]) -> tuple[tuple[Session, ...], ...]:
    """What may be scheduled: all sessions; on a half day also fewer briefings, the last themes left out."""
    briefings = [session for session in sessions if session.kind == "briefing"]
    if not is_half_day(problem.needs):
        return (sessions,)
    least = 1 if briefings and any(session.after_briefing for session in sessions) else 0
    kept = (frozenset(one.key for one in briefings[:count]) for count in range(len(briefings), least - 1, -1))
    return tuple(tuple(one for one in sessions if one.kind != "briefing" or one.key in keys) for keys in kept)


def place(
    problem: Problem, sessions: tuple[Session, ...], days: tuple[date, ...], budget: Budget
) -> Solution | None:
    """Place the sessions on a run of days, as well as can be found within the budget."""
    desk = lay_out(problem, sessions, days)
    if isinstance(desk, Blocked) or not _has_room(desk):
        return None
    model = build(problem, desk)
    solver = _solver(budget)
    solver.parameters.max_deterministic_time = EFFORT
    status = solver.solve(model.cp)
    if status == cp_model.UNKNOWN:  # a hard one: any programme will do
        solver = _solver(budget)
        solver.parameters.stop_after_first_solution = True
        status = solver.solve(model.cp)
    if status not in FOUND:
        return None
    chosen = placed(model, solver)
    themes = tuple(one.key.removeprefix("briefing-") for one in sessions if one.kind == "briefing")
    return Solution(tuple(_slot(problem, desk, one) for one in chosen), days, themes)


def is_feasible(
    problem: Problem,
    sessions: tuple[Session, ...],
    days: tuple[date, ...],
    budget: Budget,
    ignoring: frozenset[Group],
) -> bool:
    """Whether the sessions could be placed on these days if some groups of constraints did not hold.

    Also not when the budget was spent before that showed.
    """
    desk = lay_out(problem, sessions, days, ignoring)
    if isinstance(desk, Blocked) or not _has_room(desk):
        return False
    solver = _solver(budget)
    return solver.solve(build(problem, desk, soft_goals=False).cp) in FOUND


def _has_room(desk: Desk) -> bool:
    """Whether the working hours are at least as long as all sessions; the solver is slow to see it."""
    return sum(choice.length for choice in desk.choices) <= desk.grid.open.bit_count()


def _solver(budget: Budget) -> cp_model.CpSolver:
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = SEED
    solver.parameters.max_time_in_seconds = max(budget.left, 0.01)
    solver.parameters.relative_gap_limit = GOOD_ENOUGH
    # Measured on programmes of this size: without linear relaxation and probing twice as fast.
    solver.parameters.linearization_level = 0
    solver.parameters.cp_model_probing_level = 0
    return solver


def _slot(problem: Problem, desk: Desk, one: Placed) -> Slot:
    venue = problem.centre.venue(one.venue)
    assert venue is not None  # noqa: S101 -- candidates are venues of the same centre
    session = one.session
    parts = [(one.lead, session.lead), (one.interpreter, "interpreter")]
    return Slot(
        key=session.key,
        kind=session.kind,
        title=session.title,
        starts=desk.grid.instant(one.start),
        ends=desk.grid.instant(one.start + session.minutes // 15),
        place=Place(code=venue.code, name=venue.name, address=venue.address),
        assignments=tuple(Assignment(person=code, role=role) for code, role in parts if code and role),
    )
