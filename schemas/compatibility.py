"""Whether two JSON Schemas of one event type can be written and read by either side's code.

`jsoncompat` judges what it knows: the writer's schema, closed (it writes no field that it does not
name), has to fit into the reader's open one, for old messages and new code and for new messages and
old code. It cannot see a removed optional field, nor a changed `pattern`, `format` or `default`, and
it names no place; the walk below does.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Schema = dict[str, Any]

# Keywords that decide nothing about which messages are valid (`default` is compared on its own).
ANNOTATIONS = frozenset(
    {"$comment", "$defs", "$id", "$schema", "default", "deprecated", "description", "discriminator"}
    | {"examples", "title"}
)
# Keywords that jsoncompat was seen to judge rightly; in all others any change counts as breaking. A union
# or list that is built differently is among those, for what jsoncompat misses could hide in its parts.
JUDGED = frozenset(
    {"const", "enum", "exclusiveMaximum", "exclusiveMinimum", "maximum", "maxItems", "maxLength"}
    | {"minimum", "minItems", "minLength", "type", "uniqueItems"}
)
OLD_MESSAGES = "new code may refuse old messages"
NEW_MESSAGES = "old code may refuse new messages"
BOTH_WAYS = "new code may refuse old messages, and old code new ones"


@dataclass(frozen=True)
class Break:
    """One reason why two schemas cannot go by one version; ``place`` is a JSON pointer into the kept one."""

    place: str
    what: str


def find_breaks(kept: Schema, current: Schema) -> list[Break]:
    """What makes ``current`` a breaking change of ``kept``; nothing when fields were only added."""
    found = list(_Walk(kept, current).compare(kept, current, ""))
    if not found and kept != current and (verdict := _verdict(kept, current)):
        found = [Break("", verdict)]
    return found


@dataclass
class _Walk:
    kept: Schema
    current: Schema
    seen: set[tuple[str, str]] = field(default_factory=set)

    def compare(self, kept: Schema, current: Schema, place: str) -> Iterator[Break]:
        """Compare two nodes that stand for the same value in a message."""
        refs = (kept.get("$ref", ""), current.get("$ref", ""))
        if all(refs):
            if refs in self.seen:
                return
            self.seen.add(refs)
            if refs[0] == refs[1]:
                place = refs[0].removeprefix("#")  # where the definition is, not who uses it
        kept, current = _resolved(kept, self.kept), _resolved(current, self.current)
        descended: set[str] = set()
        if kept.get("type") == current.get("type") == "object":
            descended |= {"properties", "required"}
            yield from self._fields(kept, current, place)
            if _closed(kept) != _closed(current):
                descended.add("additionalProperties")
                yield Break(place, "unknown fields are refused on one side only, so no field could be added")
        for keyword, pairs in self._children(kept, current):
            descended.add(keyword)
            for suffix, (old, new) in pairs.items():
                yield from self.compare(old, new, f"{place}/{keyword}{suffix}")
        yield from self._rest(_facts(kept, descended), _facts(current, descended), place)

    def _fields(self, kept: Schema, current: Schema, place: str) -> Iterator[Break]:
        old, new = kept.get("properties", {}), current.get("properties", {})
        old_required, new_required = set(kept.get("required", ())), set(current.get("required", ()))
        for name in sorted(new_required - old.keys()):
            yield Break(f"{place}/required", f"the new field {name!r} is required, {OLD_MESSAGES}")
        for name in old:
            here = f"{place}/properties/{_escaped(name)}"
            if name not in new:
                yield Break(here, f"the field {name!r} is gone, old code and old messages may have it")
                continue
            if name in new_required - old_required:
                yield Break(here, f"the field {name!r} became required, {OLD_MESSAGES}")
            if name in old_required - new_required:
                yield Break(here, f"the field {name!r} is no longer required, {NEW_MESSAGES}")
            yield from _default(old[name], new[name], here)
            yield from self.compare(old[name], new[name], here)

    def _children(
        self, kept: Schema, current: Schema
    ) -> Iterator[tuple[str, dict[str, tuple[Schema, Schema]]]]:
        for keyword in ("items", "additionalProperties"):
            old, new = kept.get(keyword), current.get(keyword)
            if isinstance(old, dict) and isinstance(new, dict):
                yield keyword, {"": (old, new)}
        for keyword in ("anyOf", "oneOf", "prefixItems"):
            olds, news = kept.get(keyword, ()), current.get(keyword, ())
            if not olds or len(olds) != len(news):
                continue
            places = [f"/{index}" for index in range(len(olds))]
            if keyword != "prefixItems":  # alternatives may stand in any order
                order = sorted(range(len(olds)), key=lambda index: _kind(olds[index], self.kept))
                olds, places = [olds[index] for index in order], [places[index] for index in order]
                news = sorted(news, key=lambda node: _kind(node, self.current))
            yield keyword, dict(zip(places, zip(olds, news, strict=True), strict=True))

    def _rest(self, kept: Schema, current: Schema, place: str) -> Iterator[Break]:
        """Compare what the two nodes themselves demand."""
        if kept == current:
            return
        change = f"{_brief(kept)} became {_brief(current)}"
        if verdict := _verdict(_whole(kept, self.kept), _whole(current, self.current)):
            yield Break(place, f"{change}, {verdict}")
            return
        changed = {key for key in kept.keys() | current.keys() if kept.get(key) != current.get(key)}
        if unjudged := sorted(changed - JUDGED):
            yield Break(place, f"{change}, {BOTH_WAYS} ({', '.join(unjudged)})")


def _default(kept: Schema, current: Schema, place: str) -> Iterator[Break]:
    if "default" in kept and "default" in current and kept["default"] != current["default"]:
        change = f"the default {_brief(kept['default'])} became {_brief(current['default'])}"
        yield Break(place, f"{change}, old messages without the field would be read differently")


def _closed(node: Schema) -> bool:
    return node.get("additionalProperties") is False


def _facts(node: Schema, descended: set[str]) -> Schema:
    """What a node demands, without what is compared elsewhere; a tagged union reads as any union."""
    facts = {key: value for key, value in node.items() if key not in ANNOTATIONS | descended}
    if facts.get("additionalProperties") is True:  # that is what a schema says that does not mention it
        del facts["additionalProperties"]
    if "oneOf" in facts:
        facts["anyOf"] = facts.pop("oneOf")
    return facts


def _whole(node: Schema, root: Schema) -> Schema:
    return {**node, "$defs": root.get("$defs", {})}


def _resolved(node: Schema, root: Schema) -> Schema:
    while "$ref" in node:
        name = node["$ref"].removeprefix("#/$defs/")
        node = {**root["$defs"][name], **{key: value for key, value in node.items() if key != "$ref"}}
    return node


def _kind(node: Schema, root: Schema) -> str:
    """What an alternative of a union is recognised by: its type, then its own name or tag."""
    target = _resolved(node, root)
    tags = [part["const"] for part in target.get("properties", {}).values() if "const" in part]
    return json.dumps([target.get("type"), target.get("const"), tags, target.get("title")], default=str)


def _verdict(kept: Schema, current: Schema) -> str | None:
    old_readable, new_readable = _fits(kept, current), _fits(current, kept)
    if old_readable and new_readable:
        return None
    if old_readable:
        return NEW_MESSAGES
    return OLD_MESSAGES if new_readable else BOTH_WAYS


def _fits(writer: Schema, reader: Schema) -> bool:
    """Whether all that ``writer`` can write is valid for ``reader``; what cannot be judged does not."""
    import jsoncompat  # noqa: PLC0415  # only a checkout for development has it, and only a change needs it

    open_reader, closed_writer = _plain(reader, close=False), _plain(writer, close=True)
    try:
        return jsoncompat.check_compat(json.dumps(open_reader), json.dumps(closed_writer), "serializer")
    except ValueError:
        return False


def _plain(node: Any, *, close: bool) -> Any:
    """A schema in the words that jsoncompat judges rightly, closed for a writer.

    It takes a `oneOf` of tagged objects for incompatible with itself, but not the same `anyOf`.
    """
    if isinstance(node, list):
        return [_plain(part, close=close) for part in node]
    if not isinstance(node, dict):
        return node
    plain: Schema = {}
    for key, value in node.items():
        if key in {"properties", "$defs"}:  # their keys are names, not keywords
            plain[key] = {name: _plain(part, close=close) for name, part in value.items()}
        elif key not in ANNOTATIONS:
            literal = key in {"const", "enum"}
            plain["anyOf" if key == "oneOf" else key] = value if literal else _plain(value, close=close)
    if close and "properties" in plain:
        plain.setdefault("additionalProperties", False)
    return plain


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _brief(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= 160 else f"{text[:157]}..."  # noqa: PLR2004  # what fits on two lines
