"""A reader skips what a newer writer added, at any depth, unless it is told to be strict."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.event import UnknownEventType, envelope, read_event
from tests.contracts.messages import GOLDEN, goldens

FULL = [path for path in goldens() if path.stem == "full"]


def objects(message: Any) -> Iterator[dict[str, Any]]:
    if isinstance(message, dict):
        yield message
    parts = message.values() if isinstance(message, dict) else message if isinstance(message, list) else ()
    for part in parts:
        yield from objects(part)


def with_a_new_field_in_object(message: Any, number: int) -> bytes:
    copied = json.loads(json.dumps(message))
    list(objects(copied))[number]["added_later"] = {"anything": [1, "لاحقًا"]}
    return json.dumps(copied).encode()


@pytest.mark.parametrize("path", FULL, ids=lambda path: path.parent.name)
def test_unknown_fields_are_skipped_at_any_depth_but_refused_by_a_strict_reader(path: Path):
    type_, message = path.parent.name, json.loads(path.read_bytes())
    event = read_event(type_, path.read_bytes())
    envelope(type_).model_validate_json(path.read_bytes(), extra="forbid")

    for number, _ in enumerate(objects(message)):
        extended = with_a_new_field_in_object(message, number)
        assert read_event(type_, extended) == event
        with pytest.raises(ValidationError, match="added_later"):
            envelope(type_).model_validate_json(extended, extra="forbid")


def test_an_event_of_another_type_is_refused():
    raw = (GOLDEN / "visits.visit.confirmed.v1" / "full.json").read_bytes()
    with pytest.raises(ValidationError):
        read_event("visits.visit.cancelled.v1", raw)


def test_a_type_that_is_not_known_is_named():
    with pytest.raises(UnknownEventType, match=r"visits\.visit\.confirmed\.v99"):
        read_event("visits.visit.confirmed.v99", b"{}")


def test_a_time_without_a_zone_is_refused():
    message = json.loads((GOLDEN / "visits.visit.confirmed.v1" / "full.json").read_bytes())
    message["time"] = "2026-09-06T09:12:44"
    with pytest.raises(ValidationError, match="timezone"):
        read_event("visits.visit.confirmed.v1", json.dumps(message).encode())
