"""The edge of the HTTP interface: who asks, what they sent, and each effect once."""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import Request, Response

from runtime.transaction import Transaction, Transactions
from services.visits.clients import Client, Role, client_of
from services.visits.problems import HttpProblem
from services.visits.store import SQL

JSON = frozenset({"application/json"})
PATCH = frozenset({"application/json", "application/merge-patch+json"})
READ_SECONDS = 30
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
        api_key = _api_key(request)
        async with self.transactions() as tx:
            return await act(tx, await _recognise(tx, api_key, allowed))

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
        api_key = _api_key(request)
        key = _idempotency_key(request)
        raw = await _body(request, self.body_limit, media_types)
        async with self.transactions() as tx:
            client = await _recognise(tx, api_key, allowed)
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


def _api_key(request: Request) -> str:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not credentials.strip():
        raise _unauthorized("Send your API key as `Authorization: Bearer wafd_…`.", "")
    return credentials.strip()


async def _recognise(tx: Transaction, api_key: str, allowed: AbstractSet[Role]) -> Client:
    client = await client_of(tx.connection, api_key)
    if client is None:
        raise _unauthorized("The API key is wrong, unknown or revoked.", ', error="invalid_token"')
    if client.role not in allowed:
        raise HttpProblem(
            HTTPStatus.FORBIDDEN, "not-allowed", f"This is not open to a client with the role {client.role}."
        )
    return client


def _unauthorized(detail: str, more: str) -> HttpProblem:
    challenge = {"WWW-Authenticate": f'Bearer realm="wafd"{more}'}
    return HttpProblem(HTTPStatus.UNAUTHORIZED, "unauthorized", detail, challenge)


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


async def _body(request: Request, limit: int, media_types: AbstractSet[str]) -> bytes:
    media_type, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    if media_type.strip().lower() not in media_types or charset not in ("", "utf-8"):
        wanted = " or ".join(sorted(media_types))
        raise HttpProblem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "media-type", f"Send the body as {wanted} in UTF-8.",
            {"Accept": ", ".join(sorted(media_types))},
        )  # fmt: skip
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > limit:
        raise _too_large(limit)
    try:
        async with asyncio.timeout(READ_SECONDS):
            return await _read(request, limit)
    except TimeoutError:
        raise HttpProblem(
            HTTPStatus.REQUEST_TIMEOUT, "too-slow", f"The body did not arrive within {READ_SECONDS} seconds."
        ) from None


async def _read(request: Request, limit: int) -> bytes:
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > limit:
            raise _too_large(limit)
    return bytes(raw)


def _too_large(limit: int) -> HttpProblem:
    return HttpProblem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too-large",
        f"The body may have at most {limit} bytes.",
        {"Connection": "close"},
    )


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
