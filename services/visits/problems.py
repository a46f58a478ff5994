"""The errors of this service as problems for its clients."""

from http import HTTPStatus

from runtime.problems import HttpProblem, problem_route
from services.visits.consulting import NoSuchConsultation
from services.visits.orders import AlreadySubmitted
from services.visits.transitions import Forbidden


def _own(error: Exception) -> HttpProblem | None:
    match error:
        case Forbidden():
            return HttpProblem(HTTPStatus.CONFLICT, "not-possible-now", str(error))
        case NoSuchConsultation():
            return HttpProblem(HTTPStatus.NOT_FOUND, "not-found", str(error))
        case AlreadySubmitted():
            where = {"Location": f"/v1/visit-requests/{error.existing}"}
            return HttpProblem(HTTPStatus.CONFLICT, "already-submitted", str(error), where)
        case _:
            return None


ProblemRoute = problem_route(_own)
"""A route whose failures are answered as problems."""
