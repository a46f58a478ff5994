"""JSON from outside: read strictly, each wrong field named by its pointer, nothing repeated of the values."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, from_json

MOST_VALUES = 12_000
"""JSON values in a body; a delegation of 200 with every field takes fewer."""

LONGEST_LIST = 400
"""Items in a list; none that is asked for may have as many."""

M = TypeVar("M", bound=BaseModel)


class Problem(NamedTuple):
    """One wrong field by its JSON pointer (RFC 6901), and a sentence that says why, without personal data."""

    pointer: str
    detail: str


class MalformedJson(ValueError):
    """The body is not JSON in UTF-8."""


class Refused(ValueError):
    """Fields are wrong; every one is named."""

    def __init__(self, found: Sequence[Problem]) -> None:
        super().__init__(f"{len(found)} problems")
        self.problems = tuple(found)


def read_body(kind: type[M], raw: bytes, *, extra: Literal["forbid"] | None = "forbid") -> M:
    """Read a JSON body strictly: no unknown fields, unless ``kind`` says so itself; no numbers for texts.

    Raises `MalformedJson`, or `Refused` with every wrong field. A body that could keep the validator
    busy for seconds, and with it everybody else's requests, is refused by its size alone.
    """
    _check_size(raw)
    try:
        return kind.model_validate_json(raw, strict=True, extra=extra)
    except ValidationError as error:
        raise _refusal(error.errors(include_url=False, include_input=False)) from None


def pointer_part(key: str) -> str:
    """Escape one key for a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def _check_size(raw: bytes) -> None:
    try:
        waiting: list[tuple[str, Any]] = [("", from_json(raw))]
    except ValueError:
        return  # the validator says what is wrong
    values = 0
    while waiting:
        at, value = waiting.pop()
        if isinstance(value, list) and len(value) > LONGEST_LIST:
            raise Refused([Problem(at, f"{len(value)} items are too many: at most {LONGEST_LIST} in a list")])
        items: list[tuple[Any, Any]] = []
        if isinstance(value, (dict, list)):
            items = list(value.items() if isinstance(value, dict) else enumerate(value))
        values += len(items)
        if values > MOST_VALUES:
            raise Refused([Problem("", f"the body holds too many values: at most {MOST_VALUES} are read")])
        waiting += [(f"{at}/{pointer_part(str(name))[:80]}", each) for name, each in items]


def _refusal(errors: Sequence[ErrorDetails]) -> Exception:
    if any(error["type"] == "json_invalid" for error in errors):
        return MalformedJson("the body is not JSON in UTF-8")
    return Refused(
        [Problem(_pointer(each["loc"]), _sentence(each)) for each in errors if not _follows(each, errors)]
    )


def _follows(error: ErrorDetails, errors: Sequence[ErrorDetails]) -> bool:
    """Say whether a list seems too short only since its items are wrong."""
    at = error["loc"]
    return error["type"] == "too_short" and any(
        each["loc"][: len(at)] == at and each is not error for each in errors
    )


def _pointer(location: Sequence[int | str]) -> str:
    return "".join(f"/{pointer_part(str(part))[:80]}" for part in location)


def _sentence(error: ErrorDetails) -> str:
    """Say what is wrong without repeating the value, which may be personal."""
    if error["loc"] and error["loc"][-1] == "email" and error["type"] == "value_error":
        return "this is not a valid e-mail address"
    match error["type"]:
        case "extra_forbidden":
            return "this field is not known here"
        case "missing":
            return "this field is required"
        case "too_short":
            return f"at least {error['ctx']['min_length']} wanted here"
        case "too_long":
            return f"at most {error['ctx']['max_length']} allowed here"
        case _:
            return error["msg"].removeprefix("Value error, ")
