"""A body that could keep the validator busy is refused by its size; in others every fault is found."""

import json

import pytest

from runtime.bodies import LONGEST_LIST, Refused, read_body
from services.visits.request import VisitRequest


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"members": [{}] * (LONGEST_LIST + 1)}, "/members"),
        ({"members": [{"languages": [{}] * 5000}]}, "/members/0/languages"),
        ({"members": [{"languages": [{}] * 300}] * 300}, ""),
        ({str(number): number for number in range(20_000)}, ""),
    ],
)
def test_a_body_of_too_many_values_is_refused_before_it_is_validated(body: object, pointer: str) -> None:
    with pytest.raises(Refused) as refusal:
        read_body(VisitRequest, json.dumps(body).encode())
    (problem,) = refusal.value.problems
    assert problem.pointer == pointer


def test_more_than_a_page_of_faults_hides_none_of_them() -> None:
    with pytest.raises(Refused) as refusal:
        read_body(VisitRequest, json.dumps({"blackout_dates": ["x"] * 300}).encode())
    assert len(refusal.value.problems) > 300
