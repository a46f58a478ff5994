"""`wafd client` and `wafd submit`: who may use the API, and using it as a ministry."""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import httpx
import typer

from cli.examples import CENTRE_ZONE, dated
from cli.target import admin_dsn, command, connect, failures, run_file
from runtime.errors import OperationError, UsageError
from runtime.operations import operating
from runtime.transaction import new_id
from services.visits import clients
from services.visits.clients import Role

client_app = typer.Typer(no_args_is_help=True, help="Ministries and staff who use the API.")


@client_app.command()
@command
async def add(
    name: Annotated[str, typer.Option(help="The ministry or the person.")],
    country: Annotated[str, typer.Option(help="ISO 3166 code, such as QA.")],
    role: Annotated[Role, typer.Option(help="What it may do.")] = Role.MINISTRY,
) -> None:
    """Register a client and print its credentials as JSON; the key is shown this once."""
    if not (len(country) == 2 and country.isascii() and country.isalpha() and country.isupper()):  # noqa: PLR2004
        raise UsageError(f"--country {country} is no ISO 3166 code of two capital letters, such as QA")
    if not name.strip() or len(name) > 300 or not name.isprintable():  # noqa: PLR2004
        raise UsageError("--name needs 1 to 300 printable characters")
    async with operating(admin_dsn(), "visits") as transactions, transactions() as tx:
        made = await clients.add_client(
            tx.connection, id=tx.new_id(), name=name.strip(), country=country, role=role, now=tx.now
        )
    print(
        json.dumps(
            {
                "client_id": str(made.client_id),
                "name": name.strip(),
                "country": country,
                "role": role.value,
                "prefix": made.prefix,
                "api_key": made.api_key,
            },
            ensure_ascii=False,
        )
    )


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
    """Submit a visit request as a ministry and print the answer; repeating it is safe."""
    with failures():
        token = (key or os.environ.get("WAFD_API_KEY", "")).strip()
        if not token:
            raise UsageError("no API key: give --key or set WAFD_API_KEY (see `wafd client add`)")
        try:
            body = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        except OSError as error:
            raise UsageError(f"{file} cannot be read: {error.strerror}") from None
        base = api or os.environ.get("WAFD_API") or str(run_file()["api"])
        _report(_post(base, token, _as_request(body)))


def _as_request(body: bytes) -> bytes:
    """What is to be sent: the body as it is, or the request in a file of `examples/requests`."""
    try:
        content = json.loads(body)
        return json.dumps(dated(content, datetime.now(CENTRE_ZONE).date())).encode()
    except (ValueError, KeyError, TypeError, RecursionError):
        return body  # the API says what is wrong with it


def _post(base: str, token: str, body: bytes) -> httpx.Response:
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Idempotency-Key": str(new_id()),
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
    wrong = "".join(f"\n  {item['pointer'] or '/'}: {item['detail']}" for item in problem.get("errors", ()))
    raise OperationError(f"the request was refused ({answer.status_code}): {problem.get('detail')}{wrong}")
