"""What a client may reach: its visits, read or locked, and how a command of its is obeyed."""

from collections.abc import Callable
from datetime import date
from http import HTTPStatus
from uuid import UUID

from fastapi import Request, Response

from runtime.problems import RETRY_AFTER, HttpProblem, not_found
from runtime.transaction import Transaction
from schemas.scheduling import CataloguePublished
from services.visits import store
from services.visits.answers import summary
from services.visits.clients import Client, Role
from services.visits.commands import Command
from services.visits.edge import check_if_match, edge_of
from services.visits.orders import carry_out
from services.visits.store import Author, StoredVisit
from services.visits.visit import CENTRE

MINISTRY = frozenset({Role.MINISTRY})
OFFICE = frozenset({Role.OFFICER, Role.APPROVER})
EVERYBODY = MINISTRY | OFFICE


async def obey(
    request: Request, id: UUID, allowed: frozenset[Role], read: Callable[[bytes], Command]
) -> Response:
    """Carry out the command in the body on one visit, for a client with one of the roles."""

    async def act(tx: Transaction, client: Client, raw: bytes) -> Response:
        command = read(raw)
        stored = await locked_visit(tx, client, id, request)
        return summary(await carry_out(tx, command, stored, Author(client.id)))

    return await edge_of(request).change(request, allowed, act)


async def visible_visit(tx: Transaction, client: Client, id: UUID) -> StoredVisit:
    """Read a visit that the client may see. Raises a 404 problem."""
    stored = await store.read_visit(tx.connection, id, scope(client))
    if stored is None:
        raise not_found()
    return stored


async def locked_visit(tx: Transaction, client: Client, id: UUID, request: Request) -> StoredVisit:
    """Read a visit that this transaction alone may change. Raises a 404 or 412 problem."""
    stored = await store.lock_visit(tx.connection, id, scope(client))
    if stored is None:
        raise not_found()
    check_if_match(request, stored.version)
    return stored


def scope(client: Client) -> UUID | None:
    """Limit a ministry to its own visits; an officer sees all (None)."""
    return None if client.role in OFFICE else client.id


async def current_catalogue(tx: Transaction) -> CataloguePublished:
    """Read the catalogue. Raises a 503 problem until one has arrived."""
    catalogue = await store.read_catalogue(tx.connection)
    if catalogue is None:
        raise HttpProblem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "no-catalogue",
            "The catalogue is not here yet; try again.",
            RETRY_AFTER,
        )
    return catalogue


def today(tx: Transaction) -> date:
    """Tell the day at the Centre."""
    return tx.now.astimezone(CENTRE).date()
