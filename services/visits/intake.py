"""The one way in: reads and checks a request, whichever path it came by, and names every wrong field."""

from collections.abc import Mapping
from datetime import date
from typing import Any, cast

from pydantic import BaseModel, create_model
from pydantic_core import from_json, to_json

from runtime.bodies import MalformedJson, Problem, Refused, read_body
from schemas.event import Frozen
from schemas.scheduling import CataloguePublished
from services.visits.checks import ALL_FIELDS, problems
from services.visits.request import VisitRequest


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
