"""Solves a problem within its time, or explains why it has no solution and what would be possible."""

import time
from dataclasses import replace

from schemas.terms import Bilingual, DateWindow
from services.scheduling.alternatives import KINDS, alternatives
from services.scheduling.availability import lay_out
from services.scheduling.budget import Budget, Clock
from services.scheduling.candidates import Blocked
from services.scheduling.clash import TOO_MUCH, smallest_clash
from services.scheduling.problem import Infeasible, Problem, Solution
from services.scheduling.reasons import (
    blocked_reason,
    calendar_reason,
    clash_reason,
    out_of_time,
    partly_looked_at,
    standing_faults,
    too_much,
    unknown_wishes,
)
from services.scheduling.runs import Run, days_begun, runs_near, runs_of_days
from services.scheduling.sessions import Session, sessions_wanted
from services.scheduling.solver import in_window, looked_at, search, versions

WHOLE_ANSWER = 1.5
"""An infeasible request may take this many times the time of a search: reasons and alternatives, too."""


def solve(problem: Problem, clock: Clock = time.monotonic) -> Solution | Infeasible:
    """The best programme found, or the reasons why there is none with up to three alternatives.

    Takes at most about one and a half times ``problem.seconds`` on ``clock``. The search may use
    ``problem.seconds`` of them; the reasons and each kind of alternative share what is left.
    """
    if reasons := unknown_wishes(problem):
        return Infeasible(reasons, ())
    budget = Budget.of(WHOLE_ANSWER * problem.seconds, clock)
    faults = standing_faults(problem.needs, problem.centre)
    if faults:
        reasons = tuple(dict.fromkeys(fault.reason for fault in faults))
    else:
        found = search(problem, Budget.of(problem.seconds, clock))
        if isinstance(found, Solution):
            return found
        reasons = _reasons(problem, budget.share(1 + KINDS), in_time=found.in_time)
    if days_begun(problem):  # a visit under way has no other days
        return Infeasible(reasons, ())
    afresh = replace(problem, held=(), pinned=frozenset(), wishes=())
    return Infeasible(reasons, alternatives(afresh, faults, budget))


def offers(
    problem: Problem, count: int = 3, clock: Clock = time.monotonic
) -> tuple[Solution, ...] | Infeasible:
    """Up to ``count`` programmes on different days, windows by preference; or why there is none.

    Takes as long as `solve`, and ``problem.seconds`` besides when nothing was found.
    """
    budget = Budget.of(problem.seconds, clock)
    windows, found = problem.needs.windows, dict[Run, Solution]()
    if not standing_faults(problem.needs, problem.centre):
        for number, window in enumerate(windows):
            for solution in in_window(problem, window, budget.share(len(windows) - number)):
                found.setdefault(solution.days, solution)
                if len(found) == count:
                    return tuple(found.values())
    if found:
        return tuple(found.values())
    outcome = solve(problem, clock)
    return (outcome,) if isinstance(outcome, Solution) else outcome


def _reasons(problem: Problem, budget: Budget, *, in_time: bool) -> tuple[Bilingual, ...]:
    """Why each window is in vain; ``in_time`` when the search came to its end."""
    reasons: dict[Bilingual, None] = {}
    if not in_time:
        reasons[out_of_time(problem.seconds)] = None
    windows = problem.needs.windows[:1] if problem.held else problem.needs.windows
    for number, window in enumerate(windows):
        share = budget.share(len(windows) - number)
        reasons.update(dict.fromkeys(_window_reasons(problem, window, share, in_time=in_time)))
    return tuple(reasons) or (out_of_time(problem.seconds),)


def _window_reasons(
    problem: Problem, window: DateWindow, budget: Budget, *, in_time: bool
) -> tuple[Bilingual, ...]:
    """What is in the way on the runs of a window: sessions with nothing left, and the smallest clash."""
    if budget.is_spent:
        return ()
    all_runs = runs_near(problem) if problem.held else runs_of_days(problem, window)
    if not all_runs:
        return (calendar_reason(problem, window),)
    runs = looked_at(all_runs)
    thinned = in_time and len(runs) < len(all_runs)
    partly = (partly_looked_at(window, len(runs), len(all_runs)),) if thinned else ()
    blocked: dict[Bilingual, None] = {}
    for days in runs:
        if budget.is_spent:
            break
        sessions = _fewest_sessions(problem, days)
        desk = lay_out(problem, sessions, days)
        if not isinstance(desk, Blocked):
            # A search that was cut short has not shown that this run is in vain.
            return (*_clash_reasons(problem, sessions, days, budget), *partly) if in_time else ()
        blocked[blocked_reason(desk)] = None
    clash = _clash_reasons(problem, _fewest_sessions(problem, runs[0]), runs[0], budget) if in_time else ()
    return (*blocked, *clash, *partly)


def _fewest_sessions(problem: Problem, days: Run) -> tuple[Session, ...]:
    return versions(problem, sessions_wanted(problem.needs, problem.centre, days))[-1]


def _clash_reasons(
    problem: Problem, sessions: tuple[Session, ...], days: Run, budget: Budget
) -> tuple[Bilingual, ...]:
    """The smallest set of rules that clash on a run, in one sentence; or that the sessions are too many."""
    clash = smallest_clash(problem, sessions, days, budget)
    if clash is None:
        return () if budget.is_spent else (too_much(len(sessions), problem.needs.days),)
    if {cause.rule for cause in clash} <= TOO_MUCH:
        return (too_much(len(sessions), problem.needs.days),)
    return (clash_reason(problem, sessions, days, clash),)
