"""The HTTP interface for consulting other bodies on a request (officers)."""

from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Request, Response

from runtime.bodies import Problem, Refused, read_body
from runtime.transaction import Transaction
from services.visits import commands as c
from services.visits.access import OFFICE, locked_visit, visible_visit
from services.visits.clients import Client
from services.visits.consultation_answers import (
    BodyAnswer,
    ConsultationList,
    ConsultationView,
    Consulted,
    all_consultations,
    one_consultation,
)
from services.visits.consulting import consultation_of
from services.visits.edge import edge_of
from services.visits.openapi import PROBLEMS, takes
from services.visits.orders import carry_out
from services.visits.problems import ProblemRoute
from services.visits.store import Author

router = APIRouter(route_class=ProblemRoute, responses=PROBLEMS, tags=["consultations"])


@router.post(
    "/visit-requests/{id}/consultations",
    status_code=201,
    response_model=ConsultationView,
    openapi_extra=takes(Consulted),
)
async def open_consultation(request: Request, id: UUID) -> Response:
    """Ask another body for its consent to a submitted request.

    Silence counts as consent when its time is over, unless the body holds a veto: then it is chased
    until it answers. The request cannot be approved before all bodies have answered or kept silent.
    """
    edge = edge_of(request)

    async def act(tx: Transaction, client: Client, raw: bytes) -> Response:
        command = _question(raw, edge.consultation_days)
        stored = await locked_visit(tx, client, id, request)
        stored = await carry_out(tx, command, stored, Author(client.id))
        return one_consultation(stored, stored.visit.consultations[-1], HTTPStatus.CREATED)

    return await edge.change(request, OFFICE, act)


@router.get("/visit-requests/{id}/consultations", response_model=ConsultationList)
async def list_consultations(request: Request, id: UUID) -> Response:
    """List the consultations of a visit, the oldest first; the last one of a body is the one that counts."""

    async def act(tx: Transaction, client: Client) -> Response:
        return all_consultations(await visible_visit(tx, client, id))

    return await edge_of(request).read(request, OFFICE, act)


@router.get("/visit-requests/{id}/consultations/{consultation_id}", response_model=ConsultationView)
async def show_consultation(request: Request, id: UUID, consultation_id: int) -> Response:
    """Show one consultation."""

    async def act(tx: Transaction, client: Client) -> Response:
        stored = await visible_visit(tx, client, id)
        return one_consultation(stored, consultation_of(stored.visit, consultation_id))

    return await edge_of(request).read(request, OFFICE, act)


@router.post(
    "/visit-requests/{id}/consultations/{consultation_id}/answer",
    response_model=ConsultationView,
    openapi_extra=takes(BodyAnswer),
)
async def record_answer(request: Request, id: UUID, consultation_id: int) -> Response:
    """Record what a consulted body has answered."""

    async def act(tx: Transaction, client: Client, raw: bytes) -> Response:
        command = _answer(raw, consultation_id)
        stored = await locked_visit(tx, client, id, request)
        stored = await carry_out(tx, command, stored, Author(client.id))
        return one_consultation(stored, consultation_of(stored.visit, consultation_id))

    return await edge_of(request).change(request, OFFICE, act)


def _question(raw: bytes, days: int) -> c.Consult:
    asked = read_body(Consulted, raw)
    return c.Consult(
        body=asked.body,
        contact_name=asked.contact_name,
        contact_email=asked.email,
        contact_language=asked.language,
        veto=asked.veto,
        question=asked.question,
        days=asked.days or days,
    )


def _answer(raw: bytes, number: int) -> c.RecordAnswer:
    given = read_body(BodyAnswer, raw)
    if given.answer == "object" and given.reason is None:
        raise Refused([Problem("/reason", "to record an objection, give the body's reason")])
    return c.RecordAnswer(number, given.answer, given.reason)
