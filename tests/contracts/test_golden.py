"""Messages of every published version stay readable for ever."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.event import read_event
from tests.contracts.messages import (
    GOLDEN,
    Schema,
    assert_kept_schema_accepts,
    goldens,
    kept_schema,
    kept_types,
)


def named(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.parametrize("path", goldens(), ids=named)
def test_a_golden_message_is_read_and_written_as_its_contract_says(path: Path):
    type_, raw = path.parent.name, path.read_bytes()
    assert_kept_schema_accepts(type_, json.loads(raw))

    event = read_event(type_, raw)
    written = event.model_dump_json()

    assert event.type == type_
    assert read_event(type_, written.encode()) == event
    assert_kept_schema_accepts(type_, json.loads(written))
    assert contains(json.loads(written), json.loads(raw)), "nothing that was said got lost or changed"


@pytest.mark.parametrize("type_", kept_types())
def test_every_kept_schema_has_a_full_and_a_minimal_golden_message(type_: str):
    schema = kept_schema(type_)
    said = [fields_said(json.loads(path.read_bytes())) for path in sorted((GOLDEN / type_).glob("*.json"))]
    every, required = fields_of(schema, schema), fields_of(schema, schema, optional=False)

    missing = every - set[str]().union(*said)
    assert not missing, f"add a golden message in schemas/golden/{type_}/ that says {sorted(missing)}"
    assert any(fields <= required for fields in said), f"{type_} has no message without optional fields"


def test_goldens_stand_only_beside_kept_schemas():
    assert sorted({path.parent.name for path in goldens()}) == kept_types()


def test_golden_messages_are_in_arabic_and_english():
    texts = "".join(path.read_text(encoding="utf-8") for path in goldens())
    assert any("\u0600" <= character <= "\u06ff" for character in texts)
    assert "referral mechanism" in texts


def contains(written: Any, golden: Any) -> bool:
    """Whether all that the golden message says is in what was written; defaults may have come."""
    match golden:
        case dict():
            return isinstance(written, dict) and all(
                name in written and contains(written[name], value) for name, value in golden.items()
            )
        case list():
            return len(written) == len(golden) and all(map(contains, written, golden))
        case _:
            return bool(written == golden)


def resolved(node: Schema, root: Schema) -> Schema:
    return root["$defs"][node["$ref"].removeprefix("#/$defs/")] if "$ref" in node else node


def fields_of(
    node: Schema, root: Schema, place: str = "", above: tuple[str, ...] = (), *, optional: bool = True
) -> set[str]:
    """The places of all fields that a message can, or must, have."""
    if node.get("$ref") in above:  # a tree has no last leaf
        return set()
    above = (*above, node.get("$ref", ""))
    node = resolved(node, root)
    found: set[str] = set()
    for name, part in node.get("properties", {}).items():
        if optional or name in node.get("required", ()):
            here = f"{place}/{name}"
            found |= {here} | fields_of(part, root, here, above, optional=optional)
    for part in (*node.get("anyOf", ()), *([node["items"]] if "items" in node else [])):
        found |= fields_of(part, root, place, above, optional=optional)
    return found


def fields_said(message: Any, place: str = "") -> set[str]:
    """The places of the fields that one message says."""
    found: set[str] = set()
    if isinstance(message, dict):
        for name, part in message.items():
            found |= {f"{place}/{name}"} | fields_said(part, f"{place}/{name}")
    if isinstance(message, list):
        for part in message:
            found |= fields_said(part, place)
    return found
