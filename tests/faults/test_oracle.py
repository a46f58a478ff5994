"""The oracle itself: it sees each kind of fault, and calls a run in which nothing happened unknown."""

import pytest

from tests.faults.oracle import ZEROS, Figures, Order, Stage, Verdict, inversions, judge, repeated

ACKNOWLEDGED: list[Order] = [("a", 1), ("a", 2), ("b", 1)]


def figures(applied: list[Order], *, attempted: list[Order] | None = None, stuck: int = 0) -> Figures:
    asked = ACKNOWLEDGED if attempted is None else attempted
    return judge(asked, ACKNOWLEDGED, [Stage("sink", applied)], stuck=stuck, injected=1, duplicates=1)


def test_a_run_in_which_all_was_applied_once_and_in_order_passes() -> None:
    found = figures([("a", 1), ("b", 1), ("a", 2)])
    assert found.verdict is Verdict.PASS
    assert found.acknowledged == 3


@pytest.mark.parametrize(
    ("applied", "counter"),
    [
        ([("a", 1), ("b", 1)], "lost"),
        ([("a", 1), ("a", 2), ("b", 1), ("a", 1)], "doubled"),
        ([("a", 1), ("a", 2), ("b", 1), ("c", 1)], "unexpected"),
        ([("a", 2), ("a", 1), ("b", 1)], "inversions"),
    ],
)
def test_each_fault_is_counted_under_its_name_alone(applied: list[Order], counter: str) -> None:
    found = figures(applied)
    assert found.faults == {name: int(name == counter) for name in ZEROS}
    assert found.verdict is Verdict.FAIL


def test_what_is_stuck_fails_a_run() -> None:
    assert figures(ACKNOWLEDGED, stuck=1).verdict is Verdict.FAIL


def test_an_order_whose_answer_was_lost_may_be_applied_or_not() -> None:
    asked = [*ACKNOWLEDGED, ("b", 2)]
    assert figures(ACKNOWLEDGED, attempted=asked).verdict is Verdict.PASS
    assert figures([*ACKNOWLEDGED, ("b", 2)], attempted=asked).verdict is Verdict.PASS


@pytest.mark.parametrize("missing", ["acknowledged", "injected", "duplicates"])
def test_a_run_in_which_nothing_happened_is_unknown(missing: str) -> None:
    counts = {"acknowledged": 9, "injected": 9, "duplicates": 9, missing: 0}
    assert Figures(**counts).verdict is Verdict.UNKNOWN


def test_a_fault_counts_even_when_nothing_was_injected() -> None:
    assert Figures(acknowledged=1, injected=0, duplicates=0, lost=1).verdict is Verdict.FAIL


def test_each_stage_is_held_to_what_it_has_to_apply() -> None:
    every_other = Stage("bell", [("a", 2)], expects=lambda order: order[1] % 2 == 0, in_order=False)
    found = judge(ACKNOWLEDGED, ACKNOWLEDGED, [every_other], stuck=0, injected=1, duplicates=1)
    assert found.verdict is Verdict.PASS
    wrong = Stage("bell", [("a", 2), ("a", 1)], expects=lambda order: order[1] % 2 == 0, in_order=False)
    found = judge(ACKNOWLEDGED, ACKNOWLEDGED, [wrong], stuck=0, injected=1, duplicates=1)
    assert (found.unexpected, found.inversions) == (1, 0)


def test_a_second_application_is_no_inversion() -> None:
    assert inversions([("a", 1), ("a", 2), ("a", 1)]) == 0
    assert inversions([("a", 1), ("a", 4), ("a", 2), ("a", 3)]) == 2


def test_deliveries_after_the_first_are_repetitions() -> None:
    assert repeated(["x", "y", "x", "x"]) == 2
