"""From a delegation's needs to sessions, candidates and days."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from schemas.terms import DateWindow, Rank
from services.scheduling.domain import hosts_for, suitable_rooms
from services.scheduling.runs import horizon, runs_of_days
from services.scheduling.sessions import sessions_wanted
from services.scheduling.solver import versions
from tests.unit.scheduling.factories import CENTRE, NOW, needs, problem

DAYS = (date(2027, 1, 3), date(2027, 1, 4))


def session(key: str, **changes: object):
    return next(one for one in sessions_wanted(needs(**changes), CENTRE, DAYS) if one.key == key)


def test_a_visit_has_a_welcome_a_briefing_a_theme_a_tour_a_site_and_a_closing():
    assert [one.key for one in sessions_wanted(needs(), CENTRE, DAYS)] == [
        "welcome",
        "briefing-national-referral-mechanism",
        "briefing-victim-identification",
        "tour-shelter",
        "closing",
    ]


def test_experts_brief_on_their_own_themes_only():
    assert session("briefing-victim-identification").parts[0].people == ("expert-01", "expert-02")


@pytest.mark.parametrize(
    ("guest", "ranks"),
    [
        (Rank.MINISTER, {"deputy_minister"}),
        (Rank.DEPUTY_MINISTER, {"deputy_minister"}),
        (Rank.AMBASSADOR, {"deputy_minister", "ambassador"}),
        (Rank.DIRECTOR, {"deputy_minister", "ambassador", "director_general", "director"}),
    ],
)
def test_a_host_is_of_the_guests_rank_or_above_and_the_highest_receive_whom_none_matches(
    guest: Rank, ranks: set[str]
):
    assert {host.rank for host in hosts_for(guest, CENTRE)} == ranks


def test_only_women_escort_at_the_shelter():
    assert session("tour-shelter").parts[0].people == ("expert-03", "escort-01", "escort-03")


def test_an_expert_without_a_shared_language_needs_an_interpreter_of_the_right_pair():
    briefing = session("briefing-victim-identification", languages=["fr"])
    assert briefing.interpreters["expert-02"] == ("interpreter-02", "interpreter-03")


def test_an_expert_who_shares_a_language_needs_nobody():
    assert session(
        "briefing-data-and-research", themes=["data-and-research"], languages=["fr"]
    ).interpreters == {"expert-08": ("interpreter-02", "interpreter-03")}


def test_nobody_leads_whom_no_interpreter_can_help():
    assert session("briefing-victim-identification", languages=["de"]).parts[0].people == ()


def test_rooms_seat_the_delegation_and_meet_its_access_needs():
    assert [room.code for room in suitable_rooms(needs(size=20), CENTRE)] == ["training-room", "hall"]
    assert [room.code for room in suitable_rooms(needs(size=20, access_needs=["step-free"]), CENTRE)] == [
        "hall"
    ]


@pytest.mark.parametrize(
    "changes",
    [{"size": 49}, {"media": True}, {"confidentiality_signed": False}, {"access_needs": ["hearing-loop"]}],
)
def test_a_site_whose_rules_the_delegation_breaks_has_no_venue(changes: dict[str, object]):
    assert session("tour-shelter", **changes).venues == ()


def test_a_half_day_courtesy_visit_may_leave_out_the_last_themes():
    asked = problem(kind="courtesy", days=1, sites=[])
    kept = versions(asked, sessions_wanted(asked.needs, CENTRE, DAYS))
    assert [[one.key for one in version] for version in kept] == [
        ["welcome", "briefing-national-referral-mechanism", "briefing-victim-identification", "closing"],
        ["welcome", "briefing-national-referral-mechanism", "closing"],
        ["welcome", "closing"],
    ]


def test_a_half_day_keeps_the_briefing_that_a_site_asks_for():
    asked = problem(kind="courtesy", days=1)
    assert len(versions(asked, sessions_wanted(asked.needs, CENTRE, DAYS))) == 2


def test_a_study_visit_leaves_nothing_out():
    asked = problem()
    assert versions(asked, sessions_wanted(asked.needs, CENTRE, DAYS)) == (
        sessions_wanted(asked.needs, CENTRE, DAYS),
    )


def window(first: str, last: str) -> DateWindow:
    return DateWindow.model_validate({"first": first, "last": last})


def test_runs_are_consecutive_working_days_the_unbroken_first():
    runs = runs_of_days(problem(days=2), window("2027-01-06", "2027-01-11"))
    assert [(run[0].day, run[1].day) for run in runs] == [(6, 7), (10, 11), (7, 10)]


def test_no_run_stretches_over_a_blackout_date():
    asked = problem(days=2, blackout_dates=["2027-01-09", "2027-01-04"])
    runs = runs_of_days(asked, window("2027-01-03", "2027-01-11"))
    assert [(run[0].day, run[1].day) for run in runs] == [(5, 6), (6, 7), (10, 11)]


def test_a_window_that_began_long_ago_is_looked_at_from_now_on_only(monkeypatch):
    seen: list[date] = []

    def closed(_centre: object, day: date) -> tuple[()]:
        seen.append(day)
        return ()

    monkeypatch.setattr("services.scheduling.runs.free_intervals", closed)
    assert runs_of_days(problem(days=1), window("0001-01-01", "2026-12-01")) == ()
    assert len(seen) < 20


def test_a_day_that_has_begun_is_not_usable():
    at_opening = datetime(2027, 1, 3, 5, tzinfo=UTC)
    days = window("2027-01-03", "2027-01-04")
    assert runs_of_days(replace(problem(days=1), now=at_opening), days) == ((date(2027, 1, 4),),)
    before = runs_of_days(replace(problem(days=1), now=at_opening - timedelta(minutes=1)), days)
    assert before[0] == (date(2027, 1, 3),)


def test_the_horizon_covers_all_windows_and_eight_weeks_after_the_first():
    asked = needs(
        windows=[{"first": "2027-06-01", "last": "2027-06-03"}, {"first": "2027-01-03", "last": "2027-01-04"}]
    )
    assert horizon(asked, NOW, CENTRE) == window("2027-01-03", "2027-06-03")
    assert horizon(needs(), NOW, CENTRE).last == date(2027, 2, 28)
