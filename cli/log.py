"""`wafd log`: read what happened."""

import asyncio
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from cli.target import command, connect
from runtime.errors import OperationError, UsageError
from services.eventlog import store

log_app = typer.Typer(no_args_is_help=True, help="Read the event log.")

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@log_app.command()
@command
async def tail(
    last: Annotated[int, typer.Option("--last", "-n", min=0, help="How many to begin with.")] = 20,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", "-f", help="Keep following.")] = True,
    as_json: AsJson = False,
) -> None:
    """Show the newest events and follow what comes."""
    connection = await connect("eventlog")
    async for events in store.tail(connection, last):
        for event in events:
            print(_line(event, as_json=as_json), flush=True)
        if not events:
            if not follow:
                return
            await asyncio.sleep(0.3)


@log_app.command()
@command
async def search(
    text: Annotated[str | None, typer.Argument(help="Words in the event's data.")] = None,
    type_: Annotated[str | None, typer.Option("--type", help="For example visits.request.*")] = None,
    subject: Annotated[str | None, typer.Option(help="Id of a visit.")] = None,
    since: Annotated[str | None, typer.Option(help="ISO 8601, or 30m, 2h, 7d ago.")] = None,
    until: Annotated[str | None, typer.Option(help="ISO 8601, or 30m, 2h, 7d ago.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    as_json: AsJson = False,
) -> None:
    """Find events; personal data, and what people wrote in free words, is neither searched nor shown."""
    connection = await connect("eventlog")
    now = datetime.now(UTC)
    rows = await store.search_events(
        connection,
        text=text,
        type=type_,
        subject=subject,
        since=_moment(since, now),
        until=_moment(until, now),
        limit=limit,
    )
    for event in rows:
        print(_line(event, as_json=as_json))
    if not rows:
        print("no event matches", file=sys.stderr)


@log_app.command()
@command
async def trace(
    what: Annotated[str, typer.Argument(help="A visit's reference or id, an event's or a correlation id.")],
    as_json: AsJson = False,
) -> None:
    """Follow one visit through every service."""
    connection = await connect("eventlog")
    events = await store.trace(connection, what)
    if not events:
        raise OperationError(f"the event log knows nothing of {what}: try `wafd log search`")
    if as_json:
        for event in events:
            print(_line(event, as_json=True))
        return
    _print_story(events)


def _print_story(events: list[asyncpg.Record]) -> None:
    first = events[0]["time"]
    depth: dict[object, int] = {}
    table = Table("after", "event", "id", "facts", title=f"{_fact(events[0])} · {events[0]['subject']}")
    for event in events:
        depth[event["id"]] = depth.get(event["causation"], -1) + 1
        after = (event["time"] - first).total_seconds()
        table.add_row(
            f"{after:+.3f} s",
            "  " * depth[event["id"]] + event["type"],
            str(event["id"])[-12:],
            _fact(event),
        )
    Console(width=None if Console().is_terminal else 140).print(table)


def _fact(event: asyncpg.Record) -> str:
    data = event["data"]
    words = [
        f"release {data[name]}" if name == "release" else str(data[name])
        for name in ("reference", "release", "audience", "person", "reason")
        if data.get(name)
    ]
    return " ".join(words)[:80]


def _line(event: asyncpg.Record, *, as_json: bool) -> str:
    if not as_json:
        time = event["time"].astimezone(UTC)
        return f"{time:%Y-%m-%d %H:%M:%S.%fZ} {event['type']:44} {event['subject']} {_fact(event)}"
    names = ("id", "type", "source", "subject", "time", "correlation", "causation", "data")
    return json.dumps({name: event[name] for name in names}, default=str, ensure_ascii=False)


def _moment(text: str | None, now: datetime) -> datetime | None:
    if text is None:
        return None
    units = {"m": "minutes", "h": "hours", "d": "days"}
    try:
        if ago := re.fullmatch(r"([0-9]{1,5})([mhd])", text):
            return now - timedelta(**{units[ago[2]]: int(ago[1])})
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"{text!r} is no time: write 2026-01-31T08:00:00+03:00, or 30m, 2h, 7d") from None
