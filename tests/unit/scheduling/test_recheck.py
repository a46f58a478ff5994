"""What is seen under the lock that no constraint of the database forbids."""

from datetime import datetime
from typing import Any

import pytest

from schemas.scheduling import Slot
from services.scheduling.calendar import Booked, Interval
from services.scheduling.centre import Centre, Travel
from services.scheduling.recheck import Busy, in_the_way
from tests.unit.scheduling.factories import CENTRE, NOW
from tests.unit.scheduling.held import at, slot, with_


def _elsewhere(code: str) -> Any:
    return next(one for one in CENTRE.venues if one.code == code).model_copy(update={"premises": "town"})


APART: Centre = CENTRE.model_copy(
    update={
        "venues": tuple(_elsewhere(one.code) if one.code == "shelter" else one for one in CENTRE.venues),
        "travel": (Travel(between=("centre", "town"), minutes=30),),
    }
)


WANTED = slot()


def why(busy: Busy, *, held: tuple[Slot, ...] = (), now: datetime = NOW, wanted: Slot = WANTED) -> str | None:
    return in_the_way((wanted,), held, APART, busy, now)


def booked(start: datetime, end: datetime, venue: str = "meeting-room-2") -> tuple[Interval, ...]:
    return (Booked(start, end, venue),)


def test_given_nothing_else_is_booked_then_nothing_is_in_the_way():
    assert why({}) is None


@pytest.mark.parametrize("resource", ["centre", "person:host-01", "venue:meeting-room-1"])
def test_given_a_block_that_came_meanwhile_then_it_is_in_the_way(resource: str):
    assert why({resource: (Interval(at(3, 9, 45), at(3, 11)),)}) is not None
    assert why({resource: (Interval(at(3, 10), at(3, 11)),)}) is None


def test_given_a_block_then_it_is_in_the_way_of_what_is_held_too_but_not_of_what_has_begun():
    ill = {"person:host-01": (Interval(at(3, 8), at(3, 11)),)}
    assert why(ill, held=(slot(),)) is not None
    assert why(ill, held=(slot(),), now=at(3, 9)) is None


@pytest.mark.parametrize(
    ("starts", "venue", "fits"),
    [
        (at(3, 10), "meeting-room-2", True),
        (at(3, 10, 15), "shelter", False),
        (at(3, 10, 30), "shelter", True),
    ],
)
def test_given_a_session_elsewhere_then_people_need_the_time_of_the_way(
    starts: datetime,
    venue: str,
    fits: bool,  # noqa: FBT001 -- one of the columns
):
    says = why({"person:host-01": booked(starts, at(3, 12), venue)})
    assert (says is None) == fits


def test_given_the_other_session_came_first_then_the_way_counts_as_well():
    assert why({"person:host-01": booked(at(3, 8), at(3, 8, 45), "shelter")}) is not None
    assert why({"person:host-01": booked(at(3, 8), at(3, 8, 30), "shelter")}) is None


def test_given_an_interpreter_then_there_is_a_rest_between_two_visits():
    interpreted = slot(assignments=with_("interpreter-01", "interpreter"))
    assert why({"person:interpreter-01": booked(at(3, 10), at(3, 11))}, wanted=interpreted) is not None
    assert why({"person:interpreter-01": booked(at(3, 10, 15), at(3, 11))}, wanted=interpreted) is None


def test_given_somebody_has_as_many_sessions_as_may_be_then_one_more_is_in_the_way():
    limit = next(one for one in CENTRE.people if one.code == "host-01").max_sessions_a_day
    others = tuple(Booked(at(3, 11 + n), at(3, 12 + n), "hall") for n in range(limit))
    assert why({"person:host-01": others[: limit - 1]}) is None
    assert why({"person:host-01": others}) is not None


def test_given_a_slot_was_held_before_then_only_a_block_is_in_its_way():
    close = {"person:host-01": booked(at(3, 10), at(3, 11), "shelter")}
    assert why(close) is not None
    assert why(close, held=(slot(),)) is None
    assert why(close, held=(slot(starts=at(3, 8)),)) is not None
