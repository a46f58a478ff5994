"""Solved programmes, each checked by a verifier that shares no code with the model."""

import json
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.visits import Needs
from services.scheduling.calendar import Interval
from services.scheduling.explain import solve
from services.scheduling.problem import Infeasible, Problem, Solution
from tests.unit.scheduling.factories import CENTRE, EXAMPLE, NOW, needs, problem, taken
from tests.unit.scheduling.verifier import complaints

THEMES = [theme.code for theme in CENTRE.themes]
SITES = [venue.code for venue in CENTRE.venues if venue.site]
RESOURCES = [f"person:{one.code}" for one in CENTRE.people] + [f"venue:{one.code}" for one in CENTRE.venues]


def programme(asked: Problem) -> Solution:
    outcome = solve(asked)
    assert isinstance(outcome, Solution), outcome
    assert complaints(CENTRE, asked.needs, outcome.slots, asked.busy, asked.now) == []
    return outcome


def infeasible(asked: Problem) -> Infeasible:
    outcome = solve(asked)
    assert isinstance(outcome, Infeasible), outcome
    return outcome


def english(outcome: Infeasible) -> str:
    return " | ".join(reason.en for reason in outcome.reasons)


quarter = st.integers(0, 40 * 96).map(
    lambda number: datetime(2027, 1, 1, tzinfo=UTC) + timedelta(minutes=15 * number)
)
bookings = st.builds(
    lambda start, length: Interval(start, start + timedelta(minutes=15 * length)), quarter, st.integers(1, 96)
)


@st.composite
def wishes(draw: st.DrawFn) -> Needs:
    first = datetime(2027, 1, 1, tzinfo=UTC).date() + timedelta(days=draw(st.integers(0, 60)))
    days, seldom = draw(st.integers(1, 4)), st.integers(0, 9).map(lambda number: number == 0)
    return needs(
        kind=draw(st.sampled_from(["courtesy", "study", "expert", "training"])),
        themes=draw(st.lists(st.sampled_from(THEMES), max_size=2 * days, unique=True)),
        sites=draw(st.lists(st.sampled_from(SITES), max_size=2, unique=True)),
        windows=[{"first": first, "last": first + timedelta(days=draw(st.integers(2, 16)))}],
        blackout_dates=draw(st.lists(st.just(first + timedelta(days=2)), max_size=1)),
        days=days,
        size=draw(st.sampled_from([3, 6, 8])),
        head_rank=draw(st.sampled_from(["minister", "ambassador", "director", "officer"])),
        languages=draw(st.lists(st.sampled_from(["ar", "en", "fr"]), min_size=1, max_size=2, unique=True)),
        access_needs=["step-free"] if draw(seldom) else [],
        media=draw(seldom),
        confidentiality_signed=not draw(seldom),
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    wishes(),
    st.dictionaries(st.sampled_from(RESOURCES), st.lists(bookings, max_size=4).map(tuple), max_size=12),
)
def test_every_programme_keeps_every_rule(asked: Needs, busy: dict[str, tuple[Interval, ...]]):
    outcome = solve(Problem(CENTRE, asked, busy, NOW, 2))
    if isinstance(outcome, Solution):
        assert complaints(CENTRE, asked, outcome.slots, busy, NOW) == []
    else:
        assert outcome.reasons
        assert len(outcome.alternatives) <= 3


@pytest.mark.parametrize("language", ["ar", "en", "fr"])
def test_a_study_visit_of_three_days_gets_its_programme(language: str):
    found = programme(problem(days=3, languages=[language], themes=THEMES[:5], head_rank="ambassador"))
    assert found.themes == tuple(THEMES[:5])
    assert len(found.slots) == 8


def test_the_same_problem_has_the_same_answer():
    assert programme(problem()) == programme(problem())


def test_problem_and_answers_travel_to_another_process():
    for value in (problem(), programme(problem()), infeasible(problem(size=50))):
        assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301 -- its own bytes


def test_the_first_window_is_preferred_and_the_second_taken_when_the_first_is_closed():
    windows = [{"first": "2027-01-17", "last": "2027-01-19"}, {"first": "2027-01-03", "last": "2027-01-05"}]
    assert programme(problem(windows=windows)).days[0].day == 17
    shut = {"venue:shelter": taken("2027-01-17", "2027-01-20")}
    assert programme(problem(windows=windows, busy=shut)).days[0].day == 3


def test_a_minister_is_received_by_the_highest_rank_that_the_centre_has():
    host = programme(problem(head_rank="minister")).slots[0].assignments[0].person
    assert host in {"host-01", "host-02"}


def test_the_highest_hosts_are_spared_for_guests_of_lower_rank():
    host = programme(problem(head_rank="director")).slots[0].assignments[0].person
    assert host in {"host-05", "host-06"}


def test_whoever_has_fewer_sessions_is_preferred():
    far = datetime(2027, 2, 1, 5, tzinfo=UTC)
    load = tuple(Interval(far + timedelta(days=n), far + timedelta(days=n, minutes=60)) for n in range(8))
    for busy_host, free_host in (("host-05", "host-06"), ("host-06", "host-05")):
        found = programme(problem(busy={f"person:{busy_host}": load}))
        assert {found.slots[0].assignments[0].person, found.slots[-1].assignments[0].person} == {free_host}


def test_a_half_day_courtesy_visit_treats_the_themes_that_fit():
    found = programme(problem(kind="courtesy", days=1, sites=[], themes=THEMES[:4]))
    assert found.themes == (THEMES[0],)
    assert [slot.kind for slot in found.slots] == ["welcome", "briefing", "closing"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"size": 50}, "The delegation has 50 members; the largest room seats 40."),
        ({"size": 49}, "Shelter: admits 8 visitors at a time, in 6 groups at most; the delegation has 49."),
        ({"media": True}, "Shelter: media are not admitted."),
        ({"confidentiality_signed": False}, "Shelter: the confidentiality agreement has to be signed first."),
        ({"themes": []}, "Shelter: is shown only after a briefing, and no theme was asked for."),
        ({"themes": ["alchemy"]}, "The Centre does not offer the theme alchemy."),
        ({"sites": ["moon"]}, "There is no site moon to tour."),
        ({"languages": ["de"]}, "no interpreter works to and from the delegation's language (de)"),
        ({"windows": [{"first": "2027-03-10", "last": "2027-03-13"}]}, "to 2027-03-13: Eid al-Fitr"),
        ({"windows": [{"first": "2026-11-01", "last": "2026-11-19"}]}, "days that are past"),
        (
            {"sites": ["hotline-centre"], "windows": [{"first": "2027-01-17", "last": "2027-01-18"}]},
            "The site is closed or taken: Tour: Call centre of the 995 hotline.",
        ),
        ({"days": 1, "themes": THEMES[:6]}, "(9) are more than the working days asked for (1)"),
    ],
)  # fmt: skip
def test_an_infeasible_request_is_told_why_in_both_languages(changes: dict[str, Any], reason: str):
    outcome = infeasible(problem(**changes))
    assert reason in english(outcome)
    assert all(any("\u0600" <= letter <= "\u06ff" for letter in told.ar) for told in outcome.reasons)


@pytest.mark.parametrize(
    ("busy", "reason"),
    [
        (["person:expert-01", "person:expert-08"], "No expert is free for: The national referral mechanism."),
        (["venue:shelter"], "The site is closed or taken: Tour: Shelter."),
        (
            ["person:expert-03", "person:escort-01", "person:escort-03"],
            "No escort is free for: Tour: Shelter.",
        ),
    ],
)
def test_what_other_visits_took_is_named(busy: list[str], reason: str):
    outcome = infeasible(problem(busy=dict.fromkeys(busy, taken("2027-01-03", "2027-01-08"))))
    assert outcome.reasons[0].en == reason


def test_busy_interpreters_are_named():
    away = [f"person:{one.code}" for one in CENTRE.in_role("interpreter")]
    busy = dict.fromkeys(away, taken("2027-01-03", "2027-01-08"))
    outcome = infeasible(problem(busy=busy, languages=["fr"], head_rank="officer"))
    assert "No interpreter who could help is free for: The national referral mechanism." in english(outcome)


def test_later_alternatives_are_feasible_when_asked_for():
    busy = {"venue:shelter": taken("2027-01-03", "2027-01-08")}
    outcome = infeasible(problem(busy=busy))
    assert 1 <= len(outcome.alternatives) <= 3
    for offer in outcome.alternatives:
        asked = problem(busy=busy, windows=[offer.window], themes=offer.themes)
        assert programme(asked).days[0] == offer.first_day


def test_an_alternative_with_fewer_themes_is_feasible_in_the_window_asked_for():
    outcome = infeasible(problem(days=1, themes=THEMES[:6]))
    offer = outcome.alternatives[-1]
    assert set(offer.themes) < set(THEMES[:6])
    assert programme(problem(days=1, windows=[offer.window], themes=offer.themes)).themes == offer.themes


def test_an_alternative_leaves_out_the_site_that_can_never_be_had():
    outcome = infeasible(problem(media=True))
    assert "without: shelter" in outcome.alternatives[0].note.en
    assert "دون: shelter" in outcome.alternatives[0].note.ar


def test_a_delegation_that_no_room_holds_is_offered_nothing():
    assert infeasible(problem(size=50)).alternatives == ()


def test_what_is_too_much_for_its_days_is_offered_the_nearest_longer_stay():
    outcome = infeasible(problem(days=1, themes=THEMES[:5]))
    offer = outcome.alternatives[0]
    assert "takes 2 working days instead of 1" in offer.note.en
    assert "وعدد أيام العمل 2 بدلا من 1" in offer.note.ar
    assert offer.themes == tuple(THEMES[:5])
    taken_up = programme(problem(days=2, windows=[offer.window], themes=offer.themes))
    assert (taken_up.days[0], taken_up.days[-1]) == (offer.window.first, offer.window.last)


def test_what_fits_on_later_days_is_not_offered_a_longer_stay():
    outcome = infeasible(problem(busy={"venue:shelter": taken("2027-01-03", "2027-01-08")}))
    assert all("working days" not in offer.note.en for offer in outcome.alternatives)


def test_the_example_that_is_too_much_for_one_day_is_offered_something():
    example = EXAMPLE.parent / "requests" / "13-waitlisted-too-much-for-one-day.json"
    request = json.loads(example.read_text("utf-8"))["request"]
    asked = {key: request[key] for key in ("kind", "themes", "days", "size", "languages")}
    ((first, last),) = json.loads(example.read_text("utf-8"))["windows_from_today"]
    window = {"first": NOW.date() + timedelta(days=first), "last": NOW.date() + timedelta(days=last)}
    outcome = infeasible(problem(**asked, sites=[], head_rank="ambassador", windows=[window], seconds=5))
    assert len(outcome.reasons) == 1
    assert "(8) are more than the working days asked for (1)" in outcome.reasons[0].en
    kept, shortened = outcome.alternatives
    assert "takes 2 working days instead of 1" in kept.note.en
    assert kept.themes == tuple(request["themes"])
    assert shortened.themes == tuple(request["themes"][: len(shortened.themes)])


def test_no_stay_is_offered_that_is_longer_than_a_request_may_ask_for():
    asked = problem(
        days=10, themes=[], sites=["moon"], windows=[{"first": "2027-01-03", "last": "2027-01-04"}]
    )
    assert all("working days" not in offer.note.en for offer in infeasible(asked).alternatives)
