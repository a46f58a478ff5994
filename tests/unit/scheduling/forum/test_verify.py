"""The verifier names each rule that is broken."""

import pytest

from services.scheduling.forum.problem import Meeting, Problem, Session
from services.scheduling.forum.verify import breaks, faults

PROBLEM = Problem(
    slots=6,
    morning=3,
    tables=2,
    absent=(frozenset({1}), frozenset(), frozenset(), frozenset(), frozenset(), frozenset()),
    meetings=(
        Meeting((0, 1), Session.MORNING),
        Meeting((0, 2), Session.AFTERNOON),
        Meeting((1, 3), fixed=3, after=frozenset({0})),
        Meeting((4, 5)),
    ),
)


def test_an_answer_that_keeps_all_rules_has_no_fault() -> None:
    assert faults(PROBLEM, (0, 3, 3, 0)) == ()


def test_breaks_are_runs_of_idle_slots_between_meetings() -> None:
    assert breaks(PROBLEM, (0, 3, 3, 0)) == 2
    assert breaks(PROBLEM, (2, 3, 3, 0)) == 0


@pytest.mark.parametrize(
    ("slots", "fault"),
    [
        ((0, 3, 3), "there are 3 slots for 4 meetings"),
        ((0, 3, 3, 6), "meeting 4 has no slot of the day"),
        ((0, 3, 3, 3), "slot 4 has 3 meetings at 2 tables"),
        ((3, 4, 3, 0), "meeting 1 is not in the morning"),
        ((0, 2, 3, 0), "meeting 2 is not in the afternoon"),
        ((0, 3, 4, 0), "meeting 3 is not in its fixed slot 4"),
        ((3, 4, 3, 0), "meeting 3 is not after meeting 1"),
        ((3, 3, 3, 0), "participant 1 has two meetings in slot 4"),
        ((1, 3, 3, 0), "participant 1 is absent in slot 2"),
    ],
)
def test_a_broken_rule_is_named(slots: tuple[int, ...], fault: str) -> None:
    assert fault in faults(PROBLEM, slots)


def test_unfair_numbers_of_breaks_are_a_fault() -> None:
    meetings = tuple(Meeting((0, other)) for other in range(1, 5))
    problem = Problem(slots=7, morning=7, tables=1, absent=(frozenset(),) * 5, meetings=meetings)
    assert faults(problem, (0, 2, 4, 6)) == ("one participant has 3 breaks, another 0",)
    assert faults(problem, (0, 2, 4, 5)) == ()
