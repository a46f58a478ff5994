"""Clients and their API keys, as the command line administers and the HTTP edge recognises them."""

import hmac
import secrets
import string
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

import asyncpg

from runtime import api_keys
from services.visits.store import SQL

_PREFIX_ALPHABET = string.ascii_lowercase + string.digits
_NO_DIGEST = bytes(32)


class Role(StrEnum):
    """What a client may do."""

    MINISTRY = "ministry"
    OFFICER = "officer"
    APPROVER = "approver"


@dataclass(frozen=True, slots=True)
class Client:
    """Who is asking."""

    id: UUID
    name: str
    country: str
    role: Role


class Credentials(NamedTuple):
    """A new key of a client; ``api_key`` is shown once and kept nowhere."""

    client_id: UUID
    prefix: str
    api_key: str


class KnownClient(NamedTuple):
    """A client with one of its keys, for a list."""

    client_id: UUID
    name: str
    country: str
    role: Role
    created_at: datetime
    prefix: str
    revoked_at: datetime | None


async def add_client(
    connection: asyncpg.Connection, *, id: UUID, name: str, country: str, role: Role, now: datetime
) -> Credentials:
    """Register a client and give it a key; ``country`` is an ISO 3166 code such as ``QA``."""
    await connection.execute(SQL["add_client"], id, name, country, role.value, now)
    return await add_key(connection, id, now)


async def add_key(connection: asyncpg.Connection, client: UUID, now: datetime) -> Credentials:
    """Give a client another key; those it has stay in force until they are revoked."""
    prefix = "".join(secrets.choice(_PREFIX_ALPHABET) for _ in range(12))
    secret = secrets.token_urlsafe(32)
    await connection.execute(SQL["add_key"], prefix, client, api_keys.digest(secret), now)
    return Credentials(client, prefix, f"wafd_{prefix}_{secret}")


async def namesake(connection: asyncpg.Connection, name: str, country: str) -> Client | None:
    """Find the client of this name and country; nobody else registers one until the transaction ends."""
    await connection.execute(SQL["lock_clients"])
    return _client(await connection.fetchrow(SQL["namesake"], name, country))


async def find_client(connection: asyncpg.Connection, id_or_prefix: str) -> Client | None:
    """Find a client by its id or by the prefix of one of its keys, also of a revoked one."""
    return _client(await connection.fetchrow(SQL["find_client"], id_or_prefix))


async def revoke(connection: asyncpg.Connection, prefix: str, now: datetime) -> bool:
    """Put a key out of force; says whether it was in force."""
    return await connection.fetchval(SQL["revoke_key"], prefix, now) is not None


async def list_clients(connection: asyncpg.Connection) -> list[KnownClient]:
    """List all clients with their keys, the oldest first."""
    return [
        KnownClient(
            row["id"], row["name"], row["country"], Role(row["role"]), row["created_at"], row["prefix"],
            row["revoked_at"],
        )
        for row in await connection.fetch(SQL["clients"])
    ]  # fmt: skip


async def client_of(connection: asyncpg.Connection, api_key: str) -> Client | None:
    """Recognise the client by its key; None when the key is wrong, unknown or revoked."""
    sent = api_keys.parsed(api_key)
    if sent is None:
        return None
    row = await connection.fetchrow(SQL["key_of"], sent.prefix)
    if not hmac.compare_digest(sent.digest, _NO_DIGEST if row is None else row["digest"]) or row is None:
        return None
    return _client(row)


def _client(row: asyncpg.Record | None) -> Client | None:
    return None if row is None else Client(row["id"], row["name"], row["country"], Role(row["role"]))
