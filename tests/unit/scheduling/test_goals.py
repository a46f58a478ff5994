"""Scores, the greedy baseline, and the smallest clash."""

from dataclasses import replace

import pytest
from ortools.sat.python import cp_model

from services.scheduling import solver
from services.scheduling.availability import lay_out
from services.scheduling.budget import Budget
from services.scheduling.candidates import Cause, Desk, Rule
from services.scheduling.clash import smallest_clash
from services.scheduling.goals import score
from services.scheduling.greedy import greedy
from services.scheduling.model import decide, placed, prefer
from services.scheduling.problem import Problem
from services.scheduling.rules import state_rules
from services.scheduling.runs import runs_of_days
from services.scheduling.sessions import sessions_wanted
from services.scheduling.solver import is_feasible, new_solver, place
from tests.unit.scheduling.factories import CENTRE, problem, taken

THEMES = [theme.code for theme in CENTRE.themes]
CASES = {
    "plain": problem(),
    "five themes": problem(days=3, themes=THEMES[:5], languages=["fr"], head_rank="ambassador"),
    "groups": problem(days=3, size=20, sites=["shelter", "expat-protection-centre"]),
    "courtesy": problem(kind="courtesy", days=1, sites=[]),
}


def desk_of(asked: Problem) -> Desk:
    days = runs_of_days(asked, asked.needs.windows[0])[0]
    desk = lay_out(
        asked, sessions_wanted(asked.needs, asked.centre, days)[: 20 if asked.needs.days > 1 else 3], days
    )
    assert isinstance(desk, Desk)
    return desk


def unhurried() -> Budget:
    return Budget.of(60, lambda: 0)


@pytest.mark.parametrize("case", CASES)
def test_the_score_is_what_the_solver_minimised(case: str):
    asked = CASES[case]
    desk = desk_of(asked)
    model = decide(asked, desk)
    state_rules(model)
    prefer(model)
    model.cp.minimize(sum(model.cost))
    minimising = new_solver(unhurried())
    minimising.parameters.max_deterministic_time = 2
    minimising.solve(model.cp)
    assert score(asked, desk, placed(model, minimising)).cost == minimising.objective_value


@pytest.mark.parametrize("case", CASES)
def test_no_programme_is_worse_than_the_greedy_one(case: str):
    asked = CASES[case]
    desk = desk_of(asked)
    by_hand = greedy(asked, desk)
    if by_hand is not None:
        sessions = tuple(choice.session for choice in desk.choices)
        found = place(asked, sessions, desk.grid.days, unhurried())
        assert found is not None
        assert found.score is not None
        assert found.score.cost <= score(asked, desk, by_hand).cost


def test_a_dearer_answer_of_the_solver_gives_way_to_the_greedy_one(monkeypatch: pytest.MonkeyPatch):
    asked = CASES["plain"]
    desk = desk_of(asked)
    by_hand = greedy(asked, desk)
    assert by_hand is not None
    dear = tuple(
        replace(one, venue="hall") if one.session.kind in {"welcome", "briefing", "closing"} else one
        for one in by_hand
    )
    monkeypatch.setattr(solver, "placed", lambda *_: dear)
    found = place(asked, tuple(choice.session for choice in desk.choices), desk.grid.days, unhurried())
    assert found is not None
    assert found.score == score(asked, desk, by_hand)


def test_what_the_solver_does_not_finish_is_planned_by_hand(monkeypatch: pytest.MonkeyPatch):
    asked = CASES["plain"]
    desk = desk_of(asked)
    monkeypatch.setattr("ortools.sat.python.cp_model.CpSolver.solve", lambda *_: cp_model.UNKNOWN)
    found = place(asked, tuple(choice.session for choice in desk.choices), desk.grid.days, unhurried())
    by_hand = greedy(asked, desk)
    assert found is not None
    assert by_hand is not None
    assert found.score == score(asked, desk, by_hand)


def test_the_smallest_clash_is_found_and_setting_any_part_of_it_aside_helps():
    busy = dict.fromkeys(
        ["person:expert-01", "person:expert-08", "person:host-05"], taken("2027-01-03", "2027-01-08")
    )
    asked = problem(busy=busy)
    days = runs_of_days(asked, asked.needs.windows[0])[0]
    sessions = sessions_wanted(asked.needs, asked.centre, days)
    clash = smallest_clash(asked, sessions, days, unhurried())
    assert clash is not None
    assert {*clash} == {
        Cause(Rule.WANTED, "briefing-national-referral-mechanism"),
        Cause(Rule.ABSENCE, "person:expert-01"),
        Cause(Rule.ABSENCE, "person:expert-08"),
    }
    for cause in clash - {Cause(Rule.WANTED, "briefing-national-referral-mechanism")}:
        assert is_feasible(asked, sessions, days, unhurried(), frozenset({cause}))


def test_of_two_clashes_the_smaller_is_told():
    experts = [
        f"person:{one.code}" for one in CENTRE.in_role("expert") if "victim-identification" in one.themes
    ]
    busy = dict.fromkeys([*experts, "venue:shelter"], taken("2027-01-03", "2027-01-08"))
    asked = problem(busy=busy)
    days = runs_of_days(asked, asked.needs.windows[0])[0]
    clash = smallest_clash(asked, sessions_wanted(asked.needs, asked.centre, days), days, unhurried())
    assert clash is not None
    assert {*clash} == {Cause(Rule.WANTED, "tour-shelter"), Cause(Rule.ABSENCE, "venue:shelter")}
