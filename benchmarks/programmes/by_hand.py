"""The baseline: the programme that the greedy planner makes, on the first days that it finds possible."""

from collections.abc import Iterator

from services.scheduling.availability import lay_out
from services.scheduling.candidates import Blocked
from services.scheduling.goals import score
from services.scheduling.greedy import greedy
from services.scheduling.problem import Problem, Solution
from services.scheduling.programme import slots_of
from services.scheduling.runs import Run, runs_of_days
from services.scheduling.sessions import sessions_wanted
from services.scheduling.solver import looked_at, versions


def by_hand(problem: Problem) -> Solution | None:
    """The greedy programme, or nothing; windows and days in the order in which the solver takes them."""
    for days in preferred(problem):
        for sessions in versions(problem, sessions_wanted(problem.needs, problem.centre, days)):
            desk = lay_out(problem, sessions, days)
            placed = None if isinstance(desk, Blocked) else greedy(problem, desk)
            if placed and not isinstance(desk, Blocked):
                themes = tuple(dict.fromkeys(one.theme for one in sessions if one.theme))
                return Solution(slots_of(problem, desk, placed), days, themes, score(problem, desk, placed))
    return None


def preferred(problem: Problem) -> Iterator[Run]:
    """The runs of days of all windows, the most preferred first."""
    for window in problem.needs.windows:
        yield from looked_at(runs_of_days(problem, window))


def is_worse(problem: Problem, found: Solution | None, baseline: Solution | None) -> bool:
    """Whether a programme is worse than the baseline: none, later days, fewer themes, or a higher cost."""
    if baseline is None:
        return False
    if found is None:
        return True
    if found.days != baseline.days:
        runs = list(preferred(problem))
        return runs.index(found.days) > runs.index(baseline.days)
    if found.themes != baseline.themes:
        return len(found.themes) < len(baseline.themes)
    return bool(found.score and baseline.score and found.score.cost > baseline.score.cost)
