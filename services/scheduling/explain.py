"""Explains an infeasible request and finds up to three visits that would be possible instead."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

from schemas.scheduling import Alternative
from schemas.terms import Bilingual, DateWindow
from schemas.visits import Needs
from services.scheduling.candidates import Blocked, lay_out
from services.scheduling.domain import horizon, runs_of_days, sessions_wanted
from services.scheduling.problem import Infeasible, Problem, Solution
from services.scheduling.reasons import (
    GROUP_REASONS,
    Fault,
    blocked_reason,
    calendar_reason,
    out_of_time,
    standing_faults,
    too_much,
)
from services.scheduling.solver import Budget, is_feasible, place, search, versions

MOST_ALTERNATIVES = 3
LATER_WINDOWS = 2
"""Alternatives that keep everything but the dates; the rest are left to those with fewer themes."""


def solve(problem: Problem) -> Solution | Infeasible:
    """The best programme found, or the reasons why there is none with up to three alternatives."""
    faults = standing_faults(problem.needs, problem.centre)
    budget = Budget(problem.seconds)
    if not faults:
        solution = search(problem, budget)
        if solution:
            return solution
    return Infeasible(_reasons(problem, faults, budget), _alternatives(problem, faults))


def _reasons(problem: Problem, faults: tuple[Fault, ...], spent: Budget) -> tuple[Bilingual, ...]:
    if faults:
        return tuple(dict.fromkeys(fault.reason for fault in faults))
    if spent.seconds <= 0:
        return (out_of_time(problem.seconds),)
    budget = Budget(problem.seconds / 2)
    reasons: dict[Bilingual, None] = {}
    for window in problem.needs.windows:
        runs = runs_of_days(problem.centre, window, problem.needs, problem.now)
        if not runs:
            reasons[calendar_reason(problem, window)] = None
        elif window_reasons := _window_reasons(problem, runs, budget):
            reasons.update(dict.fromkeys(window_reasons))
    return tuple(reasons)


def _window_reasons(
    problem: Problem, runs: tuple[tuple[date, ...], ...], budget: Budget
) -> tuple[Bilingual, ...]:
    """What is in the way on the runs of a window: sessions with nothing left, or a group of constraints."""
    sessions = versions(problem, sessions_wanted(problem.needs, problem.centre))[-1]
    blocked = [found for days in runs if isinstance(found := lay_out(problem, sessions, days), Blocked)]
    if len(blocked) == len(runs):
        return tuple(dict.fromkeys(blocked_reason(one) for one in blocked))
    days = next(days for days in runs if not isinstance(lay_out(problem, sessions, days), Blocked))
    for group, reason in GROUP_REASONS.items():
        if is_feasible(problem, sessions, days, budget, frozenset({group})):
            return (reason,)
    return (too_much(len(sessions), problem.needs.days),)


def _alternatives(problem: Problem, faults: tuple[Fault, ...]) -> tuple[Alternative, ...]:
    """Later windows within eight weeks, then fewer themes in the windows asked for; each one solved."""
    needs = _without(problem.needs, faults)
    if standing_faults(needs, problem.centre):
        return ()
    possible = replace(problem, needs=needs)
    found: list[Alternative] = []
    # Each kind has a time of its own: what is too much for a day is so on every later day, too.
    if needs != problem.needs and (solution := search(possible, Budget(problem.seconds / 2))):
        found.append(_alternative(problem.needs, needs, solution))
    for solution in _later(possible, Budget(problem.seconds / 2)):
        found.append(_alternative(problem.needs, needs, solution))
        if len(found) >= LATER_WINDOWS:
            break
    for fewer, solution in _with_fewer_themes(possible, Budget(problem.seconds / 2)):
        found.append(_alternative(problem.needs, fewer, solution))
        break
    return tuple(found[:MOST_ALTERNATIVES])


def _without(needs: Needs, faults: tuple[Fault, ...]) -> Needs:
    """The needs without the themes and sites that can never be had."""
    themes, sites = {fault.theme for fault in faults}, {fault.site for fault in faults}
    return needs.model_copy(
        update={
            "themes": tuple(code for code in needs.themes if code not in themes),
            "sites": tuple(code for code in needs.sites if code not in sites),
        }
    )


def _later(problem: Problem, budget: Budget) -> Iterator[Solution]:
    """Programmes on runs of days outside the windows asked for, one a week, the earliest first."""
    span = horizon(problem.needs, problem.now, problem.centre)
    asked = {
        days
        for window in problem.needs.windows
        for days in runs_of_days(problem.centre, window, problem.needs, problem.now)
    }
    runs = runs_of_days(problem.centre, span, problem.needs, problem.now)
    unbroken = [days for days in runs if days[-1] - days[0] == runs[0][-1] - runs[0][0]]
    not_before = span.first
    for days in unbroken:
        if days in asked or days[0] < not_before or budget.seconds <= 0:
            continue
        for version in versions(problem, sessions_wanted(problem.needs, problem.centre)):
            if solution := place(problem, version, days, budget):
                yield solution
                not_before = days[0] + timedelta(days=7)
                break


def _with_fewer_themes(problem: Problem, budget: Budget) -> Iterator[tuple[Needs, Solution]]:
    """Programmes in the windows asked for, the last themes left out one by one."""
    for count in range(len(problem.needs.themes) - 1, 0, -1):
        if budget.seconds <= 0:
            return
        fewer = problem.needs.model_copy(update={"themes": problem.needs.themes[:count]})
        if solution := search(replace(problem, needs=fewer), budget):
            yield fewer, solution


def _alternative(asked: Needs, offered: Needs, solution: Solution) -> Alternative:
    first, last = solution.days[0], solution.days[-1]
    note = Bilingual(ar=f"من {first} إلى {last}", en=f"From {first} to {last}")
    missing = [code for code in asked.themes if code not in solution.themes]
    missing += [code for code in asked.sites if code not in offered.sites]
    if missing:
        left_out = ", ".join(missing)
        note = Bilingual(ar=f"{note.ar}، دون: {left_out}", en=f"{note.en}, without: {left_out}")
    return Alternative(
        window=DateWindow(first=first, last=last), first_day=first, themes=solution.themes, note=note
    )
