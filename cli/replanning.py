"""Commands of `wafd schedule` that change held programmes: blocks, pins, moves, and the waiting list."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from uuid import UUID

import asyncpg
import typer
from pydantic import BaseModel, TypeAdapter
from rich.console import Console
from rich.table import Table

from cli.schedule import schedule_app
from cli.target import admin_dsn, command, connect, operator
from runtime.errors import OperationError, UsageError
from runtime.operations import operating
from runtime.transaction import Transaction
from schemas.terms import Instant
from services.scheduling import archive, blocking, orders, store
from services.scheduling.calendar import Interval, local
from services.scheduling.centre import Centre
from services.scheduling.disruptions import Block
from services.scheduling.order_bodies import BlockAdded, BlockView, ReleaseView, WaitingView
from services.scheduling.planning import Contested, Office
from services.scheduling.problem import Wish
from services.scheduling.waiting import waiting_list
from services.scheduling.worker import SolverProcess

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
VisitName = Annotated[str, typer.Argument(metavar="VISIT", help="Its reference or id.")]
SlotKeys = Annotated[list[str], typer.Argument(metavar="KEY…", help="Keys of its slots.")]
SeenRelease = Annotated[int, typer.Option("--release", min=1, help="The release that you saw.")]
Why = Annotated[str, typer.Option(help="Why; kept, and it may name people.")]
_INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)
OnDay = "an ISO 8601 date, or a time that is the Centre's unless it names its zone"


@schedule_app.command()
@command
async def block(
    resource: Annotated[str, typer.Argument(help="person:CODE, venue:CODE or centre.")],
    since: Annotated[str, typer.Option("--from", help=f"From when on: {OnDay}.")],
    until: Annotated[str, typer.Option("--until", help="Until when; a date is blocked to its end.")],
    reason: Why,
    as_json: AsJson = False,
) -> None:
    """Take a person, a venue or the Centre out of use; programmes that this hits are planned anew."""
    if not reason.strip():
        raise UsageError("say why with --reason: it is kept")
    async with _ordering() as (tx, centre):
        span = Interval(_instant(centre, since), _instant(centre, until, end=True))
        added = Block(tx.new_id(), resource, span, reason.strip(), operator())
        hits = await orders.add_block(tx, centre, added)
    if as_json:
        _print(BlockAdded(**dict(BlockView.of(added)), hits=hits))
    else:
        planned = f"planned anew: {', '.join(hits)}" if hits else "no programme is hit"
        print(f"{added.id}: {resource} is blocked; {planned}")


@schedule_app.command()
@command
async def unblock(id_: Annotated[UUID, typer.Argument(metavar="ID")], as_json: AsJson = False) -> None:
    """Have what was blocked in use again; the waiting list is tried."""
    async with _ordering() as (tx, _):
        lifted = await orders.lift_block(tx, id_, operator())
    if as_json:
        _print(BlockView.of(lifted))
    else:
        print(f"{lifted.resource} is in use again")


@schedule_app.command()
@command
async def blocks(as_json: AsJson = False) -> None:
    """List what is blocked now or later."""
    connection = await connect("scheduling")
    found = [BlockView.of(one) for one in await blocking.blocks(connection, datetime.now(UTC))]
    table = Table("id", "resource", "from (UTC)", "until (UTC)", "reason", "added by")
    for one in found:
        table.add_row(str(one.id), one.resource, _utc(one.starts), _utc(one.ends), one.reason, one.added_by)
    _show(found, table, "nothing is blocked", as_json=as_json)


@schedule_app.command()
@command
async def pin(visit: VisitName, keys: SlotKeys, release: SeenRelease, as_json: AsJson = False) -> None:
    """Keep slots of a programme as they are, whenever it is planned anew."""
    async with _ordering() as (tx, _):
        id_ = await _id(tx.connection, visit)
        pinned = await orders.pin(tx, id_, release, frozenset(keys), operator())
    _tell_pins(visit, pinned, as_json=as_json)


@schedule_app.command()
@command
async def unpin(visit: VisitName, keys: SlotKeys, release: SeenRelease, as_json: AsJson = False) -> None:
    """Let slots of a programme be changed again when it is planned anew."""
    async with _ordering() as (tx, _):
        id_ = await _id(tx.connection, visit)
        pinned = await orders.unpin(tx, id_, release, frozenset(keys), operator())
    _tell_pins(visit, pinned, as_json=as_json)


@schedule_app.command()
@command
async def move(
    visit: VisitName,
    key: Annotated[str, typer.Argument(help="Key of the slot.")],
    release: SeenRelease,
    start: Annotated[str | None, typer.Option(help=f"Its new start: {OnDay}.")] = None,
    venue: Annotated[str | None, typer.Option(help="Code of its new venue.")] = None,
    person: Annotated[str | None, typer.Option(help="Code of who shall have a part in it.")] = None,
    instead_of: Annotated[str | None, typer.Option(help="Code of whom that person replaces.")] = None,
    seconds: Annotated[
        float, typer.Option(envvar="WAFD_SOLVER_SECONDS", min=0.1, max=600, help="Limit of the search.")
    ] = 5,
    answer_days: Annotated[
        int, typer.Option(envvar="WAFD_ANSWER_DAYS", min=1, max=90, help="Days to answer the new programme.")
    ] = 7,
    as_json: AsJson = False,
) -> None:
    """Move a slot and change as little else as possible; if that is impossible, change nothing."""
    solver = SolverProcess()
    try:
        async with _ordering() as (tx, centre):
            wish = Wish(key, _instant(centre, start) if start else None, venue, person, instead_of)
            office = Office(centre, solver, seconds, answer_days)
            id_ = await _id(tx.connection, visit)
            moved = await orders.move(office, tx, id_, release, wish, operator())
            latest = ReleaseView.all_of(await archive.releases(tx.connection, id_))[-1]
    finally:
        await solver.stop()
    if as_json:
        _print(latest)
    elif moved.release == release:
        print(f"{visit}: {key} was so already and is pinned now")
    else:
        print(f"{visit}: release {moved.release}, changed {', '.join(latest.changed)}; {key} is pinned now")


@schedule_app.command()
@command
async def replan(visit: VisitName, reason: Why, as_json: AsJson = False) -> None:
    """Have a programme planned anew with least change, or a waiting visit tried out of its turn."""
    async with _ordering() as (tx, _):
        id_ = await _id(tx.connection, visit)
        wanted = await orders.replan(tx, id_, reason, operator())
    if as_json:
        print(json.dumps({"visit": str(id_), "reference": wanted.reference}))
    else:
        print(f"{wanted.reference} is going to be planned: see `wafd schedule releases {wanted.reference}`")


@schedule_app.command()
@command
async def waitlist(as_json: AsJson = False) -> None:
    """List the visits that wait for a programme, in the order in which they are tried again."""
    connection = await connect("scheduling")
    centre = await _centre(connection)
    found = [WaitingView.of(one) for one in await waiting_list(connection, centre, datetime.now(UTC))]
    table = Table("visit", "country", "urgency", "waits since (UTC)", "last day")
    for one in found:
        table.add_row(one.reference, one.country, one.urgency, _utc(one.waiting_since), str(one.last_day))
    _show(found, table, "nobody waits", as_json=as_json)


@schedule_app.command()
@command
async def releases(visit: VisitName, as_json: AsJson = False) -> None:
    """Show every release of a visit's programme, why it was made and what it changed."""
    connection = await connect("scheduling")
    kept = await archive.releases(connection, await _id(connection, visit))
    found = ReleaseView.all_of(kept)
    table = Table("release", "kind", "made at (UTC)", "because", "changed", "no more", "affected", "cost")
    for one in found:
        table.add_row(
            str(one.release), one.kind, _utc(one.made_at), one.cause, ", ".join(one.changed),
            ", ".join(one.removed), ", ".join(one.affected), str(one.score.cost) if one.score else "",
        )  # fmt: skip
    _show(found, table, f"{visit} had no programme yet", as_json=as_json)


@asynccontextmanager
async def _ordering() -> AsyncIterator[tuple[Transaction, Centre]]:
    """Open a transaction of scheduling; what an order refuses becomes one of the commands' errors."""
    async with operating(admin_dsn(), "scheduling") as transactions:
        try:
            async with transactions() as tx:
                yield tx, await _centre(tx.connection)
        except (orders.NotFound, orders.Unfit) as error:
            raise UsageError(str(error)) from None
        except orders.Impossible as error:
            raise OperationError(
                f"no programme is possible with this, nothing was changed: {error}"
            ) from None
        except (orders.Stale, Contested) as error:
            raise OperationError(str(error)) from None


async def _centre(connection: asyncpg.Connection) -> Centre:
    centre = await store.current_centre(connection)
    if centre is None:
        raise OperationError("scheduling has loaded no master data yet: start it once with `wafd up`")
    return centre


async def _id(connection: asyncpg.Connection, visit: str) -> UUID:
    found = await store.find_visit(connection, visit)
    if found is not None:
        return found
    try:
        return UUID(visit)
    except ValueError:
        raise UsageError(f"scheduling knows no visit {visit}: write its reference or id") from None


def _instant(centre: Centre, text: str, *, end: bool = False) -> datetime:
    """Read a date, which is its beginning or ``end``, or a time; without a zone it is the Centre's."""
    try:
        if len(text) == len("2027-01-03"):
            moment = local(centre, date.fromisoformat(text) + timedelta(days=1 if end else 0), time())
        else:
            moment = datetime.fromisoformat(text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=centre.zone)
        return _INSTANT.validate_python(aware).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"{text!r} is no time of our days: write {OnDay}") from None


def _tell_pins(visit: str, pinned: frozenset[str], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"pinned": sorted(pinned)}))
    else:
        print(f"{visit}: pinned are {', '.join(sorted(pinned)) or 'no slots'}")


def _show(found: Sequence[BaseModel], table: Table, nothing: str, *, as_json: bool) -> None:
    if as_json:
        for one in found:
            _print(one)
    else:
        Console(width=None if Console().is_terminal else 180).print(table if found else nothing)


def _print(body: BaseModel) -> None:
    print(body.model_dump_json(exclude_none=True))


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"
