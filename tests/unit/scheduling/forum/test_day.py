"""A forum day in the Centre's terms becomes a problem, and its answer a programme."""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.scheduling.forum.day import (
    Absence,
    ForumDay,
    PlannedMeeting,
    Request,
    Slot,
    WrongForumDay,
    problem_of,
    programme_of,
)
from services.scheduling.forum.engine import solve
from services.scheduling.forum.problem import Meeting, Problem, Session, Status


def _at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, 24, hour, minute, tzinfo=ZoneInfo("Asia/Bahrain"))


def _slot(hour: int, minute: int = 0) -> Slot:
    starts = _at(hour, minute)
    return Slot(starts, starts + timedelta(minutes=30), afternoon=hour >= 12)


DAY = ForumDay(
    slots=(_slot(9), _slot(9, 30), _slot(13), _slot(13, 30)),
    tables=2,
    delegations=("QA", "OM"),
    experts=("amal", "omar"),
    requests=(
        Request("m1", "QA", "amal", after=("m3",)),
        Request("m2", "QA", "omar", Session.AFTERNOON),
        Request("m3", "OM", "amal", Session.MORNING),
        Request("m4", "OM", "omar", fixed=_at(13, 30)),
    ),
    absences=(Absence("omar", _at(9, 15), _at(10)),),
)


def test_a_day_becomes_a_problem_of_delegations_and_experts() -> None:
    assert problem_of(DAY) == Problem(
        slots=4,
        morning=2,
        tables=2,
        absent=(frozenset(), frozenset(), frozenset(), frozenset({0, 1})),
        meetings=(
            Meeting((0, 2), after=frozenset({2})),
            Meeting((0, 3), Session.AFTERNOON),
            Meeting((1, 2), Session.MORNING),
            Meeting((1, 3), fixed=3),
        ),
    )


def test_its_answer_becomes_meetings_with_times_and_tables() -> None:
    programme = programme_of(DAY, (1, 2, 0, 3))
    assert programme == (
        PlannedMeeting("m3", "OM", "amal", 1, _at(9), _at(9, 30)),
        PlannedMeeting("m1", "QA", "amal", 1, _at(9, 30), _at(10)),
        PlannedMeeting("m2", "QA", "omar", 1, _at(13), _at(13, 30)),
        PlannedMeeting("m4", "OM", "omar", 1, _at(13, 30), _at(14)),
    )


def test_experts_keep_their_tables_and_never_share_one() -> None:
    day = replace(
        DAY,
        absences=(),
        requests=(
            Request("m1", "QA", "amal"),
            Request("m2", "OM", "omar"),
            Request("m3", "QA", "omar"),
            Request("m4", "OM", "amal"),
        ),
    )
    tables = {one.key: one.table for one in programme_of(day, (0, 0, 1, 1))}
    assert tables["m1"] == tables["m4"] != tables["m2"] == tables["m3"]


def test_a_whole_day_is_planned() -> None:
    answer = solve(problem_of(DAY), 60)
    assert answer.status is Status.OPTIMAL
    assert answer.slots is not None
    programme = {one.key: one for one in programme_of(DAY, answer.slots)}
    assert programme["m4"].starts == _at(13, 30)
    assert programme["m3"].ends <= programme["m1"].starts


@pytest.mark.parametrize(
    ("day", "complaint"),
    [
        (replace(DAY, slots=()), "no slots"),
        (replace(DAY, slots=(_slot(13), _slot(9))), "is not behind"),
        (replace(DAY, slots=(_slot(9), _slot(9, 15))), "is not behind"),
        (replace(DAY, slots=(replace(_slot(9), afternoon=True), _slot(10))), "is not behind"),
        (replace(DAY, slots=(Slot(_at(9), _at(9)),)), "must have a time zone and end after it starts"),
        (replace(DAY, experts=("amal", "omar", "QA")), "participant QA is given twice"),
        (replace(DAY, requests=(DAY.requests[0], DAY.requests[0])), "meeting m1 is given twice"),
        (replace(DAY, requests=(Request("m1", "QA", "hind"),)), "no delegation and expert of this day"),
        (replace(DAY, requests=(Request("m1", "QA", "OM"),)), "no delegation and expert of this day"),
        (replace(DAY, requests=(Request("m1", "QA", "amal", after=("m9",)),)), "follow m9"),
        (replace(DAY, requests=(Request("m1", "QA", "amal", fixed=_at(8)),)), "when no slot starts"),
        (replace(DAY, absences=(Absence("hind", _at(9), _at(10)),)), "hind, who is absent"),
    ],
)
def test_what_does_not_fit_together_is_refused_in_words(day: ForumDay, complaint: str) -> None:
    with pytest.raises(WrongForumDay, match=complaint):
        problem_of(day)
