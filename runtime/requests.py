"""What every HTTP edge does first: takes the API key and reads the body, within limits of size and time."""

import asyncio
from collections.abc import Set as AbstractSet
from http import HTTPStatus

from fastapi import Request

from runtime.problems import HttpProblem

JSON = frozenset({"application/json"})
READ_SECONDS = 30


def api_key(request: Request) -> str:
    """The API key as it was sent. Raises a 401 problem when there is none."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not credentials.strip():
        raise _unauthorized("Send your API key as `Authorization: Bearer wafd_…`.", "")
    return credentials.strip()


def unknown_key() -> HttpProblem:
    """The 401 problem of a key that opens nothing."""
    return _unauthorized("The API key is wrong, unknown or revoked.", ', error="invalid_token"')


def not_allowed(role: str) -> HttpProblem:
    """The 403 problem of a client that has not the role for what it asks."""
    return HttpProblem(
        HTTPStatus.FORBIDDEN, "not-allowed", f"This is not open to a client with the role {role}."
    )


def _unauthorized(detail: str, more: str) -> HttpProblem:
    challenge = {"WWW-Authenticate": f'Bearer realm="wafd"{more}'}
    return HttpProblem(HTTPStatus.UNAUTHORIZED, "unauthorized", detail, challenge)


async def limited_body(request: Request, limit: int, media_types: AbstractSet[str] = JSON) -> bytes:
    """The body, at most ``limit`` bytes. Raises problems: 415, 413, or 408 when it comes too slowly."""
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
