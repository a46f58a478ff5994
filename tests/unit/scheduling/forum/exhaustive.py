"""The fewest breaks of a small problem, by trying everything; written from the description alone."""

from collections.abc import Iterator
from itertools import pairwise

from services.scheduling.forum.problem import Problem, Session


def fewest(problem: Problem) -> int | None:
    """None when there is no answer."""
    counts = (_counts(problem, slots) for slots in _answers(problem, ()))
    return min((sum(each) for each in counts if max(each) - min(each) <= 2), default=None)


def _answers(problem: Problem, placed: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Every way to go on from the slots of the first meetings."""
    if len(placed) == len(problem.meetings):
        yield placed
        return
    for slot in range(problem.slots):
        if _fits_alone(problem, len(placed), slot) and _fits_beside(problem, placed, slot):
            yield from _answers(problem, (*placed, slot))


def _fits_alone(problem: Problem, number: int, slot: int) -> bool:
    meeting = problem.meetings[number]
    in_session = {
        Session.MORNING: slot < problem.morning,
        Session.AFTERNOON: slot >= problem.morning,
        Session.ANY: True,
    }
    present = all(slot not in problem.absent[who] for who in meeting.pair)
    return in_session[meeting.session] and present and meeting.fixed in (None, slot)


def _fits_beside(problem: Problem, placed: tuple[int, ...], slot: int) -> bool:
    meeting, number = problem.meetings[len(placed)], len(placed)
    if placed.count(slot) == problem.tables or number in meeting.after:
        return False
    for other, at in enumerate(placed):
        before = problem.meetings[other]
        if at == slot and set(before.pair) & set(meeting.pair):
            return False
        if (other in meeting.after and at >= slot) or (number in before.after and slot >= at):
            return False
    return True


def _counts(problem: Problem, slots: tuple[int, ...]) -> list[int]:
    return [
        sum(later - earlier > 1 for earlier, later in pairwise(sorted(times)))
        for times in (
            [slot for slot, meeting in zip(slots, problem.meetings, strict=True) if who in meeting.pair]
            for who in range(len(problem.absent))
        )
    ]
