"""The kept contracts are what the code says, and exporting them never breaks one."""

import json
import pkgutil
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest

import schemas
from schemas.contracts import (
    EMITTERS,
    KEPT,
    PAGE,
    BreakingChange,
    check_contracts,
    current_schemas,
    export_contracts,
    schema_text,
)
from schemas.event import EVENTS, envelope

TYPE = "visits.visit.confirmed.v1"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A folder with the contracts as the code has them, and the page beside it."""
    export_contracts(tmp_path / "json", tmp_path / "events.md")
    return tmp_path / "json"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def problems_of(kept: Path) -> list[str]:
    return [str(problem) for problem in check_contracts(kept, kept.parent / "events.md")]


def test_the_kept_contracts_are_what_the_code_says():
    problems = check_contracts(KEPT, PAGE)
    assert not problems, "\n".join(map(str, problems))


def test_every_module_with_events_is_among_the_emitters():
    modules = {f"schemas.{module.name}" for module in pkgutil.iter_modules(schemas.__path__)}
    for name in modules:
        __import__(name)
    with_events = {data.__module__ for data in EVENTS.values() if data.__module__ in modules}
    assert with_events == {module.__name__ for module in EMITTERS}


@pytest.mark.parametrize("type_", current_schemas())
def test_a_contract_is_a_valid_schema_with_its_own_address(type_: str):
    schema = current_schemas()[type_]
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"https://wafd.example/schemas/{type_}.json"
    assert schema["title"]
    assert schema["description"]
    assert {"specversion", "id", "source", "type"} <= set(schema["required"]), "CloudEvents demands them"


@pytest.mark.parametrize("type_", current_schemas())
def test_what_is_read_has_the_shape_of_what_is_written(type_: str):
    """One kept file can stand for both sides only as long as this holds."""
    model = envelope(type_)
    assert model.model_json_schema(mode="validation") == model.model_json_schema(mode="serialization")


def test_the_kept_text_does_not_depend_on_the_order_of_keys():
    schema = current_schemas()[TYPE]
    backwards = dict(reversed(schema.items()))
    assert list(backwards) != list(schema)
    assert schema_text(backwards) == schema_text(schema)
    assert schema_text(schema).endswith("}\n")


def test_an_export_without_changes_writes_nothing(kept: Path):
    assert problems_of(kept) == []
    assert export_contracts(kept, kept.parent / "events.md") == []


def test_an_added_field_asks_for_an_export_which_mends_it(kept: Path):
    schema = json.loads((kept / f"{TYPE}.json").read_text(encoding="utf-8"))
    del schema["$defs"]["Contact"]["properties"]["phone"]  # as kept before the code got the field
    (kept / f"{TYPE}.json").write_text(schema_text(schema), encoding="utf-8")

    assert problems_of(kept) == [
        f"{TYPE}: the event type changed in a compatible way; run `wafd schemas export`."
    ]
    assert export_contracts(kept, kept.parent / "events.md") == [kept / f"{TYPE}.json"]
    assert problems_of(kept) == []


def test_an_export_refuses_a_breaking_change_and_writes_nothing(kept: Path):
    edit(kept / f"{TYPE}.json", '"release"', '"release_number"')
    (kept / "visits.visit.reported.v1.json").unlink()
    before = {path: path.read_bytes() for path in kept.iterdir()}

    with pytest.raises(BreakingChange, match=r"'release' is required.*visits\.visit\.confirmed\.v2"):
        export_contracts(kept, kept.parent / "events.md")

    assert {path: path.read_bytes() for path in kept.iterdir()} == before


def test_a_removed_event_type_is_breaking(kept: Path):
    (kept / "visits.visit.painted.v1.json").write_text("{}", encoding="utf-8")

    (problem,) = problems_of(kept)
    assert problem.startswith("visits.visit.painted.v1: the event type is gone; keep its class")
    with pytest.raises(BreakingChange):
        export_contracts(kept, kept.parent / "events.md")


def test_a_new_event_type_asks_for_an_export(kept: Path):
    (kept / f"{TYPE}.json").unlink()
    assert problems_of(kept) == [f"{TYPE}: no schema is kept of this event type; run `wafd schemas export`."]


@pytest.mark.parametrize("content", [b"<<<<<<< ours", b"[]", b'{"title": "\xff"}', b""])
def test_a_kept_file_that_is_no_json_object_is_never_overwritten(kept: Path, content: bytes):
    (kept / f"{TYPE}.json").write_bytes(content)
    assert problems_of(kept) == [f"{TYPE}: {TYPE}.json is no JSON object; restore the kept file."]
    with pytest.raises(BreakingChange):
        export_contracts(kept, kept.parent / "events.md")


def test_a_kept_file_that_is_laid_out_differently_is_noticed(kept: Path):
    edit(kept / f"{TYPE}.json", "  ", " ")
    assert problems_of(kept) == [f"{TYPE}: the kept file is laid out differently; run `wafd schemas export`."]


def test_breaking_problems_come_first(kept: Path):
    (kept / "visits.request.amended.v1.json").unlink()
    edit(kept / f"{TYPE}.json", '"release"', '"release_number"')
    problems = check_contracts(kept, kept.parent / "events.md")
    assert [problem.breaking for problem in problems] == sorted((p.breaking for p in problems), reverse=True)
    assert {problem.breaking for problem in problems} == {True, False}
