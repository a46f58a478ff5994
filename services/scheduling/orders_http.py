"""The HTTP interface of what officers order: blocks, pins, moves, and the waiting list."""

from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, FastAPI, Request, Response, Security
from fastapi.security import HTTPBearer

from runtime.bodies import Problem, read_body
from runtime.openapi import describe_bodies, problems_of
from runtime.problems import RETRY_AFTER, HttpProblem, not_found, problem_route
from runtime.transaction import Transaction, Transactions
from services.scheduling import archive, blocking, orders, store
from services.scheduling.answers import ProgrammeView, answer, programme_view
from services.scheduling.calendar import Interval
from services.scheduling.disruptions import Block
from services.scheduling.edge import Edge, Officer
from services.scheduling.order_bodies import (
    BlockAdded,
    BlockOrder,
    BlocksView,
    BlockView,
    MoveOrder,
    PinOrder,
    PinsView,
    ReleasesView,
    ReleaseView,
    ReplanOrder,
    ReplanView,
    WaitingView,
    WaitlistView,
)
from services.scheduling.planning import Contested, Office
from services.scheduling.problem import Wish
from services.scheduling.waiting import waiting_list

PROBLEMS = problems_of(
    {
        401: "The API key is missing, wrong or revoked.",
        403: "The client is no officer of the Centre.",
        404: "There is no such visit, block, slot, person or venue.",
        409: "The programme is another release, or none is possible with what is wished.",
        422: "Fields are wrong, or what is ordered makes no sense.",
        503: "The service cannot answer at the moment.",
    }
)
_key = HTTPBearer(auto_error=False, description="An officer's API key: `wafd_<prefix>_<secret>`.")


def order_routes(app: FastAPI, transactions: Transactions, office: Office, body_limit: int) -> None:
    """Add the officers' orders to the service's application."""
    edge = Edge(transactions, body_limit)
    router = APIRouter(
        prefix="/v1", route_class=problem_route(_explain), dependencies=[Security(_key)], responses=PROBLEMS
    )
    _add_blocks(router, edge, office)
    _add_pins(router, edge, office)
    _add_changes(router, edge, office)
    _add_waitlist(router, edge, office)
    app.include_router(router)
    describe_bodies(app, (BlockOrder, PinOrder, MoveOrder, ReplanOrder))


def _explain(error: Exception) -> HttpProblem | None:
    match error:
        case orders.NotFound():
            return HttpProblem(HTTPStatus.NOT_FOUND, "not-found", _sentence(error))
        case orders.Stale():
            return HttpProblem(HTTPStatus.CONFLICT, "stale", _sentence(error))
        case orders.Unfit():
            return HttpProblem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-order", _sentence(error))
        case orders.Impossible():
            reasons = [Problem("", reason.en) for reason in error.reasons]
            says = "No programme is possible with this; nothing was changed."
            return HttpProblem(HTTPStatus.CONFLICT, "impossible", says, errors=reasons)
        case Contested():
            says = "Others are booking the same; try again."
            return HttpProblem(HTTPStatus.SERVICE_UNAVAILABLE, "contested", says, RETRY_AFTER)
        case _:
            return None


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


def _add_blocks(router: APIRouter, edge: Edge, office: Office) -> None:
    @router.post("/blocks", status_code=201, response_model=BlockAdded, tags=["blocks"])
    async def add_block(request: Request) -> Response:
        """Take a person, a venue or the Centre out of use; programmes that this hits are planned anew."""

        async def act(tx: Transaction, officer: Officer, raw: bytes) -> Response:
            body = read_body(BlockOrder, raw)
            span = Interval(body.starts, body.ends)
            block = Block(tx.new_id(), body.resource, span, body.reason, _name(officer))
            hit = await orders.add_block(tx, office.centre, block)
            return answer(BlockAdded(**dict(BlockView.of(block)), hits=hit), 201)

        return await edge.change(request, act)

    @router.get("/blocks", response_model=BlocksView, tags=["blocks"])
    async def list_blocks(request: Request) -> Response:
        """List what is out of use now or later."""

        async def act(tx: Transaction, _: Officer) -> Response:
            found = await blocking.blocks(tx.connection, tx.now)
            return answer(BlocksView(blocks=tuple(BlockView.of(one) for one in found)))

        return await edge.read(request, act)

    @router.delete("/blocks/{block}", status_code=204, tags=["blocks"])
    async def lift_block(request: Request, block: UUID) -> Response:
        """Have what was out of use in use again."""

        async def act(tx: Transaction, officer: Officer) -> Response:
            await orders.lift_block(tx, block, _name(officer))
            return Response(status_code=204)

        return await edge.read(request, act)


def _add_pins(router: APIRouter, edge: Edge, office: Office) -> None:
    @router.post("/programmes/{visit}/pins", response_model=PinsView, tags=["programmes"])
    async def pin(request: Request, visit: UUID) -> Response:
        """Keep slots as they are, whenever the programme is planned anew."""

        async def act(tx: Transaction, officer: Officer, raw: bytes) -> Response:
            body = read_body(PinOrder, raw)
            pinned = await orders.pin(tx, visit, body.release, frozenset(body.keys), _name(officer))
            return answer(PinsView(pinned=tuple(sorted(pinned))))

        return await edge.change(request, act)

    @router.delete("/programmes/{visit}/pins/{key}", response_model=PinsView, tags=["programmes"])
    async def unpin(request: Request, visit: UUID, key: str, release: int) -> Response:
        """Let a slot be changed again when the programme is planned anew."""

        async def act(tx: Transaction, officer: Officer) -> Response:
            pinned = await orders.unpin(tx, visit, release, frozenset({key}), _name(officer))
            return answer(PinsView(pinned=tuple(sorted(pinned))))

        return await edge.read(request, act)

    @router.post("/programmes/{visit}/moves", response_model=ProgrammeView, tags=["programmes"])
    async def move(request: Request, visit: UUID) -> Response:
        """Move a slot and change as little else as possible; if that is impossible, change nothing."""

        async def act(tx: Transaction, officer: Officer, raw: bytes) -> Response:
            body = read_body(MoveOrder, raw)
            wish = Wish(body.key, body.starts, body.venue, body.person, body.instead_of)
            moved = await orders.move(office, tx, visit, body.release, wish, _name(officer))
            return answer(programme_view(office.centre, moved))

        return await edge.change(request, act)


def _add_changes(router: APIRouter, edge: Edge, office: Office) -> None:
    @router.post(
        "/programmes/{visit}/replan", status_code=202, response_model=ReplanView, tags=["programmes"]
    )
    async def replan(request: Request, visit: UUID) -> Response:
        """Have a programme planned anew with least change, or a waiting visit tried out of its turn."""

        async def act(tx: Transaction, officer: Officer, raw: bytes) -> Response:
            body = read_body(ReplanOrder, raw)
            wanted = await orders.replan(tx, visit, body.reason, _name(officer))
            return answer(ReplanView(visit=visit, reference=wanted.reference), 202)

        return await edge.change(request, act)

    @router.get("/programmes/{visit}/releases", response_model=ReleasesView, tags=["programmes"])
    async def list_releases(request: Request, visit: UUID) -> Response:
        """Show every release of a visit's programme, and what changed from each to the next."""

        async def act(tx: Transaction, _: Officer) -> Response:
            if await store.read_visit(tx.connection, visit) is None:
                raise not_found()
            views = ReleaseView.all_of(await archive.releases(tx.connection, visit))
            return answer(ReleasesView(time_zone=office.centre.time_zone, releases=views))

        return await edge.read(request, act)


def _add_waitlist(router: APIRouter, edge: Edge, office: Office) -> None:
    @router.get("/waitlist", response_model=WaitlistView, tags=["waitlist"])
    async def list_waiting(request: Request) -> Response:
        """List who waits for a programme, in the order in which they are tried again."""

        async def act(tx: Transaction, _: Officer) -> Response:
            waiting = await waiting_list(tx.connection, office.centre, tx.now)
            return answer(WaitlistView(waiting=tuple(WaitingView.of(one) for one in waiting)))

        return await edge.read(request, act)


def _name(officer: Officer) -> str:
    return f"{officer.role} {officer.id}"
