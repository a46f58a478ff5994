"""Which running system a command means: the one named in the environment, or that of `wafd up`."""

import asyncio
import json
import os
import select
import sys
from collections.abc import Awaitable, Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec
from urllib.parse import urlsplit

import asyncpg
import typer
from pydantic import ValidationError

from embedded.children import EmbeddedServerError
from runtime.database import encode_json
from runtime.errors import OperationError, UsageError, is_outage
from runtime.settings import KafkaSettings, load_settings

SERVICES = ("visits", "scheduling", "notifications", "eventlog")
DEFAULT_DATA = Path(".wafd")
RUN_FILE = "run.json"

P = ParamSpec("P")


def run_file(data: Path | None = None) -> dict[str, Any]:
    """What the running `wafd up` wrote about itself. Raises `UsageError` when there is none."""
    directory = data or Path(os.environ.get("WAFD_DATA", DEFAULT_DATA))
    path = directory / RUN_FILE
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if not {"admin_database", "kafka", "api"} <= content.keys():
            raise ValueError("not of `wafd up`")
    except (OSError, ValueError, AttributeError):
        raise UsageError(
            f"no running system was found in {directory}: start one with `wafd up`, "
            "name its folder in WAFD_DATA, or set WAFD_ADMIN_DATABASE"
        ) from None
    return content


def admin_dsn() -> str:
    """The DSN that may read every service's schema, from WAFD_ADMIN_DATABASE or the running `wafd up`."""
    named = os.environ.get("WAFD_ADMIN_DATABASE")
    if named:
        check_dsn("WAFD_ADMIN_DATABASE", named)
    return named or str(run_file()["admin_database"])


def check_dsn(what: str, dsn: str) -> None:
    """Refuse what PostgreSQL's client would stumble over. Raises `UsageError`."""
    try:
        parts = urlsplit(dsn)
        good = parts.scheme in {"postgresql", "postgres"} and parts.port != 0
    except ValueError:  # a port that is no number, or none that exists
        good = False
    if not good:
        raise UsageError(f"{what} is no DSN: write postgresql://user:password@host:port/name")


def kafka() -> KafkaSettings:
    """How to speak to the broker: from WAFD_KAFKA and its companions, or of the running `wafd up`."""
    return load_settings(
        KafkaSettings, **({} if "WAFD_KAFKA" in os.environ else {"kafka": run_file()["kafka"]})
    )


def operator() -> str:
    """Who acts, for the account of operators' actions."""
    return os.environ.get("WAFD_OPERATOR") or os.environ.get("USER") or f"uid {os.getuid()}"


async def connect(service: str) -> asyncpg.Connection:
    """Connect to the schema of ``service``, JSON decoded."""
    connection: asyncpg.Connection = await asyncpg.connect(
        admin_dsn(), timeout=10, server_settings={"search_path": f"{service}, public"}
    )
    await encode_json(connection)
    return connection


def command(function: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Run an async command; each failure is one sentence on stderr and exit 2 (wrong use) or 1."""

    @wraps(function)
    def run(*arguments: P.args, **options: P.kwargs) -> None:
        with failures():
            asyncio.run(_await(function(*arguments, **options)))

    return run


async def _await(awaitable: Awaitable[None]) -> None:
    await awaitable


WRONG_USE = (UsageError, asyncpg.exceptions.ClientConfigurationError, asyncpg.DataError, UnicodeError)
"""Among asyncpg's, what a wrong DSN and arguments that no column takes lead to."""


def _is_refused_text(error: BaseException | None) -> bool:
    """Whether asyncpg refused a text, such as one that is not UTF-8."""
    return isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError)


def _wrong_values(error: ValidationError) -> str:
    """One sentence about values that a model refused, without the values."""
    return "; ".join(
        f"{'.'.join(map(str, problem['loc'])) or 'input'} is wrong: {problem['msg']}"
        for problem in error.errors()
    )


class failures:  # noqa: N801 -- read as `with failures():`
    """Turns what the errors module names into a sentence and an exit code."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        """Exit with 2 for wrong use, 1 for a failure, 130 for an interruption."""
        if isinstance(error, BrokenPipeError | None) and _reader_has_gone(error):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        if isinstance(error, ValidationError):
            _say(_wrong_values(error))
            raise typer.Exit(2) from None
        if isinstance(error, WRONG_USE) or _is_refused_text(error):
            _say(error)
            raise typer.Exit(2) from None
        if isinstance(error, (OperationError, EmbeddedServerError)):
            _say(error)
            raise typer.Exit(1) from None
        if isinstance(error, asyncpg.UndefinedTableError):
            _say(f"the database is not up to date ({error}): run `wafd migrate`")
            raise typer.Exit(1) from None
        if isinstance(error, asyncpg.PostgresError) or (error is not None and is_outage(error)):
            _say(f"a server cannot be reached or fails: {type(error).__name__}: {error}")
            raise typer.Exit(1) from None
        if isinstance(error, KeyboardInterrupt):
            raise typer.Exit(130) from None


def _reader_has_gone(error: BaseException | None) -> bool:
    """Whether whoever reads our output has seen enough; what is buffered is printed to find out."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return True
    if error is None:
        return False
    output = select.poll()  # the pipe may have broken before, or the error is that of a server's connection
    output.register(sys.stdout.fileno(), select.POLLOUT)
    return any(state & select.POLLERR for _, state in output.poll(0))


def _say(what: object) -> None:
    print(f"wafd: {what}", file=sys.stderr)
