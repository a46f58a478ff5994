"""The benchmark of programmes: its Centres and requests, and how it judges."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from benchmarks.programmes import growth, measure, year
from benchmarks.programmes.by_hand import by_hand, is_worse
from benchmarks.programmes.centres import MOST_PEOPLE, MOST_VENUES, centre_for
from benchmarks.programmes.requests import year_of_requests
from benchmarks.programmes.verifier import complaints
from benchmarks.report import of_programmes
from cli.main import app
from schemas.scheduling import Score
from services.scheduling.centre_file import load_centre
from services.scheduling.explain import solve
from services.scheduling.problem import Solution
from tests.unit.scheduling.factories import problem


@pytest.mark.parametrize("visits", [10, 300, 2000])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_made_up_centre_is_refused_by_nobody(visits: int, seed: int, tmp_path: Path):
    centre = centre_for(visits, seed)
    file = tmp_path / "centre.yaml"
    file.write_text(yaml.safe_dump(centre.model_dump(mode="json", exclude_none=True)), "utf-8")
    assert load_centre(file) == centre


def test_sizes_are_those_asked_for_and_the_same_every_time():
    assert (len(centre_for(2000, 1).people), len(centre_for(2000, 1).venues)) == (MOST_PEOPLE, MOST_VENUES)
    assert len(centre_for(10, 1).people) < 30
    assert year_of_requests(centre_for(50, 1), 50, 1) == year_of_requests(centre_for(50, 1), 50, 1)
    assert year_of_requests(centre_for(50, 1), 50, 1) != year_of_requests(centre_for(50, 1), 50, 2)
    moments = [request.at for request in year_of_requests(centre_for(50, 1), 50, 1)]
    assert moments == sorted(moments)
    assert len(moments) == 50


def test_a_year_books_each_programme_and_finds_no_fault():
    _, answers = year.run_year(12, 1, lambda _text: None)
    assert [answer.faults for answer in answers] == [()] * 12
    assert not any(answer.is_worse for answer in answers)
    assert sum(answer.found is not None for answer in answers) >= 6
    later = next(answer for answer in answers[6:] if answer.found)
    assert later.problem.busy, "earlier visits take their people and places"


def test_the_programme_by_hand_keeps_the_rules_and_is_never_cheaper():
    asked = problem(days=3)
    found, baseline = solve(asked), by_hand(asked)
    assert isinstance(found, Solution)
    assert baseline
    assert complaints(asked, baseline.slots) == []
    assert not is_worse(asked, found, baseline)
    dearer = replace(found, score=Score(cost=10_000, goals=()))
    assert is_worse(asked, dearer, baseline)
    assert is_worse(asked, None, baseline)
    later = solve(replace(asked, needs=asked.needs.model_copy(update={"blackout_dates": (found.days[0],)})))
    assert isinstance(later, Solution)
    assert later.days > found.days
    assert is_worse(asked, later, found)
    assert not is_worse(asked, found, later)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "PROBES", 1)
    monkeypatch.setattr(measure, "REPLANNED", 3)
    monkeypatch.setattr(growth, "SIZES", (0, 50))


@pytest.mark.usefixtures("short")
def test_the_figures_have_their_lines_in_the_table():
    figures, faults = measure.programmes([10], 1, lambda _text: None)
    assert faults == []
    assert [grown["bookings"] for grown in figures["typical_visit"]] == [0, 50]
    assert figures["replanning"]["slots_changed"] <= figures["replanning"]["slots_changed_anew"]
    told = [line.what for line in of_programmes(figures)]
    assert "programmes found of 10 requests a year" in told


@pytest.mark.usefixtures("short")
def test_a_complaint_fails_the_command_and_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(year, "complaints", lambda _problem, _slots: ["the host is a ghost"])
    outcome = CliRunner().invoke(app, ["bench", "programmes", "--visits", "10", "--json"])
    assert outcome.exit_code == 1
    assert "10 visits, request 0: solver: the host is a ghost" in outcome.stderr


@pytest.mark.parametrize("visits", ["9", "2001", "many"])
def test_a_size_out_of_bounds_is_wrong_use(visits: str):
    assert CliRunner().invoke(app, ["bench", "programmes", "--visits", visits]).exit_code == 2
