"""`wafd client` and `wafd submit`: who may use the API, and using it as a ministry."""

import hashlib
import json
import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import httpx
import typer
from babel import Locale

from cli.examples import CENTRE_ZONE, dated
from cli.target import admin_dsn, command, connect, failures, run_file
from runtime.errors import OperationError, UsageError
from runtime.operations import operating
from services.visits import clients
from services.visits.clients import Client, Credentials, Role

NO_COUNTRIES = {"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "ZZ"}
COUNTRIES = {code for code in map(str, Locale("en").territories) if code.isalpha()} - NO_COUNTRIES
"""ISO 3166-1, and XK for Kosovo, which passports use; CLDR names some regions besides."""

client_app = typer.Typer(no_args_is_help=True, help="Ministries and staff who use the API.")


@client_app.command()
@command
async def add(
    name: Annotated[str, typer.Option(help="The ministry or the person.")],
    country: Annotated[str, typer.Option(help="ISO 3166 code, such as QA.")],
    role: Annotated[Role, typer.Option(help="What it may do.")] = Role.MINISTRY,
) -> None:
    """Register a client and print its credentials as JSON; the key is shown this once."""
    if country not in COUNTRIES:
        raise UsageError(f"--country {country} is no ISO 3166 code of two capital letters, such as QA")
    if not name.strip() or len(name) > 300 or not name.isprintable():  # noqa: PLR2004
        raise UsageError("--name needs 1 to 300 printable characters")
    async with operating(admin_dsn(), "visits") as transactions, transactions() as tx:
        if known := await clients.namesake(tx.connection, name.strip(), country):
            raise UsageError(
                f"{known.name} ({country}) is registered already as {known.role}: "
                f"give it another key with `wafd client key {known.id}`"
            )
        made = await clients.add_client(
            tx.connection, id=tx.new_id(), name=name.strip(), country=country, role=role, now=tx.now
        )
    _print_credentials(Client(made.client_id, name.strip(), country, role), made)


@client_app.command()
@command
async def key(
    client: Annotated[
        str, typer.Argument(metavar="CLIENT", help="Its id, or the prefix of one of its keys.")
    ],
) -> None:
    """Give a client another key and print it as JSON, this once; the old ones hold until they are revoked."""
    async with operating(admin_dsn(), "visits") as transactions, transactions() as tx:
        known = await clients.find_client(tx.connection, client)
        if known is None:
            raise OperationError(
                f"no client has the id or a key with the prefix {client}: see `wafd client list`"
            )
        made = await clients.add_key(tx.connection, known.id, tx.now)
    _print_credentials(known, made)


def _print_credentials(client: Client, made: Credentials) -> None:
    facts = {
        "client_id": str(client.id),
        "name": client.name,
        "country": client.country,
        "role": client.role.value,
        "prefix": made.prefix,
        "api_key": made.api_key,
    }
    print(json.dumps(facts, ensure_ascii=False))


@client_app.command("list")
@command
async def list_clients() -> None:
    """List clients and the prefixes of their keys, one JSON object a line."""
    for known in await clients.list_clients(await connect("visits")):
        print(json.dumps(known._asdict(), default=str, ensure_ascii=False))


@client_app.command()
@command
async def revoke(
    prefix: Annotated[str, typer.Argument(help="The key's prefix, see `wafd client list`.")],
) -> None:
    """Put a key out of force at once."""
    if not await clients.revoke(await connect("visits"), prefix, datetime.now(UTC)):
        raise OperationError(f"no key in force has the prefix {prefix}: see `wafd client list`")
    print(f"{prefix} revoked")


def submit(
    file: Annotated[Path, typer.Argument(help="A request as JSON, or an example; - reads standard input.")],
    key: Annotated[str | None, typer.Option(help="The API key; default: WAFD_API_KEY.")] = None,
    api: Annotated[
        str | None, typer.Option(help="Base URL; default: WAFD_API or the running system.")
    ] = None,
) -> None:
    """Submit a visit request as a ministry and print the answer; repeating it with one content is safe."""
    with failures():
        token = (key or os.environ.get("WAFD_API_KEY", "")).strip()
        if not token:
            raise UsageError("no API key: give --key or set WAFD_API_KEY (see `wafd client add`)")
        if not re.fullmatch(r"[!-~]+", token):
            raise UsageError("the API key has characters that no key has: copy it again, on one line")
        try:
            body = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        except OSError as error:
            raise UsageError(f"{file} cannot be read: {error.strerror}") from None
        base = api or os.environ.get("WAFD_API") or str(run_file()["api"])
        _report(_post(base, token, _as_request(str(file), body)))


def _as_request(file: str, body: bytes) -> bytes:
    """What is to be sent: the body as it is, or the request in a file of `examples/requests`."""
    name = "standard input" if file == "-" else file
    try:
        content = json.loads(body.decode())
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise UsageError(f"{name} is not JSON: {error.msg} at {place}") from None
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{name} is not UTF-8: see line {line}") from None
    except RecursionError:
        raise UsageError(f"{name} is nested too deeply") from None
    try:
        return json.dumps(dated(content, datetime.now(CENTRE_ZONE).date())).encode()
    except (ValueError, KeyError, TypeError):
        return body  # no example; the API says what is wrong with it


def _post(base: str, token: str, body: bytes) -> httpx.Response:
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Idempotency-Key": f"wafd-submit-{hashlib.sha256(body).hexdigest()}",
    }
    transport = httpx.HTTPTransport(retries=3)
    with httpx.Client(transport=transport, timeout=30, trust_env=False) as client:
        try:
            return client.post(f"{base.rstrip('/')}/v1/visit-requests", content=body, headers=headers)
        except (httpx.InvalidURL, UnicodeError):
            raise UsageError(
                f"the API's address {base!r} or the API key cannot be used: check both"
            ) from None
        except httpx.UnsupportedProtocol:
            raise UsageError(f"{base} is no address of an API: write http://host:port") from None
        except httpx.HTTPError as error:
            raise OperationError(f"{base} does not answer ({type(error).__name__}): is it running?") from None


def _report(answer: httpx.Response) -> None:
    if answer.is_success:
        print(answer.text)
        return
    try:
        problem = answer.json()
    except ValueError:
        raise OperationError(f"the API answered {answer.status_code}") from None
    wrong = "".join(
        f"\n  {item.get('pointer') or '/'}: {item['detail']}" for item in problem.get("errors", ())
    )
    raise OperationError(f"the request was refused ({answer.status_code}): {problem.get('detail')}{wrong}")
