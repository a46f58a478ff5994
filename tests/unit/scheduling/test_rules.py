"""Single rules of a programme, each in a situation where it alone decides."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from services.scheduling.calendar import Booked, Interval
from services.scheduling.centre import Centre
from services.scheduling.explain import solve
from services.scheduling.problem import Infeasible, Problem, Solution
from tests.unit.scheduling.factories import CENTRE, NOW, needs, problem, taken
from tests.unit.scheduling.verifier import complaints

WEEK = ("2027-01-03", "2027-01-08")


def slots_of(asked: Problem):
    outcome = solve(asked)
    assert isinstance(outcome, Solution), outcome
    assert complaints(asked.centre, asked.needs, outcome.slots, asked.busy, asked.now) == []
    return {slot.key: slot for slot in outcome.slots}


def hour(day: int, hours: int, minutes: int = 0) -> datetime:
    """A local time of January 2027."""
    return datetime(2027, 1, day, hours, minutes, tzinfo=ZoneInfo("Asia/Bahrain")).astimezone(UTC)


def limited(sessions_a_day: int) -> Centre:
    """The Centre with a lower limit for its hosts."""
    people = (
        one.model_copy(update={"max_sessions_a_day": sessions_a_day}) if "host" in one.roles else one
        for one in CENTRE.people
    )
    return CENTRE.model_copy(update={"people": tuple(people)})


def test_a_tour_waits_for_the_briefing_that_comes_late():
    busy = dict.fromkeys(["person:expert-01", "person:expert-08"], taken("2027-01-03", "2027-01-04"))
    window = [{"first": "2027-01-03", "last": "2027-01-04"}]
    slots = slots_of(problem(busy=busy, windows=window, themes=["national-referral-mechanism"]))
    assert slots["tour-shelter"].starts >= slots["briefing-national-referral-mechanism"].ends
    assert slots["tour-shelter"].starts >= hour(4, 8)


def test_who_may_have_one_session_a_day_does_not_welcome_and_close_on_the_same():
    asked = Problem(limited(1), needs(days=1, sites=[]), {}, NOW, 20)
    slots = slots_of(asked)
    assert slots["welcome"].assignments != slots["closing"].assignments


def test_sessions_of_other_visits_count_for_the_daily_limit():
    others = {
        f"person:{one.code}": (Booked(hour(day, 14), hour(day, 14, 30), "hall"),)
        for one in CENTRE.in_role("host")
        for day in (3,)
    }
    window = [{"first": "2027-01-03", "last": "2027-01-03"}]
    asked = Problem(limited(1), needs(days=1, sites=[], windows=window), others, NOW, 20)
    outcome = solve(asked)
    assert isinstance(outcome, Infeasible)
    assert outcome.reasons[0].en == "No host of a fitting rank is free for: Welcome of the delegation."


def test_an_absent_host_receives_nobody():
    busy = {"person:host-02": taken("2027-01-10", "2027-01-13")}
    window = [{"first": "2027-01-10", "last": "2027-01-12"}]
    outcome = solve(problem(busy=busy, head_rank="minister", windows=window))
    assert isinstance(outcome, Infeasible)
    assert "No host of a fitting rank is free" in outcome.reasons[0].en


def test_a_day_off_is_respected():
    thursday = [{"first": "2027-01-07", "last": "2027-01-07"}]
    busy = {"person:expert-08": taken(*WEEK)}
    outcome = solve(problem(busy=busy, days=1, themes=["prosecution"], sites=[], windows=thursday))
    assert isinstance(outcome, Infeasible)
    assert outcome.reasons[0].en == "No expert is free for: Investigation and prosecution."


def test_a_quarter_of_an_hour_is_left_to_change_the_room():
    busy = dict.fromkeys(["venue:meeting-room-2", "venue:training-room", "venue:hall"], taken(*WEEK))
    busy["venue:meeting-room-1"] = (Interval(hour(3, 8, 30), hour(8, 0)),)
    busy["venue:majlis"] = (Interval(hour(3, 0), hour(3, 8, 30)),)
    window = [{"first": "2027-01-03", "last": "2027-01-03"}]
    slots = slots_of(problem(busy=busy, days=1, sites=[], themes=["data-and-research"], windows=window))
    assert slots["welcome"].place.code == "meeting-room-1"
    assert slots["welcome"].ends == hour(3, 8, 30)
    assert slots["briefing-data-and-research"].starts == hour(3, 8, 45)
    assert slots["closing"].starts == slots["briefing-data-and-research"].ends


def test_every_day_begins_when_the_centre_opens_and_is_compact():
    slots = list(slots_of(problem(days=3)).values())
    assert {slot.starts for slot in slots} >= {hour(3, 8), hour(4, 8)}
    assert max(slot.ends for slot in slots) <= hour(5, 11)


@pytest.mark.parametrize("last", ["data-and-research", "public-awareness", "working-with-interpreters"])
def test_the_themes_named_first_come_first(last: str):
    themes = [
        "data-and-research",
        "public-awareness",
        "working-with-interpreters",
        "international-cooperation",
    ]
    themes.remove(last)
    slots = slots_of(problem(sites=[], themes=[*themes, last]))
    days = [slots[f"briefing-{theme}"].starts.date() for theme in (*themes, last)]
    assert days == sorted(days)


@pytest.mark.parametrize(
    ("guest", "hosts"),
    [("officer", {"host-05", "host-06"}), ("director_general", {"host-04"}), ("ambassador", {"host-03"})],
)
def test_the_host_nearest_in_rank_receives_even_with_a_little_more_to_do(guest: str, hosts: set[str]):
    load = tuple(Interval(hour(day, 9), hour(day, 10)) for day in (17, 18, 19, 20))
    slots = slots_of(problem(head_rank=guest, busy={f"person:{host}": load for host in hosts}))
    assert {slots[key].assignments[0].person for key in ("welcome", "closing")} <= hosts


@pytest.mark.parametrize(("size", "room"), [(6, "meeting-room-1"), (11, "majlis"), (14, "meeting-room-2")])
def test_the_smallest_room_that_does_is_taken(size: int, room: str):
    slots = slots_of(problem(size=size, sites=[]))
    assert {slot.place.code for slot in slots.values()} == {room}
