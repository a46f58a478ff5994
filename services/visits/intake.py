"""The one way in: reads and checks a request, whichever path it came by, and names every wrong field."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError, create_model
from pydantic_core import ErrorDetails, from_json, to_json

from schemas.event import Frozen
from schemas.scheduling import CataloguePublished
from services.visits.checks import ALL_FIELDS, Problem, problems
from services.visits.request import VisitRequest, pointer_part

MOST_VALUES = 12_000
"""JSON values in a body; a delegation of 200 with every field takes fewer."""

LONGEST_LIST = 400
"""Items in a list; none that is asked for may have as many."""


class MalformedJson(ValueError):
    """The body is not JSON in UTF-8."""


class Refused(ValueError):
    """Fields are wrong; every one is named."""

    def __init__(self, found: Sequence[Problem]) -> None:
        super().__init__(f"{len(found)} problems")
        self.problems = tuple(found)


M = TypeVar("M", bound=BaseModel)


def read_body(kind: type[M], raw: bytes) -> M:
    """Read a JSON body strictly: no unknown fields, no numbers for texts.

    Raises `MalformedJson`, or `Refused` with every wrong field. A body that could keep the validator
    busy for seconds, and with it everybody else's requests, is refused by its size alone.
    """
    _check_size(raw)
    try:
        return kind.model_validate_json(raw, strict=True, extra="forbid")
    except ValidationError as error:
        raise _refusal(error.errors(include_url=False, include_input=False)) from None


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


def read_request(raw: bytes, catalogue: CataloguePublished, today: date) -> VisitRequest:
    """Read a visit request and check it against the catalogue and ``today`` (at the Centre).

    Raises `MalformedJson`, or `Refused` with every wrong field, also those that are wrong only
    in the light of other fields.
    """
    try:
        request = read_body(VisitRequest, raw)
    except Refused as refused:
        raise Refused((*refused.problems, *_problems_of_the_rest(raw, refused, catalogue, today))) from None
    if found := problems(request, catalogue, today):
        raise Refused(found)
    return request


def read_amendment(
    old: VisitRequest, document: Mapping[str, Any], catalogue: CataloguePublished, today: date
) -> VisitRequest:
    """Read an amended request; what is wrong with ``old`` already, for time has passed, does not count.

    Raises `Refused`.
    """
    raw = to_json(document)
    before = set(problems(old, catalogue, today))
    try:
        return read_request(raw, catalogue, today)
    except Refused as refused:
        if new := [problem for problem in refused.problems if problem not in before]:
            raise Refused(new) from None
    return read_body(VisitRequest, raw)


def merged(target: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def read_patch(raw: bytes) -> dict[str, Any]:
    """Read a merge patch. Raises `MalformedJson`, or `Refused` when it is no object or empty."""
    try:
        patch = from_json(raw)
    except ValueError:
        raise MalformedJson("the body is not JSON in UTF-8") from None
    if not isinstance(patch, dict):
        raise Refused([Problem("", "the merge patch has to be an object")])
    if not patch:
        raise Refused([Problem("", "the patch is empty: name what is to change")])
    return patch


_Rest: type[BaseModel] = create_model(
    "_Rest",
    __base__=Frozen,
    **{
        name: (field.annotation, None if field.is_required() else field.default)
        for name, field in VisitRequest.model_fields.items()
    },
)  # type: ignore[call-overload]  # fields chosen at run time


def _problems_of_the_rest(
    raw: bytes, refused: Refused, catalogue: CataloguePublished, today: date
) -> list[Problem]:
    """Check the fields that could be read, so that one wrong field does not hide another."""
    document = from_json(raw)
    if not isinstance(document, dict):
        return []
    sound = ALL_FIELDS - {problem.pointer.split("/")[1] for problem in refused.problems if problem.pointer}
    rest = _Rest.model_validate_json(
        to_json({name: document[name] for name in sound & set(document)}), strict=True
    )
    return problems(cast("VisitRequest", rest), catalogue, today, sound)


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
