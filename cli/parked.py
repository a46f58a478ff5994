"""`wafd parked`: see what could not be handled, take it up again or give it up."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from cli.demo import progress_bar
from cli.target import SERVICES, admin_dsn, command, connect, failures, operator
from runtime import operations
from runtime.errors import OperationError, UsageError
from runtime.incoming import HELD

parked_app = typer.Typer(no_args_is_help=True, help="Messages that could not be handled.")

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


def _id(text: str) -> UUID:
    """Read an id in the words of the other errors, before anything is asked of a server."""
    with failures():
        try:
            return UUID(text)
        except ValueError:
            raise UsageError(f"{text} is no id of a message: see `wafd parked list`") from None


MessageId = Annotated[UUID, typer.Argument(metavar="ID", parser=_id)]
OfService = Annotated[str | None, typer.Option("--service", help="Only this service's.")]
OfKey = Annotated[str | None, typer.Option("--key", help="Only those of this key.")]
OfType = Annotated[str | None, typer.Option("--type", help="Only those of this event type.")]
OfKind = Annotated[str | None, typer.Option("--fingerprint", help="Only those that failed alike.")]


@parked_app.command("list")
@command
async def list_parked(
    service: OfService = None,
    key: OfKey = None,
    fingerprint: OfKind = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what was redriven or discarded.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the first parked message of each key and how many are held behind it; --json lists every one."""
    if as_json or everything:
        found = await _find(service, key, fingerprint, state=None if everything else "parked")
    else:
        found = await _heads(service, key, fingerprint)
    if as_json:
        for name, row in found:
            print(json.dumps({"service": name, **_facts(row)}, default=str, ensure_ascii=False))
        return
    table = Table("service", "id", "type", "state", "cause", "held behind it", "parked at (UTC)")
    for name, row in found:
        table.add_row(
            name, str(row["id"]), row["type"] or "?", row["state"], row["cause"],
            "" if everything else str(row["behind"]), _utc(row["parked_at"]),
        )  # fmt: skip
    Console(width=None if Console().is_terminal else 180).print(table if found else "nothing is parked")


@parked_app.command()
@command
async def show(
    id_: MessageId,
    body: Annotated[
        bool, typer.Option("--body", help="Also the body, which may hold personal data.")
    ] = False,
) -> None:
    """Show one parked message as JSON."""
    for service in SERVICES:
        row = await operations.parked_record(await connect(service), id_)
        if row:
            content = {"service": service, **_facts(row), "headers": row["headers"]}
            if body:
                content["body"] = (row["value"] or b"").decode("utf-8", "backslashreplace")
            print(json.dumps(content, default=str, ensure_ascii=False, indent=2))
            return
    raise OperationError(f"no message with the id {id_} is or was parked: see `wafd parked list --all`")


@parked_app.command()
@command
async def groups(service: OfService = None, as_json: AsJson = False) -> None:
    """Group what failed by the kind of its failure, the largest group first."""
    found = [(name, row) for name in _services(service) for row in await _groups(name)]
    if as_json:
        for name, row in found:
            print(json.dumps({"service": name, **row}, default=str, ensure_ascii=False))
        return
    table = Table(
        "service", "fingerprint", "cause", "types", "failed", "keys", "held behind", "first", "last"
    )
    for name, row in found:
        table.add_row(
            name, row["fingerprint"], row["cause"], ", ".join(row["types"]), str(row["failed"]),
            str(row["keys"]), str(row["held"]), _utc(row["first"]), _utc(row["last"]),
        )  # fmt: skip
    Console(width=None if Console().is_terminal else 200).print(table if found else "nothing is parked")


async def _groups(service: str) -> list[asyncpg.Record]:
    return await operations.parked_groups(await connect(service))


@parked_app.command()
@command
async def redrive(
    id_: Annotated[UUID | None, typer.Argument(metavar="[ID]", parser=_id)] = None,
    service: OfService = None,
    key: OfKey = None,
    fingerprint: OfKind = None,
    type_: OfType = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that is parked.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be redriven.")] = False,
    seconds: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", min=0, help="Seconds to wait for the outcome.")
    ] = 30,
    as_json: AsJson = False,
) -> None:
    """Handle parked messages again, each key from its oldest on; what fails again stays parked."""
    chosen = {
        name: value
        for name, value in (("id", id_), ("key", key), ("fingerprint", fingerprint), ("type", type_))
        if value is not None
    }
    if not chosen and not everything:
        raise UsageError("say what to redrive: an id, --key, --fingerprint, --type or --all")
    what = " ".join(f"{name} {value}" for name, value in chosen.items()) or "everything"
    found = {
        name: await operations.parked_keys(
            await connect(name), key=key, fingerprint=fingerprint, type=type_, id=id_
        )
        for name in _services(service)
    }
    if not any(found.values()):
        raise OperationError("nothing that is parked matches: see `wafd parked list`")
    chosen_keys = {name: keys for name, keys in found.items() if keys}
    if dry_run:
        for name, keys in chosen_keys.items():
            print(f"{name}: would redrive {len(keys)} key(s): {', '.join(keys)}")
        return
    asked = {name: await _ask(name, keys, what) for name, keys in chosen_keys.items()}
    failed = []
    for name, keys in chosen_keys.items():
        outcome, left = await _until_redriven(name, keys, asked[name], seconds)
        print(json.dumps(outcome) if as_json else _in_words(outcome))
        failed += left
    if failed:
        raise OperationError(f"{failed[0]['id']} failed again: {failed[0]['cause']}")


async def _ask(service: str, keys: Sequence[str], what: str) -> int:
    """Have a service redrive; returns how many records of the keys are parked before."""
    before = await operations.count_parked(await connect(service), keys)
    async with operations.operating(admin_dsn(), service) as transactions, transactions() as tx:
        await operations.ask_redrive(tx, keys, what, operator())
    return before


async def _until_redriven(
    service: str, keys: Sequence[str], before: int, seconds: float
) -> tuple[dict[str, Any], list[asyncpg.Record]]:
    """Wait for the end; returns the outcome and what is still parked."""
    connection = await connect(service)
    with progress_bar() as progress:
        task = progress.add_task(f"{service}: redriving", total=before)
        try:
            async with asyncio.timeout(seconds):
                while await operations.redrives_under_way(connection, keys):
                    left = await operations.count_parked(connection, keys)
                    progress.update(task, completed=before - left)
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise OperationError(
                f"{service} has not finished after {seconds:g} s and goes on: see `wafd parked list`"
            ) from None
    parked = [row for key in keys for row in await operations.parked(connection, key=key)]
    again = [row for row in parked if not row["cause"].startswith(HELD)]
    outcome = {
        "service": service,
        "keys": len(keys),
        "redriven": before - len(parked),
        "failed_again": len(again),
        "held_behind": len(parked) - len(again),
    }
    return outcome, again or parked


def _in_words(outcome: dict[str, Any]) -> str:
    return (
        f"{outcome['service']}: {outcome['keys']} key(s), {outcome['redriven']} message(s) redriven, "
        f"{outcome['failed_again']} failed again, {outcome['held_behind']} held behind these"
    )


@parked_app.command()
@command
async def discard(
    id_: MessageId,
    reason: Annotated[str, typer.Option(help="Why it may be given up; kept for good.")],
    service: OfService = None,
) -> None:
    """Give one parked message up for good, in every service that parked it; a reason is needed."""
    if not reason.strip():
        raise UsageError("say why with --reason: it is kept for good")
    found = await _find(service, None, None, id_=id_)
    if not found:
        raise OperationError(f"no message with the id {id_} is parked: see `wafd parked list`")
    for name, _row in found:
        async with operations.operating(admin_dsn(), name) as transactions, transactions() as tx:
            await operations.discard(tx, id_, reason.strip(), operator())
        print(f"{name}: {id_} discarded")


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"


async def _find(
    service: str | None,
    key: str | None,
    fingerprint: str | None,
    *,
    id_: UUID | None = None,
    state: str | None = "parked",
) -> list[tuple[str, asyncpg.Record]]:
    return [
        (name, row)
        for name in _services(service)
        for row in await operations.parked(
            await connect(name), state=state, key=key, fingerprint=fingerprint, id=id_
        )
    ]


async def _heads(
    service: str | None, key: str | None, fingerprint: str | None
) -> list[tuple[str, asyncpg.Record]]:
    return [
        (name, row)
        for name in _services(service)
        for row in await operations.parked_heads(await connect(name), key=key, fingerprint=fingerprint)
    ]


def _services(service: str | None) -> Sequence[str]:
    if service is not None and service not in SERVICES:
        raise UsageError(f"there is no service {service!r}: it is one of {', '.join(SERVICES)}")
    return [service] if service else SERVICES


def _facts(row: asyncpg.Record) -> dict[str, Any]:
    names = (
        "id", "key", "type", "topic", "partition", "record_offset", "state", "cause", "fingerprint",
        "attempts", "parked_at", "settled_at", "reason",
    )  # fmt: skip
    return {name: row[name] for name in names}
