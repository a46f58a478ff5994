"""Checks an answer from the problem alone; shares no code with what finds answers."""

from collections import Counter
from itertools import pairwise

from services.scheduling.forum.problem import MOST_APART, Problem, Session


def faults(problem: Problem, slots: tuple[int, ...]) -> tuple[str, ...]:
    """What is wrong with the slots of the meetings, in words, numbered from 1."""
    if len(slots) != len(problem.meetings):
        return (f"there are {len(slots)} slots for {len(problem.meetings)} meetings",)
    found = [fault for number in range(len(slots)) for fault in _of_meeting(problem, slots, number)]
    for slot, held in sorted(Counter(slots).items()):
        if held > problem.tables:
            found.append(f"slot {slot + 1} has {held} meetings at {problem.tables} tables")
    for who, times in enumerate(_times(problem, slots)):
        found += [f"participant {who + 1} has two meetings in slot {at + 1}" for at in _twice(times)]
        found += [
            f"participant {who + 1} is absent in slot {at + 1}"
            for at in sorted({*times} & problem.absent[who])
        ]
    counts = [_breaks(times) for times in _times(problem, slots)]
    if counts and max(counts) - min(counts) > MOST_APART:
        found.append(f"one participant has {max(counts)} breaks, another {min(counts)}")
    return tuple(found)


def breaks(problem: Problem, slots: tuple[int, ...]) -> int:
    """The number of breaks of all participants."""
    return sum(_breaks(times) for times in _times(problem, slots))


def _of_meeting(problem: Problem, slots: tuple[int, ...], number: int) -> list[str]:
    meeting, slot, name = problem.meetings[number], slots[number], f"meeting {number + 1}"
    found = []
    if not 0 <= slot < problem.slots:
        found.append(f"{name} has no slot of the day")
    if meeting.session is Session.MORNING and slot >= problem.morning:
        found.append(f"{name} is not in the morning")
    if meeting.session is Session.AFTERNOON and slot < problem.morning:
        found.append(f"{name} is not in the afternoon")
    if meeting.fixed is not None and meeting.fixed != slot:
        found.append(f"{name} is not in its fixed slot {meeting.fixed + 1}")
    found += [f"{name} is not after meeting {one + 1}" for one in sorted(meeting.after) if slots[one] >= slot]
    return found


def _times(problem: Problem, slots: tuple[int, ...]) -> list[list[int]]:
    times: list[list[int]] = [[] for _ in problem.absent]
    for meeting, slot in zip(problem.meetings, slots, strict=True):
        for who in meeting.pair:
            times[who].append(slot)
    return times


def _twice(times: list[int]) -> list[int]:
    return [slot for slot, count in sorted(Counter(times).items()) if count > 1]


def _breaks(times: list[int]) -> int:
    order = sorted(times)
    return sum(later - earlier > 1 for earlier, later in pairwise(order))
