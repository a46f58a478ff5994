"""Programmes that are changed as little as possible."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.scheduling import Slot
from services.scheduling.explain import solve
from services.scheduling.problem import Infeasible, Problem, Solution, Wish
from services.scheduling.solver import changes
from tests.unit.scheduling.factories import CENTRE, problem, taken

THEMES = [theme.code for theme in CENTRE.themes][:5]
ASKED = problem(days=3, themes=THEMES)


def programme(asked: Problem) -> Solution:
    outcome = solve(asked)
    assert isinstance(outcome, Solution), outcome
    return outcome


HELD = programme(ASKED)
SLOTS = {slot.key: slot for slot in HELD.slots}


def replanned(**changes_: Any) -> tuple[Problem, dict[str, Slot]]:
    asked = replace(ASKED, held=HELD.slots, **changes_)
    return asked, {slot.key: slot for slot in programme(asked).slots}


def same(one: Slot, other: Slot) -> bool:
    return one.model_copy(update={"why": ()}) == other.model_copy(update={"why": ()})


def test_nothing_changes_when_nothing_happened():
    asked, slots = replanned()
    assert changes(asked, programme(asked)) == 0
    assert all(same(slots[key], slot) for key, slot in SLOTS.items())


def test_an_ill_expert_changes_the_expert_and_nothing_else():
    briefing = next(slot for slot in HELD.slots if slot.key == "briefing-victim-identification")
    ill = briefing.assignments[0].person
    asked, slots = replanned(busy={f"person:{ill}": taken("2027-01-03", "2027-01-08")})
    theirs = [slot for slot in HELD.slots if ill in {one.person for one in slot.assignments}]
    assert changes(asked, programme(asked)) == len(theirs)
    for slot in theirs:
        assert slots[slot.key].starts == slot.starts


def test_a_closed_site_moves_its_tour_alone():
    _, slots = replanned(busy={"venue:shelter": taken("2027-01-05", "2027-01-06")})
    assert SLOTS["tour-shelter"].starts >= datetime(2027, 1, 4, 21, tzinfo=UTC), (
        "it was on the day now closed"
    )
    moved = [key for key, slot in SLOTS.items() if not same(slots[key], slot)]
    assert moved == ["tour-shelter"]


def test_what_is_pinned_stays_whatever_it_costs():
    busy = {"venue:shelter": taken("2027-01-05", "2027-01-06")}
    pinned = frozenset({"briefing-labour-inspection", "closing", "welcome"})
    _, slots = replanned(busy=busy, pinned=pinned)
    assert all(same(slots[key], SLOTS[key]) for key in pinned)


def test_a_pin_that_cannot_be_kept_is_named():
    outcome = solve(
        replace(
            ASKED,
            held=HELD.slots,
            pinned=frozenset({"tour-shelter"}),
            busy={"venue:shelter": taken("2027-01-05", "2027-01-06")},
        )
    )
    assert isinstance(outcome, Infeasible)
    told = " ".join(reason.en for reason in outcome.reasons)
    assert "“Tour: Shelter” is pinned" in told
    assert "Shelter is out of use" in told


def test_what_has_begun_stays_even_when_its_people_are_ill():
    now = HELD.slots[1].starts + timedelta(minutes=20)
    ill = HELD.slots[1].assignments[0].person
    _, slots = replanned(now=now, busy={f"person:{ill}": taken("2027-01-03", "2027-01-08")})
    for slot in HELD.slots[:2]:
        assert same(slots[slot.key], slot)
    for key, slot in SLOTS.items():
        if slot.starts > now:
            assert ill not in {one.person for one in slots[key].assignments}


def test_a_visit_under_way_goes_on_around_a_day_on_which_the_centre_is_closed():
    now = HELD.slots[1].starts
    _, slots = replanned(now=now, busy={"centre": taken("2027-01-04", "2027-01-05")})
    days = {slot.starts.astimezone(CENTRE.zone).day for slot in slots.values()}
    assert days == {3, 5, 6}


@pytest.mark.parametrize(
    ("wish", "what"),
    [
        (Wish("closing", person="host-03"), lambda slot: slot.assignments[0].person == "host-03"),
        (Wish("welcome", venue="hall"), lambda slot: slot.place.code == "hall"),
        (
            Wish("closing", starts=datetime(2027, 1, 5, 11, tzinfo=UTC)),
            lambda slot: slot.starts == datetime(2027, 1, 5, 11, tzinfo=UTC),
        ),
    ],
)
def test_what_an_officer_wants_is_done(wish: Wish, what):
    asked, slots = replanned(wishes=(wish,))
    assert what(slots[wish.key])
    assert changes(asked, programme(asked)) <= 2


@pytest.mark.parametrize(
    "wish",
    [
        Wish("welcome", starts=datetime(2027, 1, 3, 5, 7, tzinfo=UTC)),
        Wish("welcome", venue="shelter"),
        Wish("welcome", person="interpreter-01"),
        Wish("tour-shelter", starts=datetime(2027, 1, 3, 9, 0, tzinfo=UTC)),
    ],
    ids=["off the grid", "no room for it", "no host", "in the blackout hours"],
)
def test_what_cannot_be_is_told_and_why(wish: Wish):
    outcome = solve(replace(ASKED, held=HELD.slots, wishes=(wish,)))
    assert isinstance(outcome, Infeasible)
    assert "is wanted otherwise" in " ".join(reason.en for reason in outcome.reasons)


def test_an_interpreter_is_wanted_without_saying_instead_of_whom():
    asked = replace(ASKED, needs=ASKED.needs.model_copy(update={"languages": ("fr",)}))
    held = programme(asked).slots
    wish = Wish("briefing-labour-inspection", person="interpreter-02")
    again = programme(replace(asked, held=held, wishes=(wish,)))
    slot = next(slot for slot in again.slots if slot.key == wish.key)
    assert ("interpreter", "interpreter-02") in {(one.role, one.person) for one in slot.assignments}
    elsewhere = Wish("welcome", person="interpreter-02", instead_of=held[0].assignments[0].person)
    assert isinstance(solve(replace(asked, held=held, wishes=(elsewhere,))), Infeasible)


def test_a_late_flight_moves_the_beginning_and_keeps_the_rest():
    late = ASKED.needs.model_copy(update={"arrives": datetime(2027, 1, 3, 5, 30, tzinfo=UTC)})
    asked = replace(ASKED, needs=late, held=HELD.slots)
    after = programme(asked)
    assert min(slot.starts for slot in after.slots) >= datetime(2027, 1, 3, 7, tzinfo=UTC)
    slots = {slot.key: slot for slot in after.slots}
    kept = [key for key, slot in SLOTS.items() if slot.starts.day > 3 and same(slots[key], slot)]
    assert len(kept) >= sum(slot.starts.day > 3 for slot in HELD.slots) - 1


def test_what_has_begun_and_is_no_longer_wanted_takes_its_time_and_people_all_the_same():
    held = programme(problem(days=3, size=20, themes=THEMES[:3]))
    running = next(slot for slot in held.slots if slot.group == 1)
    fewer = problem(days=3, size=6, themes=THEMES[:3])
    asked = replace(fewer, held=held.slots, now=running.starts + timedelta(minutes=5))
    after = programme(asked)
    assert running in after.slots
    for slot in after.slots:
        if slot.key != running.key and slot.starts > asked.now:
            assert slot.starts >= running.ends


def test_a_wish_for_a_session_that_is_no_more_is_told():
    outcome = solve(replace(ASKED, held=HELD.slots, wishes=(Wish("briefing-alchemy", venue="hall"),)))
    assert isinstance(outcome, Infeasible)
    assert (
        outcome.reasons[0].en == "The session briefing-alchemy is no part of this visit's programme any more."
    )


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        (Wish("welcome", starts=datetime(2027, 1, 3, 5, 7, tzinfo=UTC)), "begin on a quarter of an hour"),
        (Wish("welcome", starts=datetime(2027, 1, 3, 1, 0, tzinfo=UTC)), "outside the working hours"),
        (Wish("welcome", venue="shelter"), "The venue wanted does not suit"),
        (Wish("welcome", person="escort-02"), "The person wanted cannot have this part"),
    ],
)
def test_a_refused_wish_says_what_is_wrong_with_it(wish: Wish, reason: str):
    outcome = solve(replace(ASKED, held=HELD.slots, wishes=(wish,)))
    assert isinstance(outcome, Infeasible)
    assert reason in outcome.reasons[0].en


def test_groups_that_are_under_way_at_one_time_stand_in_nobodys_way():
    sites = ["hotline-centre", "referral-control-room"]
    held = programme(problem(days=2, size=16, themes=["public-awareness"], sites=sites))
    tours = [slot for slot in held.slots if slot.group]
    one, other = next(
        (a, b) for a in tours for b in tours if a.group != b.group and a.starts <= b.starts < a.ends
    )
    fewer = problem(days=2, size=6, themes=["public-awareness"], sites=sites)
    after = programme(replace(fewer, held=held.slots, now=other.starts + timedelta(minutes=1)))
    assert {one.key, other.key} <= {slot.key for slot in after.slots}
