"""Outlines, groups of a split delegation, and what a session needs by its item."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from schemas.terms import Bilingual, DateWindow
from services.scheduling.calendar import prayers
from services.scheduling.catalogue import Item
from services.scheduling.centre import Centre, Venue
from services.scheduling.centre_file import load_centre
from services.scheduling.domain import groups_of
from services.scheduling.explain import solve
from services.scheduling.problem import Infeasible, Problem, Solution
from services.scheduling.sessions import sessions_wanted
from tests.unit.scheduling.factories import CENTRE, EXAMPLE, needs, problem

TITLE = Bilingual(ar="{}", en="{}")
LUNCH = Item.model_validate(
    {
        "code": "lunch", "kind": "lunch", "each": "day", "minutes": 60, "roles": ["host"],
        "venues": ["dining"],
        "hours": {"start": "12:00", "end": "13:00"}, "title": {"ar": "غداء", "en": "Lunch"},
    }
)  # fmt: skip
WORKSHOP = Item(code="workshop", kind="workshop", each="theme", minutes=120, roles=("expert",), title=TITLE)
DINING = Venue.model_validate(
    {
        "code": "dining-room", "kind": "dining", "capacity": 40,
        "name": {"ar": "غرفة الطعام", "en": "Dining room"}, "address": {"ar": "هنا", "en": "here"},
    }
)  # fmt: skip
DAYS = (date(2027, 1, 3), date(2027, 1, 4))
RAMADAN = (date(2027, 2, 14), date(2027, 2, 15))


def with_items(*items: Item, study: tuple[str, ...]) -> Centre:
    return CENTRE.model_copy(
        update={
            "catalogue": (*CENTRE.catalogue, *items),
            "outlines": {**CENTRE.outlines, "study": study},
            "venues": (*CENTRE.venues, DINING),
        }
    )


def at(centre: Centre, **changes: Any) -> Problem:
    return replace(problem(**changes), centre=centre)


def programme(asked: Problem) -> Solution:
    outcome = solve(asked)
    assert isinstance(outcome, Solution), outcome
    return outcome


def test_lunch_is_held_every_day_in_its_hours_through_the_break():
    centre = with_items(LUNCH, study=("welcome", "briefing", "lunch", "closing"))
    found = programme(at(centre, sites=[], days=2))
    lunches = [slot for slot in found.slots if slot.kind == "lunch"]
    zone = centre.zone
    assert [slot.key for slot in lunches] == ["lunch-1", "lunch-2"]
    assert [slot.starts.astimezone(zone).strftime("%d %H:%M") for slot in lunches] == ["03 12:00", "04 12:00"]
    assert {slot.place.code for slot in lunches} == {"dining-room"}


def test_lunch_waits_for_the_prayer_whose_time_is_computed():
    centre = load_centre(EXAMPLE)
    asked = at(
        centre, sites=[], days=1, themes=["public-awareness"], windows=[{"first": DAYS[0], "last": DAYS[0]}]
    )
    lunch = next(slot for slot in programme(asked).slots if slot.kind == "lunch")
    (prayer,) = prayers(centre, DAYS[0])
    assert prayer.end > datetime(2027, 1, 3, 9, tzinfo=UTC), "it ends after noon on that day"
    assert lunch.starts >= prayer.end


def test_nobody_is_given_lunch_in_ramadan():
    centre = with_items(LUNCH, study=("welcome", "lunch", "closing"))
    assert [one.key for one in sessions_wanted(needs(), centre, RAMADAN)] == ["welcome", "closing"]


def test_the_outline_of_the_kind_of_visit_says_what_it_consists_of():
    centre = with_items(WORKSHOP, study=("welcome", "workshop", "closing"))
    keys = [one.key for one in sessions_wanted(needs(themes=["prosecution"]), centre, DAYS)]
    assert keys == ["welcome", "workshop-prosecution", "closing"]
    training = [one.key for one in sessions_wanted(needs(kind="training"), centre, DAYS)]
    assert "briefing-victim-identification" in training


def test_an_items_own_minutes_win_over_the_themes():
    centre = with_items(WORKSHOP, study=("workshop",))
    (workshop,) = sessions_wanted(needs(themes=["prosecution"]), centre, DAYS)
    assert (workshop.minutes, workshop.title.en) == (120, "Investigation and prosecution")


@pytest.mark.parametrize(
    ("size", "sites", "groups"),
    [
        (8, ["shelter"], (8,)),
        (9, ["shelter"], (5, 4)),
        (20, ["shelter", "expat-protection-centre"], (7, 7, 6)),
        (20, ["expat-protection-centre"], (20,)),
        (49, ["shelter"], (49,)),
    ],
)
def test_a_delegation_is_split_into_as_few_groups_as_its_sites_allow(size, sites, groups):
    assert groups_of(needs(size=size, sites=sites), CENTRE) == groups


def test_every_group_tours_the_site_that_does_not_take_all_at_once():
    found = programme(problem(days=3, size=20, sites=["shelter", "expat-protection-centre"]))
    tours = {slot.key: slot for slot in found.slots if slot.kind == "tour"}
    assert set(tours) == {
        "tour-expat-protection-centre",
        *(f"tour-shelter-group-{number}" for number in (1, 2, 3)),
    }
    groups = [tours[f"tour-shelter-group-{number}"] for number in (1, 2, 3)]
    assert [(one.group, one.group_size) for one in groups] == [(1, 7), (2, 7), (3, 6)]
    assert len({one.starts.date() for one in groups}) == 1, "nobody waits a day for the others"
    assert tours["tour-expat-protection-centre"].group is None


def test_groups_are_at_two_sites_at_one_time_with_escorts_of_their_own():
    found = programme(
        problem(
            days=1,
            size=16,
            themes=["public-awareness"],
            sites=["hotline-centre", "referral-control-room"],
        )
    )
    tours = [slot for slot in found.slots if slot.kind == "tour"]
    assert len(tours) == 4
    pairs = [
        (one, other)
        for one in tours
        for other in tours
        if one.key < other.key and one.starts < other.ends and other.starts < one.ends
    ]
    assert pairs
    for one, other in pairs:
        assert one.group != other.group
        assert not {each.person for each in one.assignments} & {each.person for each in other.assignments}


def test_who_is_host_and_expert_does_not_have_both_parts_in_one_session():
    pair = Item(
        code="pair", kind="bilateral", each="theme", minutes=60, roles=("host", "expert"), title=TITLE
    )
    away = DateWindow(first=date(2027, 1, 1), last=date(2027, 1, 31))
    people = (
        one if one.code == "host-04" else one.model_copy(update={"absences": (away,)})
        for one in CENTRE.people
    )
    alone = with_items(pair, study=("pair",)).model_copy(update={"people": tuple(people)})
    asked = at(
        alone, days=1, themes=["legal-framework"], sites=[], windows=[{"first": DAYS[0], "last": DAYS[1]}]
    )
    assert isinstance(solve(asked), Infeasible)
    helped = alone.model_copy(
        update={
            "people": tuple(
                one.model_copy(update={"absences": ()}) if one.code == "host-03" else one
                for one in alone.people
            )
        }
    )
    (slot,) = programme(replace(asked, centre=helped)).slots
    assert [one.person for one in slot.assignments] == ["host-03", "host-04"]


def test_what_would_take_too_many_groups_is_told():
    outcome = solve(problem(size=40, sites=["shelter"], access_needs=["hearing-loop"]))
    assert isinstance(outcome, Infeasible)
    assert "Shelter: does not offer: hearing-loop." in {reason.en for reason in outcome.reasons}


def test_the_reason_of_a_time_is_true():
    found = programme(problem(days=3))
    firsts = {slot.starts.date(): slot for slot in reversed(found.slots)}
    tour = firsts[date(2027, 1, 5)]
    assert (tour.key, tour.starts.hour) == ("tour-shelter", 6), (
        "it opens to visitors an hour after the Centre"
    )
    assert tour.why[0].en == "The earliest on that day that place and people are free."
    assert firsts[date(2027, 1, 4)].why[0].en == "When the working day begins."
    closing = found.slots[-1]
    assert closing.why[0].en == "Of the times that are free on that day, as suits the other sessions."


def test_every_choice_has_its_reason_in_both_languages():
    for slot in programme(problem(languages=["fr"])).slots:
        assert len(slot.why) >= 2 + bool(slot.assignments)
        for why in slot.why:
            assert any("\u0600" <= letter <= "\u06ff" for letter in why.ar)
            assert why.en.endswith(".")
