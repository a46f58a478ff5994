"""The HTTP interface of the service, for the Centre's officers."""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Literal, get_args
from uuid import UUID

from fastapi import APIRouter, FastAPI, Query, Request, Response, Security
from fastapi.security import HTTPBearer

from runtime.openapi import describe_bodies, problems_of
from runtime.problems import RETRY_AFTER, HttpProblem, add_problems, not_found, problem_route
from runtime.transaction import Transaction, Transactions
from schemas.terms import NoticeLanguage
from services.scheduling import store
from services.scheduling.answers import (
    Preview,
    ProgrammeView,
    answer,
    preview,
    programme_view,
    timetable_of,
)
from services.scheduling.calendar import span_of
from services.scheduling.centre import Centre
from services.scheduling.drawing import picture
from services.scheduling.edge import Edge, Officer
from services.scheduling.examples import WHAT_IF
from services.scheduling.page import HEADERS, Heading, page
from services.scheduling.picture import png, svg
from services.scheduling.problem import Problem
from services.scheduling.runs import horizon
from services.scheduling.store import Visit
from services.scheduling.timetable import Timetable
from services.scheduling.what_if import Busy, Previews, WhatIf, needs_of, read_what_if
from services.scheduling.words import headline

PROBLEMS = problems_of(
    {
        400: "The body is not JSON in UTF-8.",
        401: "The API key is missing, wrong or revoked.",
        403: "The client is no officer of the Centre.",
        404: "There is no such visit, or it holds no programme.",
        413: "The body is too large.",
        415: "The body is not of a media type that is read here.",
        422: "Fields or parameters are wrong; each is named.",
        503: "The service cannot answer at the moment, or too many previews wait already.",
    }
)
Format = Literal["html", "svg", "png"]
_key = HTTPBearer(auto_error=False, description="An officer's API key: `wafd_<prefix>_<secret>`.")


@dataclass(frozen=True)
class Counter:
    """What officers are served with; ``seconds`` bounds the search of a preview."""

    edge: Edge
    centre: Centre
    previews: Previews
    seconds: float


def routes(
    app: FastAPI,
    transactions: Transactions,
    *,
    centre: Centre,
    previews: Previews,
    seconds: float,
    body_limit: int,
) -> None:
    """Add the service's routes to its application."""
    counter = Counter(Edge(transactions, body_limit), centre, previews, seconds)
    router = APIRouter(
        prefix="/v1", route_class=problem_route(_own), dependencies=[Security(_key)], responses=PROBLEMS
    )
    add_previews(router, counter)
    add_programmes(router, counter)
    app.include_router(router)
    add_problems(app)
    describe_bodies(app, (WhatIf,))


def _own(error: Exception) -> HttpProblem | None:
    if isinstance(error, Busy):
        return HttpProblem(
            HTTPStatus.SERVICE_UNAVAILABLE, "busy", "Too many previews wait already; try again.", RETRY_AFTER
        )
    return None


_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/WhatIf"},
                "examples": {"typical": {"value": WHAT_IF}},
            }
        },
    }
}


def add_previews(router: APIRouter, counter: Counter) -> None:
    """Add what-if."""

    @router.post(
        "/programme-previews", response_model=Preview, tags=["what-if"], openapi_extra=_BODY,
        response_model_exclude_none=True,
    )  # fmt: skip
    async def preview_programmes(request: Request) -> Response:
        """Show up to three programmes that a visit request could have now; nothing is booked or kept.

        The body is a visit request or only the part of it that planning needs; names and documents of
        the delegation are better left out. Without a programme the answer says why, and what would be
        possible instead.
        """

        async def ask(tx: Transaction, _: Officer, raw: bytes) -> Problem:
            return await problem_of(tx, counter, raw)

        outcome = await counter.previews.offer(await counter.edge.change(request, ask))
        return answer(preview(counter.centre, outcome))


async def problem_of(tx: Transaction, counter: Counter, raw: bytes) -> Problem:
    """What a preview asks the solver, the calendar as it is now. Raises `MalformedJson` or `Refused`."""
    centre, today = counter.centre, tx.now.astimezone(counter.centre.zone).date()
    asked = read_what_if(raw, today)
    needs = needs_of(asked, today)
    busy = await store.busy(tx.connection, tx.new_id(), span_of(centre, horizon(needs, tx.now, centre)))
    return Problem(centre, needs, busy, tx.now, counter.seconds, asked.country)


def add_programmes(router: APIRouter, counter: Counter) -> None:
    """Add what shows the programmes that are held."""
    edge, centre = counter.edge, counter.centre

    @router.get("/programmes/{visit}", response_model=ProgrammeView, tags=["programmes"])
    async def show_programme(request: Request, visit: UUID) -> Response:
        """Show the programme that is held for a visit, with the people of the Centre by name."""

        async def act(tx: Transaction, _: Officer) -> Response:
            return answer(programme_view(centre, await held(tx, visit)))

        return await edge.read(request, act)

    @router.get(
        "/programmes/{visit}/timetable", tags=["programmes"], response_class=Response,
        responses={200: {"description": "The timetable.", "content": _DRAWN}},
    )  # fmt: skip
    async def draw_timetable(
        request: Request,
        visit: UUID,
        language: Annotated[NoticeLanguage, Query()] = "en",
        format: Annotated[Format, Query()] = "html",
    ) -> Response:
        """Draw the programme as a timetable: a page to read or print, or the picture alone."""

        async def act(tx: Transaction, _: Officer) -> Visit:
            return await held(tx, visit)

        found = await edge.read(request, act)
        heading = Heading(found.reference, found.ministry, found.country, found.release)
        drawn = await asyncio.to_thread(_drawn, heading, timetable_of(centre, found), language, format)
        return Response(drawn, headers=HEADERS, media_type=_MEDIA_TYPES[format])


_MEDIA_TYPES: dict[Format, str] = {"html": "text/html", "svg": "image/svg+xml", "png": "image/png"}
_DRAWN = {
    _MEDIA_TYPES[each]: {"schema": {"type": "string"}} for each in get_args(Format)
}  # what is answered is no JSON, which FastAPI would say


def _drawn(heading: Heading, timetable: Timetable, language: NoticeLanguage, format: Format) -> str | bytes:
    if format == "html":
        return page(heading, [timetable], language)
    drawn = picture(timetable, language, headline(language, heading.reference, heading.release))
    return svg(drawn) if format == "svg" else png(drawn)


async def held(tx: Transaction, id: UUID) -> Visit:
    """A visit that holds a programme. Raises 404 problems."""
    visit = await store.read_visit(tx.connection, id)
    if visit is None:
        raise not_found()
    if not visit.slots:
        raise HttpProblem(HTTPStatus.NOT_FOUND, "no-programme", "The visit holds no programme.")
    return visit
