"""The table at the end of `wafd demo`: what became of each request."""

import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

import asyncpg
from rich import box
from rich.console import Console
from rich.table import Table

from cli.examples import CENTRE_ZONE, DELIVERED, INFEASIBLE, RELEASED, Story


def show(stories: Sequence[Story], data: Path) -> None:
    """Print the table, the reasons of what did not come about, and where to look."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    table = Table(title="What became of the requests", box=box.SIMPLE_HEAD)
    for heading in ("request", "state", "programme (time in Bahrain)"):
        table.add_column(heading, no_wrap=True)
    for heading in ("people\ntold", "ms from 202\nto first notice"):
        table.add_column(heading, justify="right")
    for story in stories:
        reference = story.events[0]["data"]["reference"] if story.events else "not accepted"
        told = str(_people_told(story)) if story.id else ""
        first = _milliseconds(story, "visits.", story.accepted_at)
        table.add_row(
            f"{story.name}\n{reference}, {story.country}",
            story.outcome,
            _programme(story),
            told,
            f"{first:.0f}" if first is not None else "",
        )
    console.print(table)
    lines = [f"{story.name}: {line}" for story in stories for line in _reasons(story)]
    wafd = Path(sys.argv[0])
    lines += [
        "",
        _pace(stories),
        "The demo played every ministry and the visits officer through the API.",
        f"Messages: {data / 'mail'}   logs: {data / 'wafd.log'}",
        f"To look around: {wafd} up --data {data}",
        f"and then, for example: WAFD_DATA={data} {wafd} log trace V-{datetime.now(CENTRE_ZONE):%Y}-000001",
        "Its API keys were kept nowhere: `wafd client key PREFIX` gives one of `wafd client list` a new key.",
    ]
    console.print(*lines, sep="\n", markup=False, highlight=False, soft_wrap=True)


def _people_told(story: Story) -> int:
    """Persons of the Centre, contacts of the ministry and the office to whom a notice was delivered."""
    delivered = [notice["data"] for notice in story.notices if notice["type"] == DELIVERED]
    persons = {notice["person"] for notice in delivered if notice["person"]}
    ministry = Counter(notice["cause"] for notice in delivered if notice["audience"] == "ministry")
    office = any(notice["audience"] == "office" for notice in delivered)
    return len(persons) + max(ministry.values(), default=0) + office


def _programme(story: Story) -> str:
    if story.refusal:
        return f"{len(story.refusal['errors'])} fields are wrong"
    released, infeasible = story.first(RELEASED), story.first(INFEASIBLE)
    if released is not None:
        return _span(released)
    if infeasible is None:
        return ""
    alternatives = [_alternative(one, story) for one in infeasible["data"]["alternatives"]]
    return "\n".join(["none as asked; possible:", *alternatives] if alternatives else ["none"])


def _span(released: asyncpg.Record) -> str:
    slots = released["data"]["slots"]
    first = datetime.fromisoformat(slots[0]["starts"]).astimezone(CENTRE_ZONE)
    last = datetime.fromisoformat(slots[-1]["ends"]).astimezone(CENTRE_ZONE)
    until = f"{last:%H:%M}" if last.date() == first.date() else f"{last:%d %b %H:%M}"
    return f"{len(slots)} sessions\n{first:%d %b %Y %H:%M} – {until}"


def _alternative(alternative: dict[str, object], story: Story) -> str:
    themes = alternative["themes"]
    kept = len(themes) if isinstance(themes, list) else 0
    day = date.fromisoformat(str(alternative["first_day"]))
    return f"from {day:%d %b %Y}, {kept} of {len(story.request['themes'])} themes"


def _milliseconds(story: Story, cause: str, start: datetime | None) -> float | None:
    """From ``start`` to the first delivered notice of an event whose type begins with ``cause``."""
    times = [
        notice["time"]
        for notice in story.notices
        if notice["type"] == DELIVERED and notice["data"]["cause_type"].startswith(cause)
    ]
    return (min(times) - start).total_seconds() * 1000 if start and times else None


def _pace(stories: Sequence[Story]) -> str:
    """How long programmes took, all approved within moments and solved one after the other."""
    waits = [_milliseconds(story, "scheduling.", story.approved_at) for story in stories]
    known = [wait / 1000 for wait in waits if wait is not None]
    if not known:
        return ""
    return (
        f"From an approval to the first notice of its programme: median {statistics.median(known):.1f} s, "
        f"longest {max(known):.1f} s, all {len(known)} approved at once and planned by one solver."
    )


def _reasons(story: Story) -> list[str]:
    if story.refusal:
        return [f"{error['pointer']}: {error['detail']}" for error in story.refusal["errors"]]
    infeasible = story.first(INFEASIBLE)
    return [reason["en"] for reason in infeasible["data"]["reasons"]] if infeasible else []
