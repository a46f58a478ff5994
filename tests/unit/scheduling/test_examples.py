"""The examples have their programmes whenever they are run: in Ramadan, around feasts, in winter."""

import json
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from benchmarks.programmes.verifier import complaints
from services.scheduling.centre_file import load_centre
from services.scheduling.explain import solve
from services.scheduling.problem import Problem, Solution
from services.visits.request import VisitRequest, needs_of
from tests.unit.scheduling.factories import EXAMPLE

CENTRE = load_centre(EXAMPLE)
EXAMPLES = [
    path
    for path in sorted((EXAMPLE.parent / "requests").glob("*.json"))
    if json.loads(path.read_text("utf-8"))["expect"] != "refused"
]


@pytest.mark.parametrize(
    "today", [date(2026, 12, 9) + timedelta(days=61 * turn) for turn in range(7)], ids=str
)
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_comes_to_what_it_expects_all_the_year_round(path: Path, today: date):
    example = json.loads(path.read_text("utf-8"))
    windows = [
        {"first": str(today + timedelta(days=first)), "last": str(today + timedelta(days=last))}
        for first, last in example["windows_from_today"]
    ]
    needs = needs_of(VisitRequest.model_validate(example["request"] | {"windows": windows}))
    now = datetime.combine(today, time(9), UTC)
    asked = Problem(CENTRE, needs, {}, now, 20, country=example["client"]["country"])
    outcome = solve(asked)
    assert isinstance(outcome, Solution) == (example["expect"] == "confirmed"), outcome
    if isinstance(outcome, Solution):
        assert complaints(asked, outcome.slots) == []
