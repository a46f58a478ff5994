"""Golden messages, and made-up messages that a contract schema allows."""

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
from hypothesis import strategies as st

import schemas
from schemas.contracts import KEPT

Schema = dict[str, Any]
GOLDEN = Path(schemas.__file__).parent / "golden"
LETTERS = "abcXYZ019 .,-éأبتثمرحبا،؟\u200f😀"
TEXT = st.text(LETTERS + "\n\t", min_size=1, max_size=40).map(str.strip).filter(bool)
LINE = st.text(LETTERS, min_size=1, max_size=40).map(str.strip).filter(bool)
ZONES = (UTC, timezone(timedelta(hours=3)), timezone(-timedelta(hours=9, minutes=30)))
INSTANTS = st.builds(
    datetime.combine, st.dates(date(1990, 1, 1), date(2090, 1, 1)), st.times(), st.sampled_from(ZONES)
)
FORMATS: dict[str, st.SearchStrategy[str]] = {
    "uuid": st.uuids().map(str),
    "date": st.dates().map(str),
    "date-time": INSTANTS.map(datetime.isoformat),
    "email": st.from_regex(r"[a-z][a-z0-9]{0,8}@[a-z]{1,8}\.example", fullmatch=True),
}


def goldens() -> list[Path]:
    return sorted(GOLDEN.glob("*/*.json"))


@cache
def kept_schema(type_: str) -> Schema:
    schema: Schema = json.loads((KEPT / f"{type_}.json").read_text(encoding="utf-8"))
    return schema


def kept_types() -> list[str]:
    return sorted(path.stem for path in KEPT.glob("*.json"))


@cache
def _validator(type_: str) -> Any:
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    return jsonschema.Draft202012Validator(kept_schema(type_), format_checker=checker)


def assert_kept_schema_accepts(type_: str, message: Any) -> None:
    _validator(type_).validate(message)


@cache
def messages(type_: str) -> st.SearchStrategy[Any]:
    """Messages that a type's contract allows, with and without what is optional."""
    return _values(kept_schema(type_), kept_schema(type_))


def _values(node: Schema, root: Schema) -> st.SearchStrategy[Any]:
    if "$ref" in node:
        name = node["$ref"].removeprefix("#/$defs/")
        values = _values(root["$defs"][name], root)
        return values.map(_in_order) if name == "DateWindow" else values
    if "anyOf" in node:
        return st.one_of(*(_values(part, root) for part in node["anyOf"]))
    if "const" in node or "enum" in node:
        return st.sampled_from(node.get("enum") or [node["const"]])
    return VALUES[node["type"]](node, root)


def _objects(node: Schema, root: Schema) -> st.SearchStrategy[Any]:
    fields = {name: _values(part, root) for name, part in node["properties"].items()}
    required = {name: fields.pop(name) for name in node.get("required", ())}
    return st.fixed_dictionaries(required, optional=fields)


def _lists(node: Schema, root: Schema) -> st.SearchStrategy[Any]:
    least = node.get("minItems", 0)
    return st.lists(_values(node["items"], root), min_size=least, max_size=least + 2)


def _strings(node: Schema, _: Schema) -> st.SearchStrategy[str]:
    if "format" in node:
        return FORMATS[node["format"]]
    match node.get("pattern"):
        case None:
            return TEXT
        case r"^[^\r\n]*$":
            return LINE
        case pattern:
            most = node.get("maxLength", 300)
            return st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True).filter(
                lambda text: len(text) <= most and not text.endswith("\n")
            )


def _in_order(window: dict[str, str]) -> dict[str, str]:
    first, last = sorted((window["first"], window["last"]))
    return {**window, "first": first, "last": last}


VALUES: dict[str, Callable[[Schema, Schema], st.SearchStrategy[Any]]] = {
    "object": _objects,
    "array": _lists,
    "string": _strings,
    "integer": lambda node, _: st.integers(node.get("minimum"), node.get("maximum", 10**6)),
    "boolean": lambda *_: st.booleans(),
    "null": lambda *_: st.none(),
}
