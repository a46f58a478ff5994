"""The HTTP interface for the Centre's officers: deciding and calling off."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from runtime.bodies import Problem, Refused, read_body
from services.visits import commands as c
from services.visits.access import OFFICE, obey
from services.visits.answers import Decided, Reasoned, VisitSummary
from services.visits.commands import Command
from services.visits.openapi import PROBLEMS, takes
from services.visits.problems import ProblemRoute

router = APIRouter(route_class=ProblemRoute, responses=PROBLEMS)


@router.post(
    "/visit-requests/{id}/decision",
    response_model=VisitSummary,
    tags=["office"],
    openapi_extra=takes(Decided),
)
async def decide_on_visit_request(request: Request, id: UUID) -> Response:
    """Approve or decline a request, or request information (officers)."""
    return await obey(request, id, OFFICE, _decision)


@router.post(
    "/visit-requests/{id}/cancellation",
    response_model=VisitSummary,
    tags=["office"],
    openapi_extra=takes(Reasoned),
)
async def cancel_visit(request: Request, id: UUID) -> Response:
    """Call a visit off (officers)."""
    return await obey(request, id, OFFICE, lambda raw: c.Cancel(read_body(Reasoned, raw).reason))


def _decision(raw: bytes) -> Command:
    decided = read_body(Decided, raw)
    match decided:
        case Decided(decision="approve"):
            return c.Approve()
        case Decided(decision="decline", reason=str(reason)):
            return c.Decline(reason)
        case Decided(decision="request_information", question=str(question)):
            return c.AskInformation(question)
        case Decided(decision="decline"):
            raise Refused([Problem("/reason", "to decline a request, give the reason")])
        case _:
            raise Refused([Problem("/question", "to request information, give the question")])
