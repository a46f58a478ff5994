"""Ways between premises, rests of interpreters, arrival and departure, calendars of persons."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from services.scheduling.calendar import Booked, Interval
from services.scheduling.centre import Centre, Interpreting, Travel
from services.scheduling.explain import solve
from services.scheduling.problem import Infeasible, Problem, Solution
from tests.unit.scheduling.factories import CENTRE, problem, taken

SUNDAY = [{"first": "2027-01-03", "last": "2027-01-03"}]


def hour(hours: int, minutes: int = 0, day: int = 3) -> datetime:
    """A local time of January 2027."""
    return datetime(2027, 1, day, hours, minutes, tzinfo=CENTRE.zone).astimezone(UTC)


def far_apart(minutes: int) -> Centre:
    """The shelter on premises of its own."""
    venues = (
        one.model_copy(update={"premises": "shelter"}) if one.code == "shelter" else one
        for one in CENTRE.venues
    )
    travel = (Travel(between=("centre", "shelter"), minutes=minutes),)
    return CENTRE.model_copy(update={"venues": tuple(venues), "travel": travel})


def at(centre: Centre, **changes: Any) -> Problem:
    return replace(problem(**changes), centre=centre)


def slots_of(asked: Problem):
    outcome = solve(asked)
    assert isinstance(outcome, Solution), outcome
    return {slot.key: slot for slot in outcome.slots}


@pytest.mark.parametrize(("minutes", "quarters"), [(10, 1), (40, 3), (45, 3)])
def test_the_delegation_has_time_for_the_way_between_premises(minutes: int, quarters: int):
    slots = slots_of(at(far_apart(minutes), days=1, windows=SUNDAY, themes=["public-awareness"]))
    tour = slots["tour-shelter"]
    others = [slot for slot in slots.values() if slot is not tour]
    gap = timedelta(minutes=15 * quarters)
    assert all(slot.ends + gap <= tour.starts or tour.ends + gap <= slot.starts for slot in others)
    assert any(tour.starts - slot.ends == gap or slot.starts - tour.ends == gap for slot in others)


def test_an_escort_comes_from_another_visits_session_in_time():
    booked = (*taken("2027-01-03", "2027-01-04"), Booked(hour(8, day=4), hour(9, 30, day=4), "hall"))
    busy: dict[str, tuple[Interval, ...]] = dict.fromkeys(
        ("person:expert-03", "person:escort-01", "person:escort-03"), booked
    )
    window = [{"first": "2027-01-03", "last": "2027-01-04"}]
    asked = at(far_apart(60), days=2, windows=window, themes=["public-awareness"], busy=busy)
    assert slots_of(asked)["tour-shelter"].starts == hour(10, 30, day=4)
    same_house = at(CENTRE, days=2, windows=window, themes=["public-awareness"], busy=busy)
    assert slots_of(same_house)["tour-shelter"].starts == hour(9, 30, day=4)


def test_in_whichever_house_a_session_is_its_expert_is_there_in_time():
    venues = (
        one.model_copy(update={"premises": "annex"}) if one.code == "meeting-room-1" else one
        for one in CENTRE.venues
    )
    travel = (Travel(between=("centre", "annex"), minutes=60),)
    centre = CENTRE.model_copy(update={"venues": tuple(venues), "travel": travel})
    busy: dict[str, tuple[Interval, ...]] = {
        "person:host-06": taken("2027-01-03", "2027-01-04"),
        "person:expert-06": (Booked(hour(8), hour(9), "hall"),),
    }
    asked = at(centre, days=1, windows=SUNDAY, themes=["public-awareness"], sites=[], busy=busy)
    briefing = slots_of(asked)["briefing-public-awareness"]
    assert briefing.starts >= hour(10 if briefing.place.code == "meeting-room-1" else 9)


def test_a_session_longer_than_a_spell_has_two_interpreters():
    centre = CENTRE.model_copy(update={"interpreting": Interpreting(longest_spell=60)})
    slots = slots_of(at(centre, languages=["fr"], themes=["prosecution"], sites=[]))
    team = [one.person for one in slots["briefing-prosecution"].assignments if one.role == "interpreter"]
    assert sorted(team) == ["interpreter-02", "interpreter-03"]
    assert sum(one.role == "interpreter" for one in slots["welcome"].assignments) <= 1


def test_an_interpreter_rests_or_is_relieved_between_long_sessions():
    busy = {"person:interpreter-03": taken("2027-01-03", "2027-01-04")}
    asked = problem(
        days=1,
        windows=SUNDAY,
        languages=["fr"],
        themes=["prosecution", "victim-identification"],
        sites=[],
        busy=busy,
    )
    slots = slots_of(asked)
    mine = sorted(
        (slot.starts, slot.ends)
        for slot in slots.values()
        if any(one.role == "interpreter" for one in slot.assignments)
    )
    for (first, until), (then, end) in pairwise(mine):
        assert then - until >= timedelta(minutes=15) or end - first <= timedelta(minutes=90)


def test_nothing_is_held_before_the_delegation_has_arrived():
    slots = slots_of(problem(days=2, arrives=hour(8, 30)))
    assert min(slot.starts for slot in slots.values()) >= hour(10)


def test_nothing_is_held_when_the_delegation_leaves():
    slots = slots_of(problem(days=2, leaves=hour(12, day=4)))
    assert max(slot.ends for slot in slots.values()) <= hour(9, day=4)


def test_nothing_is_held_while_the_centre_is_closed_for_some_hours():
    slots = slots_of(problem(busy={"centre": (Interval(hour(7), hour(10)),)}, days=1, sites=[]))
    assert min(slot.starts for slot in slots.values()) >= hour(10)


def test_a_holiday_of_the_delegations_own_country_is_avoided():
    window = [{"first": "2027-01-10", "last": "2027-01-13"}]
    found = solve(replace(problem(days=1, sites=[], windows=window), country="MA"))
    assert isinstance(found, Solution)
    assert found.days[0].day == 12, "Sunday is weekend there, and the 11th a public holiday"


def test_whoever_keeps_the_holidays_of_another_country_is_away_on_them():
    people = (
        one.model_copy(update={"country": "MA"}) if one.code in {"expert-04", "expert-08"} else one
        for one in CENTRE.people
    )
    centre = CENTRE.model_copy(update={"people": tuple(people)})
    monday = [{"first": "2027-01-11", "last": "2027-01-11"}]
    outcome = solve(at(centre, days=1, windows=monday, themes=["prosecution"], sites=[]))
    assert isinstance(outcome, Infeasible)
    assert outcome.reasons[1].en == (
        "From 2027-01-11 to 2027-01-11 these cannot all be kept: "
        "“Investigation and prosecution” is asked for; expert-04 is away; expert-08 is away."
    )


def test_when_the_whole_centre_is_closed_another_day_is_found():
    busy = {"centre": taken("2027-01-03", "2027-01-05")}
    assert slots_of(problem(busy=busy, days=1, sites=[]))["welcome"].starts.date().day == 5


def test_summer_time_begins_during_a_visit_abroad_and_nobody_comes_an_hour_late():
    weekend = {"weekend": ("saturday",)}
    centre = CENTRE.model_copy(
        update={"time_zone": "Europe/Paris", "week": CENTRE.week.model_copy(update=weekend)}
    )
    around = [{"first": "2026-03-29", "last": "2026-03-30"}]
    asked = replace(at(centre, days=2, sites=[], windows=around), now=datetime(2026, 3, 1, tzinfo=UTC))
    starts = sorted(slot.starts for slot in slots_of(asked).values())
    assert starts[0].astimezone(centre.zone).hour == 8
    assert starts[0] == datetime(2026, 3, 29, 6, tzinfo=UTC)
    monday = [start for start in starts if start.day == 30]
    assert monday[0] == datetime(2026, 3, 30, 6, tzinfo=UTC)
