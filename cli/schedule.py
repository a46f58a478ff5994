"""`wafd schedule`: what-if on the running system, for the officers and for ops."""

import json
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.examples import dated
from cli.target import command, connect
from runtime.bodies import MalformedJson, Refused
from runtime.errors import UsageError
from runtime.transaction import new_id
from schemas.scheduling import Slot
from schemas.terms import NoticeLanguage
from services.scheduling import store
from services.scheduling.answers import Offer, Preview, preview, timetables
from services.scheduling.calendar import span_of
from services.scheduling.centre import Centre
from services.scheduling.drawing import picture
from services.scheduling.page import Heading, page
from services.scheduling.picture import png
from services.scheduling.problem import Problem
from services.scheduling.runs import horizon
from services.scheduling.timetable import Timetable
from services.scheduling.what_if import WhatIf, needs_of, read_what_if
from services.scheduling.words import clock, headline, said, weekday, word
from services.scheduling.worker import offer_here

schedule_app = typer.Typer(
    no_args_is_help=True, help="Programmes: what would be possible, and what officers change."
)


@schedule_app.command("preview")
@command
async def preview_programmes(
    file: Annotated[
        Path, typer.Argument(metavar="REQUEST.json", help="A request, or an example; - reads standard input.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print what the API would answer.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write the timetables as a page.")] = None,
    image: Annotated[
        Path | None, typer.Option("--png", help="Write the first programme's timetable as a picture.")
    ] = None,
    language: Annotated[NoticeLanguage, typer.Option(help="Of what is printed and written.")] = "en",
    seconds: Annotated[float, typer.Option(min=0.1, max=600, help="Time limit of the search.")] = 5,
) -> None:
    """Show up to three programmes that a request could have now; nothing is booked. Exits with 1 on none."""
    centre, problem = await _problem(file, seconds)
    shown = preview(centre, offer_here(problem))
    drawn = timetables(shown)
    if html and drawn:
        _write(html, page(Heading(), drawn, language).encode())
    if image and drawn:
        _write(image, png(picture(drawn[0], language, headline(language, None, None))))
    if as_json:
        print(shown.model_dump_json(exclude_none=True))
    else:
        _print(shown, drawn, language)
    if not drawn:
        if unwritten := [str(path) for path in (html, image) if path]:
            print(f"nothing to draw: {', '.join(unwritten)} was not written", file=sys.stderr)
        raise typer.Exit(1)


async def _problem(file: Path, seconds: float) -> tuple[Centre, Problem]:
    """What to solve: the request in the file, the master data and the calendar of the running system."""
    document = _document(file)
    connection = await connect("scheduling")
    try:
        centre, now = await store.current_centre(connection), datetime.now(UTC)
        if centre is None:
            raise UsageError("no master data are loaded yet: start the scheduling service first")
        today = now.astimezone(centre.zone).date()
        asked = _asked(file, document, today)
        needs = needs_of(asked, today)
        busy = await store.busy(connection, new_id(), span_of(centre, horizon(needs, now, centre)))
    finally:
        await connection.close()
    return centre, Problem(centre, needs, busy, now, seconds, asked.country)


def _document(file: Path) -> Any:
    """The JSON in the file. Raises `UsageError`."""
    try:
        return json.loads((sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()).decode())
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise UsageError(f"{file} is not JSON: {error.msg} at {place}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not UTF-8") from None
    except RecursionError:
        raise UsageError(f"{file} is nested too deeply") from None


def _asked(file: Path, document: Any, today: date) -> WhatIf:
    """The request in a document, or in an example. Raises `UsageError` naming every wrong field."""
    try:
        request = {"country": document["client"]["country"], **dated(document, today)}
    except (KeyError, TypeError, ValueError, OverflowError):
        request = document  # no example
    try:
        return read_what_if(json.dumps(request).encode(), today)
    except MalformedJson:
        raise UsageError(f"{file} holds texts that are not UTF-8") from None
    except Refused as refused:
        wrong = "; ".join(f"{each.pointer or '/'}: {each.detail}" for each in refused.problems)
        raise UsageError(f"{file} is no request that can be planned: {wrong}") from None


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


def _print(shown: Preview, drawn: tuple[Timetable, ...], language: NoticeLanguage) -> None:
    console = Console(width=None if sys.stdout.isatty() else 120)
    if drawn:
        console.print(word(language, "preview"), markup=False)
    for number, (offer, timetable) in enumerate(zip(shown.programmes, drawn, strict=True), 1):
        console.print(_table(number, offer, timetable, language))
    if not drawn:
        lines = [word(language, "no_programme") + ":", *(f"  {said(language, one)}" for one in shown.reasons)]
        if shown.alternatives:
            lines += [word(language, "alternatives") + ":"]
            lines += [f"  {said(language, one.note)}" for one in shown.alternatives]
        console.print(*lines, sep="\n", markup=False, highlight=False, soft_wrap=True)


def _table(number: int, offer: Offer, timetable: Timetable, language: NoticeLanguage) -> Table:
    title = f"{word(language, 'option')} {number}"
    if offer.score is not None:
        title += f" · {word(language, 'score')}: {offer.score.cost}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("time", "session", "place", "people"):
        table.add_column(word(language, heading), no_wrap=heading == "time")
    day = None
    for slot in timetable.slots:
        starts = slot.starts.astimezone(timetable.zone).date()
        if starts != day:
            day = starts
            table.add_row(Text(weekday(language, day), style="bold", no_wrap=True))
        table.add_row(*(Text(cell) for cell in _cells(slot, timetable, language)))
    return table


def _cells(slot: Slot, timetable: Timetable, language: NoticeLanguage) -> tuple[str, ...]:
    group = f" ({word(language, 'group')} {slot.group})" if slot.group else ""
    people = ", ".join(
        f"{said(language, timetable.people[one.person])} ({word(language, one.role)})"
        for one in slot.assignments
        if one.person in timetable.people
    )
    time = f"{clock(slot.starts, timetable.zone)}–{clock(slot.ends, timetable.zone)}"
    return time, said(language, slot.title) + group, said(language, slot.place.name), people
