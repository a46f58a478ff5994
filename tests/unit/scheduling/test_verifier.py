"""The verifier itself finds what is wrong: each rule is broken once."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from benchmarks.programmes.verifier import FACTS, complaints
from benchmarks.programmes.verifier.facts import YEARS
from benchmarks.programmes.verifier.sun import TOLERANCE, begins
from schemas.scheduling import Assignment, Place, Slot
from services.scheduling.calendar import Booked, Interval
from services.scheduling.centre import Centre, Position, Prayer
from services.scheduling.centre_file import load_centre
from services.scheduling.explain import solve
from services.scheduling.prayer import prayer_time
from services.scheduling.problem import Problem, Solution, Wish
from tests.unit.scheduling.factories import EXAMPLE, problem, taken

RICH: Centre = load_centre(EXAMPLE)
Breaking = Callable[[Slot], dict[str, object]]


def solved(**changes: Any) -> tuple[Problem, tuple[Slot, ...]]:
    """A problem of the example's Centre, where there are ways, lunches and prayers, and its programme."""
    asked = replace(problem(**changes), centre=RICH)
    outcome = solve(asked)
    assert isinstance(outcome, Solution), outcome
    assert complaints(asked, outcome.slots) == []
    return asked, outcome.slots


ASKED, FOUND = solved()
SLOTS = {slot.key: slot for slot in FOUND}
SPLIT, IN_GROUPS = solved(size=14, days=3)
FRENCH, INTERPRETED = solved(languages=["fr"], themes=["prosecution", "labour-inspection"])


def told(asked: Problem, slots: tuple[Slot, ...]) -> str:
    return " | ".join(complaints(asked, slots))


def with_(slots: tuple[Slot, ...], key: str, **changes: object) -> tuple[Slot, ...]:
    return tuple(slot.model_copy(update=changes) if slot.key == key else slot for slot in slots)


def led_by(person: str, role: str) -> Breaking:
    return lambda _slot: {"assignments": (Assignment.model_validate({"person": person, "role": role}),)}


def moved(**by: float) -> Breaking:
    return lambda slot: {"starts": slot.starts + timedelta(**by), "ends": slot.ends + timedelta(**by)}


def at(day: int, hour: int, minute: int = 0) -> Breaking:
    """A start in January 2027, local time."""
    start = datetime(2027, 1, day, hour, minute, tzinfo=RICH.zone).astimezone(UTC)
    return lambda slot: {"starts": start, "ends": start + (slot.ends - slot.starts)}


def in_(code: str) -> Breaking:
    return lambda slot: {"place": Place(code=code, name=slot.place.name, address=slot.place.address)}


@pytest.mark.parametrize(
    ("key", "breaking", "complaint"),
    [
        ("welcome", moved(days=-2), "closed day"),
        ("welcome", moved(hours=-1), "outside working hours"),
        ("closing", moved(minutes=5), "off the grid"),
        ("welcome", at(3, 11, 45), "in a break (dhuhr)"),
        ("welcome", at(3, 12, 15), "in a break (Lunch)"),
        ("lunch-1", at(3, 11, 30), "in a break (dhuhr)"),
        ("lunch-1", at(3, 13, 0), "outside its own hours"),
        ("lunch-1", at(4, 12, 15), "is on another day"),
        ("lunch-1", in_("hall"), "wrong kind"),
        ("welcome", moved(days=1), "not in the order of time"),
        ("welcome", at(4, 8), "welcome is not first"),
        ("closing", at(3, 8), "closing is not last"),
        ("closing", moved(days=7), "outside the windows"),
        ("welcome", moved(days=-60), "begins in the past"),
        ("tour-shelter", moved(days=-9), "before any briefing"),
        ("tour-shelter", at(4, 12, 30), "blackout hours"),
        ("tour-shelter", in_("hotline-centre"), "somewhere else"),
        ("welcome", in_("shelter"), "wrong kind"),
        ("welcome", lambda slot: {"ends": slot.ends + timedelta(minutes=15)}, "wrong length"),
        ("welcome", lambda _slot: {"assignments": ()}, "wrong roles"),
        ("welcome", led_by("host-01", "expert"), "is no expert"),
        ("briefing-victim-identification", led_by("expert-04", "expert"), "does not know"),
        ("tour-shelter", led_by("escort-02", "escort"), "is not cleared"),
        ("tour-shelter", led_by("escort-02", "escort"), "wrong gender"),
        ("welcome", led_by("expert-05", "host"), "is no host"),
        ("welcome", led_by("nobody", "host"), "does not have"),
    ],
)
def test_a_broken_rule_is_found(key: str, breaking: Breaking, complaint: str):
    assert complaint in told(ASKED, with_(FOUND, key, **breaking(SLOTS[key])))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"size": 50}, "do not fit"),
        ({"size": 9}, "admits 8 and not 9"),
        ({"media": True}, "admits no media"),
        ({"confidentiality_signed": False}, "confidentiality is not signed"),
        ({"access_needs": ("hearing-loop",)}, "does not offer hearing-loop"),
        ({"head_rank": "minister"}, "too low in rank"),
        ({"languages": ("de",)}, "0 interpreters instead of 1"),
        ({"days": 3}, "2 working days instead of 3"),
        ({"themes": ()}, "not asked for: briefing-"),
        ({"sites": ()}, "not asked for: tour-shelter"),
        ({"themes": (*ASKED.needs.themes, "prosecution")}, "missing: briefing-prosecution"),
        ({"blackout_dates": (date(2027, 1, 4),)}, "over a blackout date"),
        ({"arrives": datetime(2027, 1, 3, 4, 0, tzinfo=UTC)}, "too soon after the arrival"),
        ({"leaves": datetime(2027, 1, 4, 12, 0, tzinfo=UTC)}, "too short before the departure"),
    ],
)
def test_a_programme_for_other_needs_is_found(changes: dict[str, Any], complaint: str):
    other = type(ASKED.needs).model_validate(ASKED.needs.model_dump() | changes)
    assert complaint in told(replace(ASKED, needs=other), FOUND)


def test_a_taken_resource_is_found():
    room, host = SLOTS["welcome"].place.code, SLOTS["welcome"].assignments[0].person
    for resource, complaint in (
        (f"venue:{room}", "at one time"),
        (f"person:{host}", "at one time"),
        ("centre", "the Centre is closed during welcome"),
    ):
        busy = {resource: taken("2027-01-03", "2027-01-04")}
        assert complaint in told(replace(ASKED, busy=busy), FOUND)


def test_a_way_too_short_is_found():
    tour = SLOTS["tour-shelter"]
    escort = tour.assignments[0].person
    until = Booked(tour.starts - timedelta(hours=1), tour.starts - timedelta(minutes=20), "hall")
    asked = replace(ASKED, busy={f"person:{escort}": (until,)})
    assert f"person:{escort} has no time for the way" in told(asked, FOUND)
    same_house = Booked(until.start, until.end, "shelter")
    assert told(replace(ASKED, busy={f"person:{escort}": (same_house,)}), FOUND) == ""
    before = max((slot for slot in FOUND if slot.ends <= tour.starts), key=lambda slot: slot.ends)
    close = {"starts": before.ends + timedelta(minutes=15), "ends": before.ends + timedelta(minutes=75)}
    assert "the delegation's group 1 has no time for the way" in told(
        ASKED, with_(FOUND, "tour-shelter", **close)
    )


def test_too_many_sessions_on_a_day_are_found():
    host = SLOTS["welcome"].assignments[0].person
    early = datetime(2027, 1, 3, 1, tzinfo=UTC)
    spans = tuple(Interval(early, early + timedelta(minutes=15)) for _ in range(9))
    assert told(replace(ASKED, busy={f"person:{host}": spans}), FOUND) == "", "blocks are no sessions"
    booked = tuple(Booked(span.start, span.end, "hall") for span in spans)
    assert f"{host} has 11 sessions" in told(replace(ASKED, busy={f"person:{host}": booked}), FOUND)


def test_groups_that_do_not_make_the_delegation_are_found():
    assert {slot.group for slot in IN_GROUPS} == {None, 1, 2}
    wrong = with_(IN_GROUPS, "tour-shelter-group-2", group_size=5)
    assert "the groups make 12 of 14 guests" in told(SPLIT, wrong)
    fewer = tuple(slot for slot in IN_GROUPS if slot.group != 2)
    assert "the groups make 7 of 14 guests" in told(SPLIT, fewer)
    first = next(slot for slot in IN_GROUPS if slot.group == 1)
    together = with_(IN_GROUPS, "tour-shelter-group-2", starts=first.starts, ends=first.ends)
    assert "venue:shelter has" in told(SPLIT, together)


def test_an_interpreter_who_works_too_long_is_found():
    rules = RICH.interpreting.model_copy(update={"longest_spell": 30})
    tired = replace(FRENCH, centre=RICH.model_copy(update={"interpreting": rules}))
    assert "1 interpreters instead of 2" in told(tired, INTERPRETED)
    slot = next(slot for slot in INTERPRETED if any(one.role == "interpreter" for one in slot.assignments))
    code = next(one.person for one in slot.assignments if one.role == "interpreter")
    before = Booked(slot.starts - timedelta(minutes=75), slot.starts, slot.place.code)
    assert f"{code} interprets for" in told(replace(FRENCH, busy={f"person:{code}": (before,)}), INTERPRETED)


def test_an_interpreter_of_other_languages_is_found():
    slot = next(slot for slot in INTERPRETED if any(one.role == "interpreter" for one in slot.assignments))
    others = tuple(
        Assignment(person="interpreter-01", role="interpreter") if one.role == "interpreter" else one
        for one in slot.assignments
    )
    assert "interpreter-01 cannot interpret" in told(FRENCH, with_(INTERPRETED, slot.key, assignments=others))


def test_what_was_to_stay_and_is_another_is_found():
    held = with_(FOUND, "welcome", **in_("hall")(SLOTS["welcome"]))
    for asked in (
        replace(ASKED, held=held, pinned=frozenset({"welcome"})),
        replace(ASKED, held=held, now=SLOTS["welcome"].starts),
    ):
        assert "welcome has begun or is pinned and is another now" in told(asked, FOUND)
    assert told(replace(ASKED, held=FOUND, pinned=frozenset({"welcome"})), FOUND) == ""


@pytest.mark.parametrize(
    "wish",
    [
        Wish("welcome", starts=datetime(2027, 1, 3, 11, tzinfo=UTC)),
        Wish("welcome", venue="hall"),
        Wish("welcome", person="host-01"),
        Wish("briefing-prosecution", venue="hall"),
    ],
)
def test_a_wish_that_is_not_fulfilled_is_found(wish: Wish):
    assert f"the wish for {wish.key} is not fulfilled" in told(replace(ASKED, wishes=(wish,)), FOUND)


@pytest.mark.parametrize("prayer", ["dhuhr", "asr"])
def test_two_ways_of_computing_a_prayer_agree_within_two_minutes(prayer: Prayer):
    for latitude, longitude in ((26.2, 50.5), (48.9, 2.3), (40.7, -74.0), (-33.9, 18.4)):
        place = Position(latitude=latitude, longitude=longitude)
        for number in range(0, 730, 3):
            day = date(2027, 1, 1) + timedelta(number)
            apart = begins(prayer, place, day) - prayer_time(prayer, place, day)
            assert abs(apart) <= TOLERANCE, (place, day)


def test_the_feasts_are_where_an_arithmetic_calendar_puts_them_give_or_take_a_day():
    firsts = {"eid-al-fitr": (10, 1), "eid-al-adha": (12, 10), "ashura": (1, 9), "islamic-new-year": (1, 1)}
    for name, (month, day_of_month) in firsts.items():
        days = sorted(day for day, feast in FACTS.holidays.items() if feast == name)
        starts = [day for day in days if day - timedelta(1) not in days]
        expected = [
            found
            for year in range(1446, 1458)
            if (found := arithmetic(year, month, day_of_month)).year in YEARS
        ]
        assert len(starts) == len(expected), name
        assert all(abs((one - other).days) <= 1 for one, other in zip(starts, expected, strict=True)), name


def arithmetic(year: int, month: int, day: int) -> date:
    """A date of the arithmetic Islamic calendar: 11 leap years in 30, months of 30 and 29 days in turn."""
    days = (year - 1) * 354 + (3 + 11 * year) // 30 + 29 * (month - 1) + month // 2 + day - 1
    return date(622, 7, 19) + timedelta(days)
