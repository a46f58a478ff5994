"""The edge of the HTTP interface: who asks, what they sent, and each effect once."""

import hashlib
import re
from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import Request, Response

from runtime.problems import HttpProblem
from runtime.requests import JSON, api_key, limited_body, not_allowed, unknown_key
from runtime.transaction import Transaction, Transactions
from services.visits.clients import Client, Role, client_of
from services.visits.store import SQL

PATCH = frozenset({"application/json", "application/merge-patch+json"})
_VISIBLE = re.compile(r"[\x21-\x7e]{1,255}")

Act = Callable[[Transaction, Client], Awaitable[Response]]
ActOnBody = Callable[[Transaction, Client, bytes], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Edge:
    """What requests are served with."""

    transactions: Transactions
    body_limit: int
    consultation_days: int

    async def read(self, request: Request, allowed: AbstractSet[Role], act: Act) -> Response:
        """Answer a client that has one of the roles."""
        sent = api_key(request)
        async with self.transactions() as tx:
            return await act(tx, await _recognise(tx, sent, allowed))

    async def change(
        self,
        request: Request,
        allowed: AbstractSet[Role],
        act: ActOnBody,
        media_types: AbstractSet[str] = JSON,
    ) -> Response:
        """Do what a client with one of the roles asks for, once for each Idempotency-Key.

        The body is read before the transaction opens: a slow client holds no connection.
        """
        sent = api_key(request)
        key = _idempotency_key(request)
        raw = await limited_body(request, self.body_limit, media_types)
        async with self.transactions() as tx:
            client = await _recognise(tx, sent, allowed)
            if key is None:
                return await act(tx, client, raw)
            digest = hashlib.sha256(f"{request.method} {request.url.path}\n".encode() + raw).digest()
            return await _once(tx, client, key, digest, lambda: act(tx, client, raw))


def edge_of(request: Request) -> Edge:
    """Find the edge that the application was wired with."""
    edge: Edge = request.app.state.visits_edge
    return edge


def check_if_match(request: Request, version: int) -> None:
    """Honour If-Match: raises a 412 problem when the client has seen another version."""
    header = request.headers.get("if-match")
    if header is None or header.strip() == "*":
        return
    if etag(version) not in (tag.strip() for tag in header.split(",")):
        raise HttpProblem(
            HTTPStatus.PRECONDITION_FAILED,
            "changed-meanwhile",
            f"The visit was changed meanwhile: its ETag is {etag(version)} now; read it again.",
        )


def etag(version: int) -> str:
    """Write a visit's version as a strong entity tag."""
    return f'"{version}"'


async def _recognise(tx: Transaction, sent: str, allowed: AbstractSet[Role]) -> Client:
    client = await client_of(tx.connection, sent)
    if client is None:
        raise unknown_key()
    if client.role not in allowed:
        raise not_allowed(client.role)
    return client


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if request.method != "POST" or key is None:
        return None
    if not _VISIBLE.fullmatch(key):
        raise HttpProblem(
            HTTPStatus.BAD_REQUEST,
            "idempotency-key",
            "An Idempotency-Key has 1 to 255 visible ASCII characters.",
        )
    return key


async def _once(
    tx: Transaction, client: Client, key: str, digest: bytes, act: Callable[[], Awaitable[Response]]
) -> Response:
    """Act unless it was done under this key; only what succeeded is kept, with its effect."""
    if await tx.connection.fetchval(SQL["claim_key"], client.id, key, digest, tx.now) is None:
        return await _kept(tx, client, key, digest)
    response = await act()
    headers = {name: response.headers[name] for name in ("location", "etag") if name in response.headers}
    body = bytes(response.body).decode()
    await tx.connection.execute(SQL["keep_answer"], client.id, key, response.status_code, headers, body)
    return response


async def _kept(tx: Transaction, client: Client, key: str, digest: bytes) -> Response:
    row = await tx.connection.fetchrow(SQL["kept_answer"], client.id, key)
    if row is None or row["digest"] != digest:
        raise HttpProblem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "idempotency-key-reused",
            "This Idempotency-Key was used for another request; use a new one.",
        )
    headers = {**row["headers"], "Idempotency-Replayed": "true"}
    return Response(row["body"], row["status"], headers, "application/json")
