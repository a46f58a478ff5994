"""Reads the Centre's master data from YAML and names every fault with its file and line."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from services.scheduling.centre import Centre
from services.scheduling.centre_checks import Location, inconsistencies


@dataclass(frozen=True)
class Fault:
    """One wrong thing in the file; lines count from 1."""

    line: int
    reason: str


class BadCentre(ValueError):
    """The master data are wrong; the message lists each fault as ``file:line: reason``."""

    def __init__(self, path: Path, faults: tuple[Fault, ...]) -> None:
        self.faults = faults
        lines = (f"{path}:{fault.line}: {fault.reason}" for fault in faults)
        super().__init__("the Centre's master data cannot be used:\n" + "\n".join(lines))


def load_centre(path: Path) -> Centre:
    """Read the Centre from a YAML file in UTF-8.

    Raises `BadCentre`, also when the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            if isinstance(token, yaml.AliasToken):  # a few lines of them stand for millions
                fault = Fault(token.start_mark.line + 1, "aliases (*name) are not read here: write it out")
                raise BadCentre(path, (fault,))
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if not isinstance(root, yaml.MappingNode):
            raise BadCentre(path, (Fault(1, "the file must hold a mapping with the keys of a centre"),))
        return _validated(path, root)
    except RecursionError:
        raise BadCentre(path, (Fault(1, "the file is nested too deeply"),)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadCentre(path, (Fault(1, f"the file cannot be read: {error}"),)) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BadCentre(path, (Fault(line, f"this is not YAML: {error.problem}"),)) from error
    except yaml.YAMLError as error:
        raise BadCentre(path, (Fault(1, f"this is not YAML: {error}"),)) from error


def _validated(path: Path, root: yaml.MappingNode) -> Centre:
    raw = _value_of(root)
    faults = [Fault(line, reason) for line, reason in _repeated_keys(root)]
    centre: Centre | None = None
    try:
        centre = Centre.model_validate(raw, extra="forbid")
    except ValidationError as error:
        faults += [Fault(_line_at(root, item["loc"]), _reason(item)) for item in error.errors()]
    faults += [Fault(_line_at(root, location), reason) for location, reason in inconsistencies(raw)]
    if faults or centre is None:
        raise BadCentre(path, tuple(sorted(set(faults), key=lambda fault: (fault.line, fault.reason))))
    return centre


def _reason(item: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in item["loc"]) or "the file"
    match item["type"]:
        case "extra_forbidden":
            return f"{where}: this key is not known"
        case "missing":
            return f"{where}: this key is missing"
        case _:
            return f"{where}: {item['msg'].removeprefix('Value error, ')}"


def _value_of(node: yaml.Node) -> Any:
    """Plain values only: scalars stay text, so that 14:00 is no number and ``no`` is Norwegian."""
    match node:
        case yaml.MappingNode():
            return {_value_of(key): _value_of(value) for key, value in node.value if _is_scalar(key)}
        case yaml.SequenceNode():
            return [_value_of(item) for item in node.value]
        case _:
            return None if node.tag == "tag:yaml.org,2002:null" else str(node.value)


def _is_scalar(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode)


def _repeated_keys(node: yaml.Node) -> Iterator[tuple[int, str]]:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated_keys(item)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if not _is_scalar(key):
                yield key.start_mark.line + 1, "a key must be a word"
            elif key.value in seen:
                yield key.start_mark.line + 1, f"the key {key.value} stands twice here"
            seen.add(str(key.value))
            yield from _repeated_keys(value)


def _line_at(root: yaml.Node, location: Location) -> int:
    """The line of the innermost node that exists along the location; of a mapping's entry, its key's."""
    node, line = root, root.start_mark.line + 1
    for part in location:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        elif isinstance(node, yaml.MappingNode):
            entry = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if entry is None:
                break
            line, node = entry[0].start_mark.line + 1, entry[1]
        else:
            break
    return line
