"""How long an answer takes, told by a clock that the tests turn."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest

from schemas.visits import Needs
from services.scheduling import explain, solver
from services.scheduling.availability import lay_out
from services.scheduling.budget import Budget
from services.scheduling.candidates import NOTHING, Aside, Blocked, Desk
from services.scheduling.explain import solve
from services.scheduling.problem import Infeasible, Problem
from services.scheduling.sessions import Session
from services.scheduling.solver import NotFound, looked_at, search
from tests.unit.scheduling.factories import CENTRE, problem


def windows(days: int) -> list[dict[str, date]]:
    """Ten windows of so many days, each a day later than the one before."""
    firsts = [date(2027, 1, 3) + timedelta(days=shift) for shift in range(10)]
    return [{"first": first, "last": first + timedelta(days=days)} for first in firsts]


@dataclass
class SlowDesk:
    """Takes its time to find that nothing is left for the first session, whatever the days."""

    seconds: float
    now: float = 0.0
    asked: list[tuple[Needs, tuple[date, ...]]] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def lay_out(
        self,
        asked: Problem,
        sessions: tuple[Session, ...],
        days: tuple[date, ...],
        _aside: Aside = NOTHING,
    ) -> Desk | Blocked:
        self.now += self.seconds
        self.asked.append((asked.needs, days))
        return Blocked(sessions[0], "venue")


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> SlowDesk:
    desk = SlowDesk(seconds=0.05)
    monkeypatch.setattr(solver, "lay_out", desk.lay_out)
    monkeypatch.setattr(explain, "lay_out", desk.lay_out)
    return desk


def infeasible(slow: SlowDesk, **changes: Any) -> Infeasible:
    outcome = solve(problem(**changes), slow)
    assert isinstance(outcome, Infeasible)
    return outcome


def test_ten_windows_of_two_years_take_half_as_long_again_as_the_search_and_no_more(slow: SlowDesk):
    outcome = infeasible(slow, windows=windows(728), seconds=5)
    assert 5 <= slow.now <= 1.5 * 5 + slow.seconds
    assert [reason.en for reason in outcome.reasons] == [
        "No programme was found within 5 seconds of search.",
        "No room is free for: Welcome of the delegation.",
    ]


def test_each_kind_of_alternative_is_looked_for_even_when_the_search_took_all_its_time(slow: SlowDesk):
    infeasible(slow, windows=windows(19), seconds=5)
    last = date(2027, 1, 31)
    looked_for = Counter((days[0] > last, asked.days, len(asked.themes)) for asked, days in slow.asked[-40:])
    assert {(True, 2, 2), (False, 3, 2), (False, 4, 2), (False, 2, 1)} <= set(looked_for)
    assert slow.now <= 1.5 * 5 + slow.seconds


def test_a_long_window_does_not_keep_the_next_from_being_looked_at(slow: SlowDesk):
    long, short = windows(728)[0], {"first": "2029-01-07", "last": "2029-01-11"}
    slow.seconds = 1
    assert search(problem(windows=[long, short]), Budget.of(20, slow)) == NotFound(in_time=False)
    assert [days[0].year for _, days in slow.asked].count(2029) == 4


def test_a_search_that_comes_to_its_end_says_so(slow: SlowDesk):
    assert search(problem(), Budget.of(20, slow)) == NotFound(in_time=True)


def test_of_a_very_long_window_the_first_runs_and_then_each_weekday_are_looked_at():
    sunday = date(2027, 1, 3)
    runs = tuple((sunday + timedelta(weeks=week, days=day),) for week in range(100) for day in range(5))
    seen = looked_at(runs)
    assert seen[:60] == runs[:60]
    assert len(seen) == 60 + 63
    assert {run[0].weekday() for run in seen[60:]} == {6, 0, 1, 2, 3}
    assert looked_at(runs[:60]) == runs[:60]


def test_of_a_long_window_it_is_told_how_much_was_looked_at(slow: SlowDesk):
    outcome = infeasible(slow, windows=windows(728)[:1], seconds=20)
    assert outcome.reasons[-1].en == (
        "The window from 2027-01-03 to 2028-12-31 is long: 124 of 504 possible dates were examined."
    )


def test_a_search_that_was_cut_short_claims_nothing_about_days_that_may_do(slow: SlowDesk, monkeypatch):
    def place(*_args: Any) -> None:
        slow.now += 1

    monkeypatch.setattr(solver, "place", place)
    monkeypatch.setattr(explain, "lay_out", lay_out)
    outcome = infeasible(slow, seconds=3)
    assert [reason.en for reason in outcome.reasons] == ["No programme was found within 3 seconds of search."]


def test_sessions_longer_than_the_working_hours_are_not_left_to_the_solver(monkeypatch):
    def decide(*_args: Any) -> None:
        pytest.fail("a model was built")

    monkeypatch.setattr(solver, "decide", decide)
    themes = [theme.code for theme in CENTRE.themes[:8]]
    assert search(problem(days=1, themes=themes), Budget.of(20, lambda: 0)) == NotFound(in_time=True)


def test_shares_are_equal_and_what_one_leaves_over_falls_to_the_next(slow: SlowDesk):
    whole = Budget.of(12, slow)
    assert whole.share(3).left == 4
    slow.now = 2
    assert whole.share(2).left == 5
    slow.now = 13
    assert whole.share(2).is_spent
    assert whole.left == 0
