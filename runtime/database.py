"""PostgreSQL: one schema and one role a service, the connection pool, and migrations."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import cast

import asyncpg
import structlog
from pydantic import SecretStr

from runtime.errors import UsageError

log = structlog.get_logger()

CONNECTS_WITHIN, ANSWERS_WITHIN = 10, 20
"""Seconds for a connection, and for one command on it: what takes longer is an outage."""

_DELIVERY = Path(__file__).parent / "sql" / "migrations"


async def encode_json(connection: asyncpg.Connection) -> None:
    """Let json and jsonb columns be Python objects on this connection."""
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(kind, encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


async def open_pool(dsn: str, service: str, connections: int) -> asyncpg.Pool:
    """Open the pool of a service: its schema first on the search path, JSON decoded.

    Raises what `runtime.errors.OUTAGES` lists while the server cannot be reached, and
    `UsageError` when it refuses the role or does not know the database.
    """
    try:
        return await asyncpg.create_pool(
            dsn,
            min_size=2,
            max_size=connections,
            init=encode_json,
            timeout=CONNECTS_WITHIN,
            command_timeout=ANSWERS_WITHIN,
            server_settings={
                "search_path": f"{service}, public",
                "application_name": f"wafd-{service}",
                "idle_in_transaction_session_timeout": "120s",  # longer than a solve, or a mail in hand
            },
        )
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
        raise UsageError(
            f"WAFD_DATABASE was refused for the service {service} ({error}): "
            "check its user, password and database name, and run `wafd migrate` first"
        ) from error


@asynccontextmanager
async def borrowed(pool: asyncpg.Pool, within: float | None = None) -> AsyncIterator[asyncpg.Connection]:
    """Borrow a connection, for no longer than ``within`` seconds if that is given.

    Raises TimeoutError, or another of `OUTAGES`, when something takes too long: the pool, the server, or a
    link that swallows what is sent. The connection is dropped then; nobody waits for it.
    """
    async with asyncio.timeout(within), pool.acquire(timeout=CONNECTS_WITHIN) as proxy:
        connection = cast("asyncpg.Connection", proxy)
        with dropped_when_late(connection):
            yield connection


@asynccontextmanager
async def transaction(pool: asyncpg.Pool, within: float | None = None) -> AsyncIterator[asyncpg.Connection]:
    """Open a transaction on a connection that is `borrowed`; it commits unless an exception leaves it."""
    ended: BaseException | None = None
    async with borrowed(pool, within) as connection:
        try:
            async with connection.transaction():
                try:
                    with dropped_when_late(connection):
                        yield connection
                except (TimeoutError, asyncio.CancelledError) as late:
                    ended = late
                    raise
        except asyncpg.InterfaceError:
            if ended is None:
                raise
            raise ended from None  # it was dropped: a cancellation must not pass for an outage


@contextmanager
def dropped_when_late(connection: asyncpg.Connection) -> Generator[None, None, None]:
    """Drop a connection whose command was given up, before asyncpg waits for the server to confirm that.

    For that it would open a second connection, over the same link. The server ends the transaction when it
    sees that the connection is gone, or at the latest by its `idle_in_transaction_session_timeout`.
    """
    try:
        yield
    except (TimeoutError, asyncio.CancelledError):
        with suppress(asyncpg.InterfaceError):  # dropped already, on the way here
            connection.terminate()
        raise


async def migrate(admin: asyncpg.Connection, service: str, password: SecretStr | None) -> list[str]:
    """Bring the schema of ``service`` up to date as the database's owner; returns what was applied.

    Creates the schema and the role ``wafd_<service>`` (login, rights on its own rows only) when
    missing. A migration runs once; all that are new apply together or not at all. One that was changed
    after it ran raises `UsageError`.
    """
    async with admin.transaction():
        await admin.execute("SELECT pg_advisory_xact_lock(hashtext('wafd migrations'))")
        await _create_room(admin, service, password)
        await admin.execute(f"SET LOCAL search_path TO {service}, public")
        done = {row["name"]: row["digest"] for row in await admin.fetch("SELECT name, digest FROM migration")}
        applied = []
        for name, text in migrations(service).items():
            digest = hashlib.sha256(text.encode()).hexdigest()
            if name not in done:
                await admin.execute(text)
                await admin.execute("INSERT INTO migration (name, digest) VALUES ($1, $2)", name, digest)
                applied.append(name)
            elif done[name] != digest:
                raise UsageError(
                    f"the migration {name} of {service} was changed after it had been applied: restore it"
                )
        await _grant(admin, service)
    return applied


def migrations(service: str) -> Mapping[str, str]:
    """Every migration of a service by name, in the order in which they run."""
    own = Path(__file__).parent.parent / "services" / service / "sql" / "migrations"
    return {
        f"{folder}/{path.name}": path.read_text("utf-8")
        for folder, directory in (("delivery", _DELIVERY), (service, own))
        for path in sorted(directory.glob("*.sql"))
    }


async def _create_room(admin: asyncpg.Connection, service: str, password: SecretStr | None) -> None:
    role = f"wafd_{service}"
    if not await admin.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role):
        await admin.execute(f"CREATE ROLE {role} LOGIN")
    if password is not None:
        quoted = await admin.fetchval("SELECT quote_literal($1::text)", password.get_secret_value())
        await admin.execute(f"ALTER ROLE {role} PASSWORD {quoted}")
    await admin.execute("CREATE EXTENSION IF NOT EXISTS btree_gist SCHEMA public")
    await admin.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public")
    await admin.execute(f"CREATE SCHEMA IF NOT EXISTS {service}")
    await admin.execute(
        f"CREATE TABLE IF NOT EXISTS {service}.migration "
        "(name text PRIMARY KEY, digest text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )


async def _grant(admin: asyncpg.Connection, service: str) -> None:
    role = f"wafd_{service}"
    await admin.execute(f"GRANT USAGE ON SCHEMA {service} TO {role}")
    await admin.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {service} TO {role}")
    await admin.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {service} TO {role}")
    await admin.execute(f"REVOKE INSERT, UPDATE, DELETE ON {service}.migration FROM {role}")
