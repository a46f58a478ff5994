"""A forum day as a propositional formula, whose breaks are counted by literals that should not hold."""

from dataclasses import dataclass

from services.scheduling.forum.breaks import count_breaks
from services.scheduling.forum.clauses import Clauses
from services.scheduling.forum.problem import Meeting, Problem, Session
from services.scheduling.forum.windows import windows


@dataclass(frozen=True)
class Encoding:
    """The formula, the literal of each meeting in each slot, and a literal for each break."""

    clauses: Clauses
    places: tuple[dict[int, int], ...]
    breaks: tuple[int, ...]

    def slots(self, model: list[int]) -> tuple[int, ...]:
        """The slot of each meeting, from the literals that hold."""
        held = {literal for literal in model if literal > 0}
        return tuple(next(slot for slot, at in place.items() if at in held) for place in self.places)


def encode(problem: Problem) -> Encoding:
    """Write down the rules, and beside them what follows from them but a solver is slow to see."""
    clauses = Clauses()
    places = tuple(_one_slot(clauses, open_slots) for open_slots in windows(problem))
    for number, meeting in enumerate(problem.meetings):
        for earlier in meeting.after:
            _precede(clauses, problem.slots, places[earlier], places[number])
    busy = tuple(_busy(clauses, problem, places, who) for who in problem.participants)
    for slot in range(problem.slots):
        _pair_off(clauses, problem, [at[slot] for at in busy if slot in at])
    for who in problem.participants:
        _all_met(clauses, problem, who, busy[who])
    return Encoding(clauses, places, count_breaks(clauses, problem, busy))


def _one_slot(clauses: Clauses, open_slots: frozenset[int]) -> dict[int, int]:
    """A literal for each slot that a meeting can have, one of which holds."""
    place = {slot: clauses.variable() for slot in sorted(open_slots)}
    clauses.add(*place.values())
    clauses.at_most_one(place.values())
    return place


def _precede(clauses: Clauses, slots: int, earlier: dict[int, int], later: dict[int, int]) -> None:
    """One meeting takes place before another: what held by a slot is the later one's leave for the next."""
    held: int | None = None  # that the earlier one took place in a slot before
    for slot in range(slots):
        if slot in later:
            clauses.add(-later[slot], *([held] if held else []))
        steps = [literal for literal in (held, earlier.get(slot)) if literal]
        held = clauses.any_of(steps) if steps else None


def _busy(clauses: Clauses, problem: Problem, places: tuple[dict[int, int], ...], who: int) -> dict[int, int]:
    """A literal for each slot in which a participant can have a meeting, of which she has one at a time."""
    busy = {}
    for slot in range(problem.slots):
        meetings = [places[one][slot] for one in problem.meetings_of(who) if slot in places[one]]
        if meetings:
            clauses.at_most_one(meetings)
            busy[slot] = clauses.any_of(meetings)
    return busy


def _pair_off(clauses: Clauses, problem: Problem, busy: list[int]) -> None:
    """The busy ones are pairs: an even number, at most two a table, and enough to leave room elsewhere."""
    most = min(2 * problem.tables, len(busy))
    least = 2 * max(0, len(problem.meetings) - (problem.slots - 1) * problem.tables)
    counter = clauses.counter(busy, most + 1)
    clauses.between(counter, least, most)
    for odd in range(0, most, 2):
        clauses.add(-counter[odd], *counter[odd + 1 : odd + 2])


def _all_met(clauses: Clauses, problem: Problem, who: int, busy: dict[int, int]) -> None:
    """A participant is busy in as many slots as she has meetings, and in each half when they ask for it."""
    meetings = [problem.meetings[one] for one in problem.meetings_of(who)]
    total = len(meetings)
    clauses.between(clauses.counter(list(busy.values()), total + 1), total, total)
    if 0 < problem.morning < problem.slots:
        early = _asking(meetings, Session.MORNING)
        late = _asking(meetings, Session.AFTERNOON)
        morning = [literal for slot, literal in busy.items() if slot < problem.morning]
        afternoon = [literal for slot, literal in busy.items() if slot >= problem.morning]
        clauses.between(clauses.counter(morning, total + 1), early, total - late)
        clauses.between(clauses.counter(afternoon, total + 1), late, total - early)


def _asking(meetings: list[Meeting], session: Session) -> int:
    return sum(meeting.session is session for meeting in meetings)
