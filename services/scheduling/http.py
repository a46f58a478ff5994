"""The HTTP interface of the service, for the Centre's officers."""

from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, FastAPI, Request, Response, Security
from fastapi.security import HTTPBearer

from runtime.openapi import describe_bodies, problems_of
from runtime.problems import HttpProblem, add_problems, not_found, problem_route
from runtime.transaction import Transaction, Transactions
from services.scheduling import store
from services.scheduling.answers import ProgrammeView, answer, programme_view
from services.scheduling.centre import Centre
from services.scheduling.edge import Edge, Officer
from services.scheduling.store import Visit

PROBLEMS = problems_of(
    {
        401: "The API key is missing, wrong or revoked.",
        403: "The client is no officer of the Centre.",
        404: "There is no such visit, or it holds no programme.",
        503: "The service cannot answer at the moment.",
    }
)
_key = HTTPBearer(auto_error=False, description="An officer's API key: `wafd_<prefix>_<secret>`.")


def routes(app: FastAPI, transactions: Transactions, centre: Centre, body_limit: int) -> None:
    """Add the service's routes to its application."""
    edge = Edge(transactions, body_limit)
    router = APIRouter(
        prefix="/v1", route_class=problem_route(), dependencies=[Security(_key)], responses=PROBLEMS
    )
    add_programmes(router, edge, centre)
    app.include_router(router)
    add_problems(app)
    describe_bodies(app, ())


def add_programmes(router: APIRouter, edge: Edge, centre: Centre) -> None:
    """Add what shows the programmes that are held."""

    @router.get("/programmes/{visit}", response_model=ProgrammeView, tags=["programmes"])
    async def show_programme(request: Request, visit: UUID) -> Response:
        """Show the programme that is held for a visit, with the people of the Centre by name."""

        async def act(tx: Transaction, _: Officer) -> Response:
            return answer(programme_view(centre, await held(tx, visit)))

        return await edge.read(request, act)


async def held(tx: Transaction, id: UUID) -> Visit:
    """A visit that holds a programme. Raises 404 problems."""
    visit = await store.read_visit(tx.connection, id)
    if visit is None:
        raise not_found()
    if not visit.slots:
        raise HttpProblem(HTTPStatus.NOT_FOUND, "no-programme", "The visit holds no programme.")
    return visit
