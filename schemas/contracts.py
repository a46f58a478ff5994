"""The kept contracts: a JSON Schema for every event type, compared with what the code says now."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from schemas import eventlog, notifications, scheduling, visits
from schemas.compatibility import Schema, find_breaks
from schemas.event import EVENTS, envelope
from schemas.reference import events_page

EMITTERS: tuple[ModuleType, ...] = (visits, scheduling, notifications, eventlog)
"""The modules of all events; importing them fills `EVENTS`."""

KEPT = Path(__file__).parent / "json"
PAGE = Path(__file__).parents[1] / "docs" / "events.md"
EXPORT = "wafd schemas export"


@dataclass(frozen=True)
class Problem:
    """One difference between the kept contracts and the code; ``place`` is a JSON pointer or empty."""

    type: str
    place: str
    what: str
    remedy: str
    breaking: bool

    def __str__(self) -> str:
        """One sentence: what, where, why, and what to do."""
        where = f"{self.type} at {self.place}" if self.place else self.type
        return f"{where}: {self.what}; {self.remedy}."


class BreakingChange(Exception):
    """The kept contracts were not written, for code or messages that rely on them would break."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(f"{self.__doc__} {problems[0]}")
        self.problems = problems


def current_schemas() -> dict[str, Schema]:
    """The JSON Schema of each event type's whole envelope, by type, as the code has it now."""
    return {type_: _schema(type_) for type_ in sorted(EVENTS)}


def _schema(type_: str) -> Schema:
    schema = envelope(type_).model_json_schema()
    # CloudEvents demands both; that our reader would fill them in is no promise to anybody.
    schema["required"] = [*schema["required"], "specversion", "type"]
    for node in (schema, *schema.get("$defs", {}).values()):
        if "required" in node:
            node["required"] = sorted(node["required"])
    return {
        **schema,
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://wafd.example/schemas/{type_}.json",
    }


def schema_text(schema: Schema) -> str:
    """The text that is kept of a schema: the same for the same schema."""
    return json.dumps(schema, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def check_contracts(kept: Path, page: Path) -> list[Problem]:
    """Compare the kept schemas and the page about the events with the code; breaking ones come first."""
    current = current_schemas()
    problems = [*_of_kept(kept, current), *_of_new(kept, current)]
    if not page.is_file() or page.read_bytes() != events_page(current).encode():
        problems.append(_stale("docs/events.md", "the page does not say what the code says"))
    return sorted(problems, key=lambda problem: not problem.breaking)


def export_contracts(kept: Path, page: Path) -> list[Path]:
    """Write what changed of the kept schemas and the page; returns the files that were written.

    Raises `BreakingChange`, before anything is written.
    """
    if breaking := [problem for problem in check_contracts(kept, page) if problem.breaking]:
        raise BreakingChange(breaking)
    current = current_schemas()
    texts = {kept / f"{type_}.json": schema_text(schema) for type_, schema in current.items()}
    texts[page] = events_page(current)
    return [path for path, text in texts.items() if _write(path, text.encode())]


def _write(path: Path, content: bytes) -> bool:
    """Whether the file had to be written."""
    if path.is_file() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return True


def _of_kept(kept: Path, current: dict[str, Schema]) -> Iterator[Problem]:
    for path in sorted(kept.glob("*.json")):
        type_, schema = path.stem, _read(path)
        if schema is None:
            yield Problem(type_, "", f"{path.name} is no JSON object", "restore the kept file", breaking=True)
        elif type_ not in current:
            remedy = "keep its class, a type is retired by no longer emitting it"
            yield Problem(type_, "", "the event type is gone", remedy, breaking=True)
        elif schema != current[type_]:
            yield from compare(type_, schema, current[type_])
        elif path.read_bytes() != schema_text(schema).encode():
            yield _stale(type_, "the kept file is laid out differently")


def _read(path: Path) -> Schema | None:
    try:
        schema = json.loads(path.read_bytes())
    except ValueError:
        return None
    return schema if isinstance(schema, dict) else None


def _of_new(kept: Path, current: dict[str, Schema]) -> Iterator[Problem]:
    for type_ in current:
        if not (kept / f"{type_}.json").is_file():
            yield _stale(type_, "no schema is kept of this event type")


def compare(type_: str, kept: Schema, current: Schema) -> Iterator[Problem]:
    """What of one event type's schema changed since it was kept."""
    breaks = find_breaks(kept, current)
    for one in breaks:
        remedy = f"make a new version: {next_version(type_)}"
        yield Problem(type_, one.place, one.what, remedy, breaking=True)
    if not breaks and kept != current:
        yield _stale(type_, "the event type changed in a compatible way")


def next_version(type_: str) -> str:
    """The name of the version after this one: `a.b.c.v1` → `a.b.c.v2`."""
    name, version = type_.rsplit(".v", 1)
    return f"{name}.v{int(version) + 1}"


def _stale(type_: str, what: str) -> Problem:
    return Problem(type_, "", what, f"run `{EXPORT}`", breaking=False)
