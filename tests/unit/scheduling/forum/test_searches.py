"""Both searches find the fewest breaks, and each says the same as the other and as trying everything."""

from collections.abc import Callable
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scheduling.forum import climb, cores
from services.scheduling.forum.problem import Meeting, Problem
from services.scheduling.forum.profiles import fewest_breaks
from services.scheduling.forum.progress import Line, News, Progress, WrongAnswer
from tests.unit.scheduling.forum.days import forum, random_problem
from tests.unit.scheduling.forum.exhaustive import fewest

Search = Callable[[Problem, Line], None]


class LineToNobody(Line):
    """Keeps what is told."""

    def __init__(self, problem: Problem) -> None:
        self.progress = Progress()
        self._problem = problem

    def tell(self, news: News) -> None:
        self.progress = self.progress.after(news, self._problem)

    def known(self) -> Progress:
        return self.progress


def _fewest(search: Search, problem: Problem) -> int | None:
    line = LineToNobody(problem)
    search(problem, line)
    assert line.progress.is_settled
    assert line.progress.impossible or line.progress.breaks == line.progress.bound
    return line.progress.breaks


@pytest.fixture(params=[cores.search, climb.search], ids=["cores", "climb"])
def search(request: pytest.FixtureRequest) -> Search:
    chosen: Search = request.param
    return chosen


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10**9), slots=st.integers(1, 6), meetings=st.integers(0, 7))
def test_core_guided_search_finds_what_trying_everything_finds(seed: int, slots: int, meetings: int) -> None:
    problem = random_problem(seed, slots=slots, meetings=meetings)
    assert _fewest(cores.search, problem) == fewest(problem)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**9), slots=st.integers(1, 6), meetings=st.integers(0, 7))
def test_climbing_finds_what_trying_everything_finds(seed: int, slots: int, meetings: int) -> None:
    problem = random_problem(seed, slots=slots, meetings=meetings)
    assert _fewest(climb.search, problem) == fewest(problem)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**9), slots=st.integers(2, 6))
def test_the_bound_from_times_is_never_above_the_best_answer(seed: int, slots: int) -> None:
    problem = random_problem(seed, slots=slots)
    best = fewest(problem)
    assert best is None or fewest_breaks(problem, 5) <= best


@pytest.mark.parametrize("seed", range(4))
def test_both_searches_agree_on_larger_days_with_few_tables(seed: int) -> None:
    problem = forum(seed, delegations=8, experts=8, meetings=40, slots=8, tables=5)
    assert _fewest(cores.search, problem) == _fewest(climb.search, problem)


def test_scarce_tables_are_seen_from_the_times_alone() -> None:
    problem = _three_meet_at_the_only_table()
    assert fewest_breaks(problem, 5) == fewest(problem) == 1


def test_whoever_has_three_breaks_makes_everybody_have_one(search: Search) -> None:
    """The first is absent between her meetings; the last two would have none, and must have one each."""
    meetings = tuple(Meeting(pair) for pair in [(0, 1), (0, 1), (0, 2), (0, 2), (3, 4), (3, 4)])
    absent = (frozenset({1, 3, 5}), *(frozenset[int]() for _ in range(4)))
    problem = Problem(slots=7, morning=7, tables=3, absent=absent, meetings=meetings)
    assert _fewest(search, problem) == fewest(problem) == 7


def test_nobody_has_three_breaks_when_somebody_can_have_none(search: Search) -> None:
    meetings = tuple(Meeting((0, other)) for other in range(1, 5))
    absent = (frozenset({1, 3, 5}), *(frozenset[int]() for _ in range(4)))
    problem = Problem(slots=7, morning=7, tables=3, absent=absent, meetings=meetings)
    assert _fewest(search, problem) is None
    assert fewest(problem) is None


def test_everybody_meets_everybody(search: Search) -> None:
    """Of seven who meet all others in seven slots, each is idle once; only two of them at the ends."""
    meetings = tuple(Meeting(pair) for pair in combinations(range(7), 2))
    problem = Problem(slots=7, morning=7, tables=3, absent=(frozenset(),) * 7, meetings=meetings)
    assert _fewest(search, problem) == 5


def test_a_day_without_meetings_has_an_empty_answer(search: Search) -> None:
    problem = Problem(slots=3, morning=3, tables=1, absent=(frozenset(),) * 2, meetings=())
    assert _fewest(search, problem) == 0


def test_meetings_that_wait_for_each_other_are_impossible(search: Search) -> None:
    meetings = (Meeting((0, 1), after=frozenset({1})), Meeting((2, 3), after=frozenset({0})))
    problem = Problem(slots=4, morning=4, tables=2, absent=(frozenset(),) * 4, meetings=meetings)
    assert _fewest(search, problem) is None


def test_a_meeting_before_itself_is_impossible(search: Search) -> None:
    meetings = (Meeting((0, 1), after=frozenset({0})),)
    problem = Problem(slots=4, morning=4, tables=2, absent=(frozenset(),) * 2, meetings=meetings)
    assert _fewest(search, problem) is None


def test_a_wrong_answer_of_a_search_is_noticed() -> None:
    problem = _three_meet_at_the_only_table()
    with pytest.raises(WrongAnswer, match="2 meetings at 1 tables"):
        Progress().after(News(slots=(0, 0, 1)), problem)


def _three_meet_at_the_only_table() -> Problem:
    """Each meets both others in three slots: one of them is idle in the middle, whoever it is."""
    triangle = (Meeting((0, 1)), Meeting((1, 2)), Meeting((2, 0)))
    return Problem(slots=3, morning=3, tables=1, absent=(frozenset(),) * 3, meetings=triangle)
