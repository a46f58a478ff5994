"""Reads what the public format allows, and says where a file is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scheduling.forum.dzn import read_problem
from services.scheduling.forum.minizinc import DataError
from services.scheduling.forum.problem import Meeting, Problem, Session
from tests.unit.scheduling.forum.days import dzn, random_problem

TEXT = """% a comment
nBusiness = 3; nMeetings = 2;
nTables = 1;
nTotalSlots = 4;
nMorningSlots = 2;
requested = [|1, 2, 1,
|3, 1, 3, |];
meetingsxBusiness = [{1,2,3},{1,2},{1,3}];
nMeetingsBusiness = [2,1,1];
forbidden = [{0}, {0,2}, 3..4];
fixed = [0, 4];
precedences = [{}, {1}]
"""


def test_a_file_is_read_with_everything_numbered_from_0() -> None:
    assert read_problem(TEXT) == Problem(
        slots=4,
        morning=2,
        tables=1,
        absent=(frozenset(), frozenset({1}), frozenset({2, 3})),
        meetings=(
            Meeting((0, 1), Session.MORNING),
            Meeting((2, 0), Session.ANY, fixed=3, after=frozenset({0})),
        ),
    )


@given(seed=st.integers(0, 10**9), meetings=st.integers(0, 9))
def test_every_problem_is_read_as_it_was_written(seed: int, meetings: int) -> None:
    problem = random_problem(seed, meetings=meetings)
    assert read_problem(dzn(problem)) == problem


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("nTables = 1;", "", "line 12: nTables is missing"),
        ("nTables = 1;", "nTables = one;", "line 3: a whole number was expected instead of one"),
        ("nTables = 1;", "nTables = -1;", "line 3: nTables must be a number from 0"),
        ("nTables = 1;", "nTables = 1", "line 4: ; was expected instead of nTotalSlots"),
        ("nTables = 1;", "nTables = 1; nTables = 2;", "line 3: nTables is given twice"),
        ("nTables = 1;", "nTables = {1};", "line 3: nTables must be a number"),
        ("nTables = 1;", "nTables = 1 ?;", r"line 3: '\?' has no meaning here"),
        ("nMorningSlots = 2", "nMorningSlots = 5", "line 5: nMorningSlots is more than the 4"),
        ("|1, 2, 1,", "|1, 2,", "line 6: a row of requested must be two participants and a session"),
        ("|1, 2, 1,", "|1, 4, 1,", "line 6: requested names participant 4 of 3"),
        ("|1, 2, 1,", "|1, 1, 1,", "line 6: participant 1 is requested to meet herself"),
        ("|3, 1, 3,", "|3, 1, 4,", "line 7: session 4 is none of"),
        ("nMeetings = 2", "nMeetings = 3", "line 6: requested has 2 entries and must have 3"),
        ("{0,2}", "{0,5}", "line 10: forbidden names 5, which is not from 1 to 4"),
        ("3..4]", "1..999999999]", "line 10: the range 1..999999999 is too long"),
        ("3..4]", "3..4", "line 10: , was expected instead of ;"),
        ("fixed = [0, 4]", "fixed = 4", "line 11: fixed must be an array"),
        ("fixed = [0, 4]", "fixed = [0, 5]", "line 11: an entry of fixed must be a slot from 1 to 4"),
        ("{1}]", "{3}]", "line 12: precedences names 3"),
        ("{1}]", "1]", "line 12: an entry of precedences must be a set"),
        ("{1}]", "{1", "the end"),
    ],
)
def test_a_wrong_file_is_refused_with_the_line_and_the_reason(old: str, new: str, complaint: str) -> None:
    assert old in TEXT
    with pytest.raises(DataError, match=complaint):
        read_problem(TEXT.replace(old, new))


@given(st.text(alphabet="nTables=1;[]{}|,.% \n-x/*", max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    with pytest.raises(DataError):
        read_problem(text)
