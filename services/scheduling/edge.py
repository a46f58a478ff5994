"""The edge of the HTTP interface: open to the Centre's officers only, recognised by their API keys."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, TypeVar, cast
from uuid import UUID

from fastapi import Request

from runtime import api_keys
from runtime.requests import api_key, limited_body, not_allowed, unknown_key
from runtime.transaction import Transaction, Transactions
from services.scheduling.store import SQL

Role = Literal["officer", "approver"]
OFFICE = frozenset({"officer", "approver"})


@dataclass(frozen=True, slots=True)
class Officer:
    """Who is asking, by the id under which `visits` keeps the client."""

    id: UUID
    role: Role


T = TypeVar("T")
Act = Callable[[Transaction, Officer], Awaitable[T]]
ActOnBody = Callable[[Transaction, Officer, bytes], Awaitable[T]]


@dataclass(frozen=True, slots=True)
class Edge:
    """What requests are served with; ``body_limit`` is in bytes."""

    transactions: Transactions
    body_limit: int

    async def read(self, request: Request, act: Act[T]) -> T:
        """Answer an officer. Raises 401 and 403 problems."""
        sent = api_key(request)
        async with self.transactions() as tx:
            return await act(tx, await _recognise(tx, sent))

    async def change(self, request: Request, act: ActOnBody[T]) -> T:
        """Do what an officer asks for. Raises 401, 403, 408, 413 and 415 problems.

        The body is read before the transaction opens: a slow client holds no connection.
        """
        sent = api_key(request)
        raw = await limited_body(request, self.body_limit)
        async with self.transactions() as tx:
            return await act(tx, await _recognise(tx, sent), raw)


async def _recognise(tx: Transaction, sent: str) -> Officer:
    key = api_keys.parsed(sent)
    if key is None:
        raise unknown_key()
    row = await tx.connection.fetchrow(SQL["client_of_key"], key.prefix, key.digest)
    if row is None:
        raise unknown_key()
    if row["role"] not in OFFICE:
        raise not_allowed(row["role"])
    return Officer(row["client_id"], cast("Role", row["role"]))
