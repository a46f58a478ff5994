"""The HTTP interface of the service."""

import json
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, FastAPI, Query, Request, Response, Security
from fastapi.security import HTTPBearer

from runtime.bodies import Problem, Refused, read_body
from runtime.openapi import describe_bodies
from runtime.problems import HttpProblem, add_problems
from runtime.transaction import Transaction, Transactions
from schemas.scheduling import CataloguePublished
from services.visits import commands as c
from services.visits import consultation_office, office, store
from services.visits.access import (
    EVERYBODY,
    MINISTRY,
    OFFICE,
    current_catalogue,
    locked_visit,
    obey,
    scope,
    today,
    visible_visit,
)
from services.visits.answers import (
    Acceptance,
    Entry,
    History,
    ProgrammeView,
    Reasoned,
    ReportText,
    Said,
    VisitListed,
    VisitPage,
    VisitSummary,
    VisitView,
    answer,
    links,
    programme_view,
    summary,
    view,
)
from services.visits.clients import Client
from services.visits.edge import PATCH, Edge, edge_of
from services.visits.intake import merged, read_amendment, read_patch, read_request
from services.visits.openapi import BODIES, PROBLEMS, takes
from services.visits.orders import carry_out, submit_request
from services.visits.problems import ProblemRoute
from services.visits.request import VisitRequest, to_json
from services.visits.store import Author
from services.visits.transitions import State

_key = HTTPBearer(auto_error=False, description="An API key: `wafd_<prefix>_<secret>`.")
router = APIRouter(prefix="/v1", route_class=ProblemRoute, dependencies=[Security(_key)], responses=PROBLEMS)


def routes(app: FastAPI, transactions: Transactions, body_limit: int, consultation_days: int) -> None:
    """Add the service's routes to its application."""
    app.state.visits_edge = Edge(transactions, body_limit, consultation_days)
    app.include_router(router)
    for officers in (office.router, consultation_office.router):
        app.include_router(officers, prefix="/v1", dependencies=[Security(_key)])
    add_problems(app)
    describe_bodies(app, BODIES)


@router.post(
    "/visit-requests",
    status_code=202,
    response_model=VisitSummary,
    tags=["requests"],
    openapi_extra=takes(VisitRequest),
)
async def submit_visit_request(request: Request) -> Response:
    """Submit a request for a visit. It is stored, with its event, when the answer arrives."""

    async def act(tx: Transaction, client: Client, raw: bytes) -> Response:
        wanted = read_request(raw, await current_catalogue(tx), today(tx))
        stored = await submit_request(tx, wanted, client=client.id, country=client.country)
        return summary(stored, status=202)

    return await edge_of(request).change(request, MINISTRY, act)


@router.get("/visit-requests", response_model=VisitPage, tags=["requests"])
async def list_visit_requests(
    request: Request,
    state: Annotated[State | None, Query()] = None,
    cursor: Annotated[UUID | None, Query(description="From `next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """List visits, the newest first: a ministry's own, or all for the Centre's officers."""

    async def act(tx: Transaction, client: Client) -> Response:
        rows = await store.visits_page(
            tx.connection, client=scope(client), state=state, before=cursor, limit=limit + 1
        )
        items = [VisitListed(**row, links=links(row["id"])) for row in rows[:limit]]
        page = VisitPage(items=items)
        if len(rows) > limit:
            more = request.url.include_query_params(cursor=items[-1].id)
            page = VisitPage(items=items, next=f"{more.path}?{more.query}")
        return answer(page)

    return await edge_of(request).read(request, EVERYBODY, act)


@router.get("/visit-requests/{id}", response_model=VisitView, tags=["requests"])
async def show_visit_request(request: Request, id: UUID) -> Response:
    """Show all that is known of a visit; the `ETag` names this version of it."""

    async def act(tx: Transaction, client: Client) -> Response:
        return view(await visible_visit(tx, client, id))

    return await edge_of(request).read(request, EVERYBODY, act)


@router.patch(
    "/visit-requests/{id}", response_model=VisitSummary, tags=["requests"],
    openapi_extra=takes(VisitRequest, "application/merge-patch+json", partial=True),
)  # fmt: skip
async def amend_visit_request(request: Request, id: UUID) -> Response:
    """Amend a request by a JSON merge patch (RFC 7396); touching what was approved needs approval again.

    Beside the request's fields the patch may hold a `message` to the officers. It answers their question
    when information was requested, also alone: the request is submitted again.
    """

    async def act(tx: Transaction, client: Client, raw: bytes) -> Response:
        stored = await locked_visit(tx, client, id, request)
        old = stored.visit.request
        document = to_json(old)
        patch, message = _amendment(raw)
        patched = merged(document, patch)
        if patched == document and message is None:
            _refuse_without_answer(stored.visit.state)
            return summary(stored)
        new = old
        if patched != document:
            new = read_amendment(old, patched, await current_catalogue(tx), today(tx))
        if new.sender_reference != old.sender_reference:
            raise Refused([Problem("/sender_reference", "the sender's reference stays what it was")])
        return summary(await carry_out(tx, c.Amend(new, message), stored, Author(client.id)))

    return await edge_of(request).change(request, MINISTRY, act, PATCH)


def _amendment(raw: bytes) -> tuple[dict[str, Any], str | None]:
    """Read a patch and the message that comes with it. Raises `MalformedJson` or `Refused`."""
    patch = read_patch(raw)
    if "message" not in patch:
        return patch, None
    said = {"message": patch.pop("message")}
    return patch, read_body(Said, json.dumps(said).encode()).message


def _refuse_without_answer(state: State) -> None:
    if state is State.INFORMATION_REQUESTED:
        raise Refused([Problem("", "nothing changes: answer by a `message`, or by what is to change")])


@router.post(
    "/visit-requests/{id}/withdrawal",
    response_model=VisitSummary,
    tags=["requests"],
    openapi_extra=takes(Reasoned),
)
async def withdraw_visit_request(request: Request, id: UUID) -> Response:
    """Withdraw a request before the visit is over."""
    return await obey(request, id, MINISTRY, lambda raw: c.Withdraw(read_body(Reasoned, raw).reason))


@router.get("/visit-requests/{id}/programme", response_model=ProgrammeView, tags=["programme"])
async def show_programme(request: Request, id: UUID) -> Response:
    """Show the programme that is proposed, firm or held. Instants are UTC; `time_zone` is the Centre's."""

    async def act(tx: Transaction, client: Client) -> Response:
        visit = (await visible_visit(tx, client, id)).visit
        if visit.programme is None:
            raise HttpProblem(HTTPStatus.NOT_FOUND, "no-programme", _why_no_programme(visit.state))
        return answer(programme_view(visit, visit.programme))

    return await edge_of(request).read(request, EVERYBODY, act)


def _why_no_programme(state: State) -> str:
    if state is State.APPROVED:
        return "The programme is being planned: the visit is approved and has none yet."
    return f"The visit is {state.value.replace('_', ' ')} and has no programme."


@router.post(
    "/visit-requests/{id}/programme/acceptance",
    response_model=VisitSummary,
    tags=["programme"],
    openapi_extra=takes(Acceptance),
)
async def accept_programme(request: Request, id: UUID) -> Response:
    """Accept the proposed programme in the release that was read."""
    return await obey(request, id, MINISTRY, lambda raw: c.Accept(read_body(Acceptance, raw).release))


@router.post(
    "/visit-requests/{id}/report",
    response_model=VisitSummary,
    tags=["programme"],
    openapi_extra=takes(ReportText),
)
async def report_on_visit(request: Request, id: UUID) -> Response:
    """Hand in the report of a completed visit."""
    return await obey(request, id, EVERYBODY, lambda raw: c.Report(read_body(ReportText, raw).summary))


@router.get("/visit-requests/{id}/history", response_model=History, tags=["requests"])
async def show_history(request: Request, id: UUID) -> Response:
    """Show what was done to a visit, by whom and why; a ministry reads nothing of consultations."""

    async def act(tx: Transaction, client: Client) -> Response:
        await visible_visit(tx, client, id)
        hidden = frozenset() if client.role in OFFICE else c.AMONG_AUTHORITIES
        rows = [row for row in await store.read_history(tx.connection, id) if row["command"] not in hidden]
        return answer(History(items=[Entry(**{**row, "by": row["name"] or "system"}) for row in rows]))

    return await edge_of(request).read(request, EVERYBODY, act)


@router.get("/catalogue", response_model=CataloguePublished, tags=["catalogue"])
async def show_catalogue(request: Request) -> Response:
    """Show the themes and sites that can be asked for."""

    async def act(tx: Transaction, _: Client) -> Response:
        return answer(await current_catalogue(tx))

    return await edge_of(request).read(request, EVERYBODY, act)
