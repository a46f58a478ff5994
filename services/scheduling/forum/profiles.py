"""Proves, from the participants' times alone, that a day has at least so many breaks.

Whom one meets is left out: each participant's day is a path through the slots, busy or idle in each,
and the paths together keep to the tables. Participants alike share one flow, so that what a SAT
solver counts case by case, when tables are scarce, is one small problem for linear programming.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass

from ortools.sat.python import cp_model

from services.scheduling.forum.problem import Problem
from services.scheduling.forum.windows import windows


@dataclass(frozen=True)
class Kind:
    """What the times of a participant depend on."""

    meetings: int
    possible: frozenset[int]
    certain: frozenset[int]
    """Slots in which she has a meeting whatever happens."""
    morning: tuple[int, int]
    """The least and the greatest number of her meetings in the morning."""


@dataclass(frozen=True)
class Stage:
    """Behind some slot: how many meetings were held, in how many runs, and whether one goes on."""

    slot: int
    held: int
    runs: int
    busy: bool


Step = tuple[Stage, Stage]


def fewest_breaks(problem: Problem, seconds: float) -> int:
    """A bound from below on the breaks of any answer, as good as can be proved in the time."""
    model = cp_model.CpModel()
    busy: dict[int, list[cp_model.IntVar]] = defaultdict(list)
    breaks = []
    for kind, count in kinds(problem).items():
        flow = _flow(model, kind, problem, count)
        for (_, stage), amount in flow.items():
            if stage.busy:
                busy[stage.slot].append(amount)
            if stage.slot == problem.slots:
                breaks.append((stage.runs - 1) * amount)
    least = max(0, len(problem.meetings) - (problem.slots - 1) * problem.tables)
    for slot in range(1, problem.slots + 1):
        pairs = model.new_int_var(min(least, problem.tables), problem.tables, "")
        model.add(sum(busy[slot]) == 2 * pairs)
    model.minimize(sum(breaks))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.linearization_level = 2
    solver.parameters.max_time_in_seconds = seconds
    if solver.solve(model) == cp_model.INFEASIBLE:
        return 0  # the formula shows it as well
    return max(0, round(solver.best_objective_bound))


def kinds(problem: Problem) -> Counter[Kind]:
    """How many participants there are of each kind; those without meetings do not count."""
    open_slots = windows(problem)
    found: Counter[Kind] = Counter()
    for who in problem.participants:
        slots = [open_slots[one] for one in problem.meetings_of(who)]
        if slots:
            late = sum(min(one, default=problem.slots) >= problem.morning for one in slots)
            early = sum(max(one, default=0) < problem.morning for one in slots)
            found[
                Kind(
                    meetings=len(slots),
                    possible=frozenset[int]().union(*slots),
                    certain=frozenset().union(*(one for one in slots if len(one) == 1)),
                    morning=(early, len(slots) - late),
                )
            ] += 1
    return found


def _flow(model: cp_model.CpModel, kind: Kind, problem: Problem, count: int) -> dict[Step, cp_model.IntVar]:
    """How many participants of a kind take each step."""
    flow = {step: model.new_int_var(0, count, "") for step in _steps(kind, problem)}
    into: dict[Stage, list[cp_model.IntVar]] = defaultdict(list)
    out: dict[Stage, list[cp_model.IntVar]] = defaultdict(list)
    for (before, after), amount in flow.items():
        out[before].append(amount)
        into[after].append(amount)
    model.add(sum(out[START]) == count)
    for stage in (into.keys() | out.keys()) - {START}:
        if stage.slot < problem.slots:
            model.add(sum(into[stage]) == sum(out[stage]))
    return flow


START = Stage(slot=0, held=0, runs=0, busy=False)


def _steps(kind: Kind, problem: Problem) -> list[Step]:
    """Every step from slot to slot that a participant of a kind can take."""
    steps, stages = [], {START}
    for slot in range(problem.slots):
        following = [
            (before, after)
            for before in sorted(stages, key=lambda one: (one.held, one.runs, one.busy))
            for after in _next(kind, before, slot)
            if _can_end_well(kind, problem, after)
        ]
        steps += following
        stages = {after for _, after in following}
    return steps


def _next(kind: Kind, before: Stage, slot: int) -> list[Stage]:
    found = []
    if slot not in kind.certain:
        found.append(Stage(slot + 1, before.held, before.runs, busy=False))
    if slot in kind.possible and before.held < kind.meetings:
        runs = before.runs + (not before.busy)
        found.append(Stage(slot + 1, before.held + 1, runs, busy=True))
    return found


def _can_end_well(kind: Kind, problem: Problem, stage: Stage) -> bool:
    least, most = kind.morning
    left = sum(slot >= stage.slot for slot in kind.possible)
    in_time = stage.held + left >= kind.meetings
    return in_time and (stage.slot != problem.morning or least <= stage.held <= most)
