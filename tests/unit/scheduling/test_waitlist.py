"""In which order visits on the waiting list are tried."""

from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

import pytest

from services.scheduling.waitlist import Waiting, in_turn, next_in_turn
from tests.unit.scheduling.factories import NOW

TODAY = date(2026, 11, 23)
FIRST = Waiting(UUID(int=1), "V-2026-000001", "QA", "routine", date(2027, 1, 7), NOW, 0)


def waiting(number: int, **changes: object) -> Waiting:
    return replace(FIRST, id=UUID(int=number), **changes)  # type: ignore[arg-type]


def turn(*who: Waiting, held: dict[str, int] | None = None) -> list[int]:
    return [one.id.int for one in in_turn(who, held or {}, TODAY)]


def test_the_urgent_come_first_however_long_others_wait():
    routine = waiting(1, since=NOW - timedelta(days=90))
    assert turn(
        routine, waiting(2, urgency="urgent"), waiting(3, urgency="emergency", country="SA"), held={"SA": 9}
    ) == [3, 2, 1]


def test_of_equal_urgency_whoever_has_had_least_this_year_comes_first():
    long = waiting(1, country="QA", since=NOW - timedelta(days=90))
    assert turn(long, waiting(2, country="SA"), waiting(3, country="KW"), held={"QA": 2, "KW": 1}) == [
        2,
        3,
        1,
    ]


def test_of_those_who_have_had_as_much_the_one_who_waits_longest_comes_first():
    assert turn(waiting(1), waiting(2, since=NOW - timedelta(hours=1))) == [2, 1]


def test_the_order_does_not_depend_on_how_they_come_in():
    who = [waiting(number) for number in range(5)]
    assert turn(*who) == turn(*reversed(who)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("last", "left"), [(TODAY, [1]), (TODAY - timedelta(days=1), [])])
def test_whose_last_window_is_past_is_left_out(last: date, left: list[int]):
    assert turn(waiting(1, last_day=last)) == left


def test_who_was_tried_since_the_last_giving_back_is_passed_over():
    who = (waiting(1, tried=7), waiting(2, tried=6), waiting(3, tried=0))
    chosen = next_in_turn(who, 7)
    assert chosen is not None
    assert chosen.id.int == 2
    assert next_in_turn(who[:1], 7) is None
    assert next_in_turn(who, 8) == who[0]
