"""Errors as RFC 9457 problem details: what went wrong becomes an answer, and nothing else leaks."""

import traceback
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, NamedTuple

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from runtime.bodies import MalformedJson, Problem, Refused
from runtime.errors import OUTAGES

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = {"Retry-After": "5"}
MOST_ERRORS = 200
"""Wrong fields that an answer names; how many there are it always says."""


class WrongField(BaseModel):
    """One wrong field of the body, or one wrong parameter of the query."""

    pointer: str | None = Field(default=None, description="JSON pointer (RFC 6901) into the body.")
    parameter: str | None = Field(default=None, description="Name of the wrong query parameter.")
    detail: str


class WrongParameter(NamedTuple):
    """One wrong query parameter by its name, and a sentence that says why."""

    parameter: str
    detail: str


class ProblemDetails(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(examples=["urn:wafd:problem:invalid-request"])
    title: str
    status: int
    detail: str
    errors: list[WrongField] | None = None


@dataclass
class HttpProblem(Exception):
    """A request that is answered with a problem; ``name`` ends the problem's type."""

    status: HTTPStatus
    name: str
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)
    errors: Sequence[Problem | WrongParameter] = ()

    def response(self) -> JSONResponse:
        """Write the problem as the answer."""
        body: dict[str, Any] = {
            "type": f"urn:wafd:problem:{self.name}",
            "title": self.status.phrase,
            "status": self.status.value,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = [each._asdict() for each in self.errors]
        return JSONResponse(body, self.status.value, dict(self.headers), MEDIA_TYPE)


Own = Callable[[Exception], HttpProblem | None]
"""A service's own errors as problems; None for all others."""


def problem_route(own: Own = lambda _: None) -> type[APIRoute]:
    """The kind of route whose failures are answered as problems."""

    class ProblemRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            answer = super().get_route_handler()

            async def answer_or_explain(request: Request) -> Response:
                try:
                    return await answer(request)
                except Exception as error:  # noqa: BLE001 -- whatever fails is answered, unknown things with 500
                    return (own(error) or explain(error)).response()

            return answer_or_explain

    return ProblemRoute


def explain(error: Exception) -> HttpProblem:
    """Find the problem that tells a client about ``error`` without internals or personal data."""
    match error:
        case HttpProblem():
            problem = error
        case MalformedJson() | ClientDisconnect():
            problem = HttpProblem(HTTPStatus.BAD_REQUEST, "malformed-json", "The body is not JSON in UTF-8.")
        case Refused():
            problem = _invalid(error.problems)
        case RequestValidationError():
            problem = _wrong_parameters(error)
        case HTTPException():
            problem = _plain(error)
        case _:
            problem = _failure(error)
    return problem


def add_problems(app: FastAPI) -> None:
    """Answer unknown paths and methods, which reach no route, with problems as well."""

    async def explained(_: Request, error: Exception) -> Response:
        return explain(error).response()

    app.add_exception_handler(HTTPException, explained)


def not_found() -> HttpProblem:
    """Say that there is nothing, also where there is something that is another's."""
    return HttpProblem(HTTPStatus.NOT_FOUND, "not-found", "There is no such visit among those you may see.")


def _failure(error: Exception) -> HttpProblem:
    # A client-side type error of asyncpg is an InterfaceError too, but a fault of ours and no outage.
    if isinstance(error, OUTAGES) and not isinstance(error, ValueError):
        log.warning("request cannot be served", error=type(error).__name__)
        return HttpProblem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "unavailable",
            "The service cannot answer at the moment; repeat the request with the same Idempotency-Key.",
            RETRY_AFTER,
        )
    # An exception's message may quote a row, so only its kind and place are logged.
    log.error("request failed", error=type(error).__name__, where=traceback.format_tb(error.__traceback__))
    return HttpProblem(
        HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "The request failed; the failure has been logged."
    )


def _invalid(errors: Sequence[Problem | WrongParameter], what: str = "field") -> HttpProblem:
    count = f"1 {what} is wrong." if len(errors) == 1 else f"{len(errors)} {what}s are wrong."
    return HttpProblem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", count, errors=errors[:MOST_ERRORS])


def _wrong_parameters(error: RequestValidationError) -> HttpProblem:
    found = error.errors()
    if any(each["loc"][0] == "path" for each in found):
        return not_found()
    wrong = [(str(each["loc"][-1]), each["msg"]) for each in found]
    errors = [WrongParameter(name, f"the query parameter {name} is wrong: {says}") for name, says in wrong]
    return _invalid(errors, "parameter")


def _plain(error: HTTPException) -> HttpProblem:
    status = HTTPStatus(error.status_code)
    name = status.phrase.lower().replace(" ", "-")
    return HttpProblem(status, name, f"{status.description or status.phrase}.", error.headers or {})
