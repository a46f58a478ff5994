"""Counts each participant's breaks, and keeps the numbers of any two near each other."""

from services.scheduling.forum.clauses import Clauses
from services.scheduling.forum.problem import MOST_APART, Problem


def count_breaks(clauses: Clauses, problem: Problem, busy: tuple[dict[int, int], ...]) -> tuple[int, ...]:
    """A literal for each break that a participant can have; none counts further than fairness allows.

    ``busy`` has a participant's literals by slot. The n-th of her literals holds when she has at
    least n breaks.
    """
    meetings = [len(problem.meetings_of(who)) for who in problem.participants]
    most = [max(0, min(count - 1, problem.slots - count)) for count in meetings]
    limit = min(most, default=0) + MOST_APART
    counts = [
        _breaks(clauses, problem.slots, busy[who], meetings[who], min(most[who], limit + 1))
        for who in problem.participants
    ]
    _keep_near(clauses, counts, min(most, default=0))
    return tuple(literal for count in counts for literal in count)


def _keep_near(clauses: Clauses, counts: list[list[int]], common: int) -> None:
    """Whoever has more than two breaks has company: everybody has as many less two.

    ``common`` is the number of breaks that everybody could have.
    """
    limit = common + MOST_APART
    shared = [clauses.variable() for _ in range(common)]  # that everybody has more than so many breaks
    for count in counts:
        for number, literal in enumerate(shared):
            clauses.add(-literal, *count[number : number + 1])
        for number, literal in enumerate(shared, MOST_APART):
            for more in count[number : number + 1]:
                clauses.add(-more, literal)
        for literal in count[limit:]:
            clauses.add(-literal)


def _breaks(clauses: Clauses, slots: int, busy: dict[int, int], meetings: int, most: int) -> list[int]:
    """The literals of one participant: her n-th holds when her meetings begin anew more than n times."""
    if not busy:
        return []
    begun = _begun(clauses, slots, busy)
    _leave_time(clauses, slots, busy, begun, meetings)
    counts, reached = [], begun
    for _ in range(most):
        reached = _begun_again(clauses, slots, busy, reached)
        counts.append(reached[-1])
    for more, fewer in zip(counts[1:], counts, strict=False):
        clauses.add(-more, fewer)
    if counts:
        _in_one_go(clauses, slots, busy, begun, meetings, counts[0])
    return counts


def _begun(clauses: Clauses, slots: int, busy: dict[int, int]) -> list[int]:
    """For each slot, whether she has had a meeting by then."""
    begun: list[int] = []
    for slot in range(slots):
        begun.append(clauses.any_of([*begun[-1:], *([busy[slot]] if slot in busy else [])]))
    return begun


def _leave_time(clauses: Clauses, slots: int, busy: dict[int, int], begun: list[int], meetings: int) -> None:
    """She has begun when the slots that are left just suffice."""
    possible = [slot for slot in range(slots) if slot in busy]
    if meetings <= len(possible):
        clauses.add(begun[possible[len(possible) - meetings]])


def _begun_again(clauses: Clauses, slots: int, busy: dict[int, int], before: list[int]) -> list[int]:
    """For each slot, whether her meetings have begun once more often by then than ``before`` tells."""
    again = [clauses.variable() for _ in range(slots)]
    clauses.add(-again[0])
    for slot in range(1, slots):
        now, last = ([busy[one]] if one in busy else [] for one in (slot, slot - 1))
        clauses.add(-again[slot - 1], again[slot])
        clauses.add(-again[slot], before[slot])
        clauses.add(-again[slot], again[slot - 1], before[slot - 1])
        clauses.add(-again[slot], again[slot - 1], *now)
        for literal in last:
            clauses.add(-again[slot], again[slot - 1], -literal)
        for literal in now:
            clauses.add(-literal, *last, -before[slot - 1], again[slot])
    return again


def _in_one_go(
    clauses: Clauses, slots: int, busy: dict[int, int], begun: list[int], meetings: int, broken: int
) -> None:
    """Without a break she is busy in a slot when she has begun by then, unless all is done by then."""
    clauses.add(broken, begun[slots - meetings])
    for slot in range(slots):
        now = [busy[slot]] if slot in busy else []
        done = [begun[slot - meetings]] if slot >= meetings else []
        clauses.add(broken, -begun[slot], *done, *now)
        if now and done:
            clauses.add(broken, -done[0], -now[0])
