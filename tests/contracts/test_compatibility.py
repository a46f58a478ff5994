"""Which changes of an event type break its contract, and how the refusal reads."""

import copy
import json
from collections.abc import Callable
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from schemas.compatibility import find_breaks
from schemas.contracts import compare, current_schemas

TYPE = "visits.request.submitted.v1"
Schema = dict[str, Any]
Change = Callable[[Schema], object]

DATA = "/$defs/RequestSubmitted"
NEEDS = "/$defs/Needs/properties"
CONTACT = "/$defs/Contact/properties"


@pytest.fixture(scope="module")
def kept() -> Schema:
    return current_schemas()[TYPE]


def at(schema: Schema, place: str) -> Any:
    node: Any = schema
    for step in place.split("/")[1:]:
        node = node[int(step)] if isinstance(node, list) else node[step]
    return node


def drop(place: str) -> Change:
    parent, _, name = place.rpartition("/")
    return lambda schema: at(schema, parent).pop(name)


def put(place: str, value: Any) -> Change:
    parent, _, name = place.rpartition("/")
    return lambda schema: at(schema, parent).__setitem__(name, value)


def both(*changes: Change) -> Change:
    return lambda schema: [change(schema) for change in changes]


def remove(place: str, value: str) -> Change:
    return lambda schema: at(schema, place).remove(value)


def append(place: str, value: Any) -> Change:
    return lambda schema: at(schema, place).append(value)


def rename(place: str, name: str) -> Change:
    parent, _, old = place.rpartition("/")
    return lambda schema: at(schema, parent).__setitem__(name, at(schema, parent).pop(old))


def rename_class(old: str, new: str) -> Change:
    def change(schema: Schema) -> None:
        renamed = json.loads(json.dumps(schema).replace(old, new))
        schema.clear()
        schema.update(renamed)

    return change


STRING = {"type": "string"}
NULL = {"type": "null"}
BREAKING: dict[str, tuple[str, Change]] = {
    "a required field is removed": (
        f"{DATA}/properties/note_verbale",
        both(drop(f"{DATA}/properties/note_verbale"), remove(f"{DATA}/required", "note_verbale")),
    ),
    "an optional field is removed": (
        f"{DATA}/properties/submitted_by",
        drop(f"{DATA}/properties/submitted_by"),
    ),
    "an optional field is renamed": (f"{CONTACT}/phone", rename(f"{CONTACT}/phone", "telephone")),
    "a required field is renamed": (
        f"{DATA}/properties/ministry",
        both(
            rename(f"{DATA}/properties/ministry", "authority"),
            remove(f"{DATA}/required", "ministry"),
            append(f"{DATA}/required", "authority"),
        ),
    ),
    "an attribute of the envelope is removed": (
        "/properties/causationid",
        drop("/properties/causationid"),
    ),
    "a field is retyped": (f"{DATA}/properties/revision", put(f"{DATA}/properties/revision", STRING)),
    "a type is widened": (
        f"{DATA}/properties/revision",
        put(f"{DATA}/properties/revision/type", "number"),
    ),
    "a list becomes a single value": (f"{NEEDS}/themes", put(f"{NEEDS}/themes", STRING)),
    "the entries of a list are retyped": (
        f"{NEEDS}/themes/items",
        put(f"{NEEDS}/themes/items", {"type": "integer"}),
    ),
    "an object becomes a text": (f"{CONTACT}/name", put(f"{CONTACT}/name", STRING)),
    "a new field is required": (
        f"{DATA}/required",
        both(put(f"{DATA}/properties/x", STRING), append(f"{DATA}/required", "x")),
    ),
    "an optional field becomes required": (
        f"{DATA}/properties/submitted_by",
        append(f"{DATA}/required", "submitted_by"),
    ),
    "a required field becomes optional": (
        f"{DATA}/properties/note_verbale",
        remove(f"{DATA}/required", "note_verbale"),
    ),
    "an enum loses a value": (
        f"{DATA}/properties/submitted_by",
        remove(f"{DATA}/properties/submitted_by/enum", "staff"),
    ),
    "an enum gains a value": (
        f"{DATA}/properties/submitted_by",
        append(f"{DATA}/properties/submitted_by/enum", "robot"),
    ),
    "a shared enum gains a value": ("/$defs/Rank", append("/$defs/Rank/enum", "monarch")),
    "a field may be null": (
        f"{DATA}/properties/note_verbale",
        put(f"{DATA}/properties/note_verbale", {"anyOf": [STRING, NULL]}),
    ),
    "a field may no longer be null": (f"{CONTACT}/phone", put(f"{CONTACT}/phone", STRING)),
    "a union gains an alternative": (
        f"{CONTACT}/phone",
        append(f"{CONTACT}/phone/anyOf", {"type": "integer"}),
    ),
    "an alternative of a union changes": (
        f"{CONTACT}/phone/anyOf/0",
        put(f"{CONTACT}/phone/anyOf/0/pattern", "^[0-9]+$"),
    ),
    "a text may be longer": (
        f"{DATA}/properties/note_verbale",
        put(f"{DATA}/properties/note_verbale/maxLength", 5000),
    ),
    "a text must be shorter": (
        f"{DATA}/properties/note_verbale",
        put(f"{DATA}/properties/note_verbale/maxLength", 100),
    ),
    "a text may be empty": (
        f"{DATA}/properties/note_verbale",
        drop(f"{DATA}/properties/note_verbale/minLength"),
    ),
    "a lower bound falls": (f"{NEEDS}/size", put(f"{NEEDS}/size/minimum", 0)),
    "an upper bound rises": (f"{NEEDS}/days", put(f"{NEEDS}/days/maximum", 15)),
    "an exclusive bound comes": (f"{NEEDS}/size", put(f"{NEEDS}/size/exclusiveMinimum", 1)),
    "a list may be empty": (f"{NEEDS}/windows", drop(f"{NEEDS}/windows/minItems")),
    "a list is cut short": (f"{NEEDS}/themes", put(f"{NEEDS}/themes/maxItems", 3)),
    "entries must differ": (f"{NEEDS}/themes", put(f"{NEEDS}/themes/uniqueItems", True)),
    "a pattern is loosened": (
        f"{DATA}/properties/country",
        put(f"{DATA}/properties/country/pattern", "^[A-Z]{2,3}$"),
    ),
    "a pattern is dropped from a list's entries": (
        f"{NEEDS}/themes/items",
        drop(f"{NEEDS}/themes/items/pattern"),
    ),
    "a day becomes an instant": (
        "/$defs/DateWindow/properties/first",
        put("/$defs/DateWindow/properties/first/format", "date-time"),
    ),
    "an id becomes any text": ("/properties/id", drop("/properties/id/format")),
    "a number must be even": (f"{NEEDS}/size", put(f"{NEEDS}/size/multipleOf", 2)),
    "a default changes": (
        f"{DATA}/properties/submitted_by",
        put(f"{DATA}/properties/submitted_by/default", "staff"),
    ),
    "the default of an optional list changes": (
        "/$defs/DelegationPeople/properties/guests",
        put("/$defs/DelegationPeople/properties/guests/default", [{}]),
    ),
    "unknown fields are refused": ("/$defs/Needs", put("/$defs/Needs/additionalProperties", False)),
    "the type's name changes": ("/properties/type", put("/properties/type/const", "visits.request.sent.v1")),
}
HARMLESS: dict[str, Change] = {
    "an optional field is added": put(f"{DATA}/properties/priority", {"type": "integer", "default": 0}),
    "an optional field is added deep down": put(f"{CONTACT}/fax", {"anyOf": [STRING, NULL], "default": None}),
    "an optional object with required fields is added": put(
        f"{DATA}/properties/visa", {"type": "object", "properties": {"kind": STRING}, "required": ["kind"]}
    ),
    "an optional attribute is added to the envelope": put("/properties/traceparent", STRING),
    "titles, descriptions and examples change": both(
        put(f"{DATA}/properties/note_verbale/title", "Purpose"),
        put(f"{DATA}/properties/note_verbale/description", "Why they come."),
        put(f"{DATA}/properties/reference/examples", []),
    ),
    "a class is renamed": rename_class("DelegationPeople", "Delegation"),
    "alternatives stand in another order": lambda schema: at(schema, f"{CONTACT}/phone/anyOf").reverse(),
    "an enum of one value is written as a constant": both(
        drop("/properties/specversion/const"), put("/properties/specversion/enum", ["1.0"])
    ),
}


@pytest.mark.parametrize("name", BREAKING)
def test_a_breaking_change_is_named_with_its_place_and_the_next_version(kept: Schema, name: str):
    place, change = BREAKING[name]
    current = copy.deepcopy(kept)
    change(current)

    problems = list(compare(TYPE, kept, current))

    assert problems, name
    assert all(problem.breaking for problem in problems)
    assert place in {problem.place for problem in problems}
    assert at(kept, place) is not None, "the place is a JSON pointer into the kept schema"
    for problem in problems:
        assert str(problem).startswith(f"{TYPE} at /")
        assert "make a new version: visits.request.submitted.v2" in str(problem)


@pytest.mark.parametrize("name", HARMLESS)
def test_a_harmless_change_only_asks_for_an_export(kept: Schema, name: str):
    current = copy.deepcopy(kept)
    HARMLESS[name](current)
    assert current != kept

    problems = list(compare(TYPE, kept, current))

    assert [(problem.breaking, problem.remedy) for problem in problems] == [
        (False, "run `wafd schemas export`")
    ]


@pytest.mark.parametrize("type_", current_schemas())
def test_an_unchanged_schema_has_no_problems(type_: str):
    schema = current_schemas()[type_]
    assert list(compare(type_, schema, copy.deepcopy(schema))) == []


def test_an_added_field_passes_in_every_object_of_every_type():
    for type_, schema in current_schemas().items():
        for name in ["", *schema["$defs"]]:
            current = copy.deepcopy(schema)
            node = current["$defs"][name] if name else current
            if "properties" in node:
                node["properties"]["added"] = {"type": "string", "default": ""}
                assert find_breaks(schema, current) == [], (type_, name)


def test_a_removed_field_is_caught_in_every_object_of_every_type():
    for type_, schema in current_schemas().items():
        for name, definition in [("", schema), *schema["$defs"].items()]:
            for gone in definition.get("properties", ()):
                current = copy.deepcopy(schema)
                node = current["$defs"][name] if name else current
                del node["properties"][gone]
                node["required"] = [kept for kept in node["required"] if kept != gone]
                place = f"/$defs/{name}/properties/{gone}" if name else f"/properties/{gone}"
                assert place in {one.place for one in find_breaks(schema, current)}, (type_, place)


class Circle(BaseModel):
    shape: Literal["circle"]
    radius: int


class Square(BaseModel):
    shape: Literal["square"]
    side: int


class Box(BaseModel):
    content: Circle | Square = Field(discriminator="shape")
    inner: "list[Box]" = []
    labels: dict[str, int] = {}


def test_a_tagged_union_a_tree_and_a_mapping_are_judged():
    schema = Box.model_json_schema()
    added, removed, retyped, strict, lost = (copy.deepcopy(schema) for _ in range(5))
    added["$defs"]["Square"]["properties"]["angle"] = {"type": "integer", "default": 0}
    del removed["$defs"]["Square"]["properties"]["side"]
    removed["$defs"]["Square"]["required"] = ["shape"]
    retyped["$defs"]["Box"]["properties"]["labels"]["additionalProperties"] = STRING
    strict["$defs"]["Box"]["properties"]["labels"] = {"type": "object", "additionalProperties": False}
    lost["$defs"]["Box"]["properties"]["content"] = {"$ref": "#/$defs/Circle"}

    assert find_breaks(schema, copy.deepcopy(schema)) == []
    assert find_breaks(schema, added) == []
    assert [one.place for one in find_breaks(schema, removed)] == ["/$defs/Square/properties/side"]
    labels = "/$defs/Box/properties/labels"
    assert [one.place for one in find_breaks(schema, retyped)] == [f"{labels}/additionalProperties"]
    assert labels in {one.place for one in find_breaks(schema, strict)}
    assert "/$defs/Box/properties/content" in {one.place for one in find_breaks(schema, lost)}


def test_no_alternative_can_be_added_that_differs_only_in_its_format():
    """`jsoncompat` takes all texts for alike, whatever their formats."""
    day = {"type": "string", "format": "date"}
    instant = {"type": "string", "format": "date-time"}
    kept, current = {"anyOf": [day, NULL]}, {"anyOf": [day, instant, NULL]}

    assert [one.place for one in find_breaks(kept, current)] == [""]
    assert find_breaks(day, {"anyOf": [day, instant]})


def test_keeping_unknown_fields_instead_of_skipping_them_is_harmless():
    skipping = {"type": "object", "properties": {"a": STRING}}
    assert find_breaks(skipping, {**skipping, "additionalProperties": True}) == []


def test_a_field_cannot_be_added_where_unknown_fields_are_refused():
    class Strict(BaseModel):
        model_config = ConfigDict(extra="forbid")
        first: int

    class Wider(Strict):
        second: int = 0

    assert find_breaks(Strict.model_json_schema(), Wider.model_json_schema())
