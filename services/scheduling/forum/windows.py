"""Which slots each meeting can have, by session, absences, fixed slots and the meetings before and after."""

from services.scheduling.forum.problem import Meeting, Problem, Session


def windows(problem: Problem) -> tuple[frozenset[int], ...]:
    """For each meeting its possible slots; none at all where the problem shows to be unsolvable."""
    open_slots = [_alone(problem, meeting) for meeting in problem.meetings]
    changed = True
    while changed:
        before = tuple(open_slots)
        for number, meeting in enumerate(problem.meetings):
            for earlier in meeting.after:
                _order(open_slots, earlier, number)
        changed = tuple(open_slots) != before
    return tuple(open_slots)


def _alone(problem: Problem, meeting: Meeting) -> frozenset[int]:
    first = problem.morning if meeting.session is Session.AFTERNOON else 0
    end = problem.morning if meeting.session is Session.MORNING else problem.slots
    away = frozenset[int]().union(*(problem.absent[who] for who in meeting.pair))
    slots = frozenset(range(first, end)) - away
    return slots if meeting.fixed is None else slots & {meeting.fixed}


def _order(open_slots: list[frozenset[int]], earlier: int, later: int) -> None:
    earliest = min(open_slots[earlier], default=None)
    if earliest is None or not open_slots[later]:
        open_slots[earlier] = open_slots[later] = frozenset()
        return
    latest = max(open_slots[later])
    open_slots[later] = frozenset(slot for slot in open_slots[later] if slot > earliest)
    open_slots[earlier] = frozenset(slot for slot in open_slots[earlier] if slot < latest)
