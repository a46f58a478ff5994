"""The verifier itself finds what is wrong: each rule is broken once."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from schemas.scheduling import Assignment, Place, Slot
from services.scheduling.explain import solve
from services.scheduling.problem import Solution
from tests.unit.scheduling.factories import CENTRE, NOW, problem, taken
from tests.unit.scheduling.verifier import complaints

ASKED = problem()
OUTCOME = solve(ASKED)
assert isinstance(OUTCOME, Solution)
FOUND = OUTCOME.slots
SLOTS = {slot.key: slot for slot in FOUND}
Breaking = Callable[[Slot], dict[str, object]]


def led_by(person: str, role: str) -> Breaking:
    return lambda _slot: {"assignments": (Assignment.model_validate({"person": person, "role": role}),)}


def moved(**by: float) -> Breaking:
    return lambda slot: {"starts": slot.starts + timedelta(**by), "ends": slot.ends + timedelta(**by)}


def in_(code: str) -> Breaking:
    return lambda slot: {"place": Place(code=code, name=slot.place.name, address=slot.place.address)}


@pytest.mark.parametrize(
    ("key", "breaking", "complaint"),
    [
        ("welcome", moved(days=-2), "closed day"),
        ("welcome", moved(hours=-1), "outside working hours"),
        ("closing", moved(minutes=5), "off the grid"),
        ("welcome", moved(hours=3.5), "in a break"),
        ("welcome", moved(days=1), "not in the order of time"),
        ("closing", moved(days=7), "outside the windows"),
        ("welcome", moved(days=-60), "begins in the past"),
        ("tour-shelter", moved(days=-9), "before any briefing"),
        ("welcome", in_("shelter"), "wrong kind"),
        ("welcome", lambda slot: {"ends": slot.ends + timedelta(minutes=15)}, "wrong length"),
        ("welcome", led_by("host-01", "expert"), "is no expert"),
        ("briefing-victim-identification", led_by("expert-04", "expert"), "does not know"),
        ("tour-shelter", led_by("escort-02", "escort"), "is not cleared"),
        ("welcome", led_by("expert-05", "host"), "is no host"),
    ],
)
def test_a_broken_rule_is_found(key: str, breaking: Breaking, complaint: str):
    broken = SLOTS[key].model_copy(update=breaking(SLOTS[key]))
    slots = tuple(broken if slot.key == key else slot for slot in FOUND)
    assert any(complaint in one for one in complaints(CENTRE, ASKED.needs, slots, {}, NOW))


def test_a_taken_resource_is_found():
    busy = {f"venue:{SLOTS['welcome'].place.code}": taken("2027-01-03", "2027-01-08")}
    assert any("is taken" in one for one in complaints(CENTRE, ASKED.needs, FOUND, busy, NOW))


def test_a_missing_session_is_found():
    slots = tuple(slot for slot in FOUND if slot.key != "tour-shelter")
    assert any("wrong sessions" in one for one in complaints(CENTRE, ASKED.needs, slots, {}, NOW))
