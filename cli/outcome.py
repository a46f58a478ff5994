"""The table at the end of `wafd demo`: what became of each request."""

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import asyncpg
from rich.console import Console
from rich.table import Table

from cli.examples import CENTRE_ZONE, DELIVERED, INFEASIBLE, RELEASED, Story


def show(stories: Sequence[Story], data: Path) -> None:
    """Print the table, the reasons of what did not come about, and where to look."""
    console = Console(width=None if sys.stdout.isatty() else 150)
    table = Table(title="What became of the requests (times of day in Bahrain)")
    for heading in ("request", "state", "programme"):
        table.add_column(heading)
    for heading in ("people\ntold", "ms from 202\nto first notice", "ms from approval\nto its first notice"):
        table.add_column(heading, justify="right")
    for story in stories:
        table.add_row(story.name, *_row(story))
    console.print(table)
    for story in stories:
        for line in _reasons(story):
            console.print(f"  {story.name}: {line}", markup=False, highlight=False)
    where = (
        f"Messages are in {data / 'mail'}, logs in {data / 'wafd.log'}.",
        f"To look around (mailbox page, API, event log): wafd up --data {data}",
    )
    console.print("", *where, sep="\n", markup=False, highlight=False)


def _row(story: Story) -> tuple[str, str, str, str, str]:
    if story.refusal:
        return story.outcome, f"{len(story.refusal['errors'])} wrong fields", "", "", ""
    told = str(_people_told(story))
    times = (
        _milliseconds(story, "visits.", story.accepted_at),
        _milliseconds(story, "scheduling.", story.approved_at),
    )
    released = story.first(RELEASED)
    if released is None:
        return story.outcome, _alternatives(story), told, *times
    return story.outcome, _programme(released), told, *times


def _people_told(story: Story) -> int:
    """Contacts of the ministry, persons of the Centre and the office, each counted once."""
    delivered = [notice["data"] for notice in story.notices if notice["type"] == DELIVERED]
    persons = {notice["person"] for notice in delivered if notice["person"]}
    ministry = any(notice["audience"] == "ministry" for notice in delivered)
    office = any(notice["audience"] == "office" for notice in delivered)
    return len(persons) + story.focal_points * ministry + office


def _programme(released: asyncpg.Record) -> str:
    slots = released["data"]["slots"]
    first = datetime.fromisoformat(slots[0]["starts"]).astimezone(CENTRE_ZONE)
    last = datetime.fromisoformat(slots[-1]["ends"]).astimezone(CENTRE_ZONE)
    return f"{len(slots)} sessions, {first:%d %b %H:%M} – {last:%d %b %H:%M}"


def _alternatives(story: Story) -> str:
    infeasible = story.first(INFEASIBLE)
    days = (
        [alternative["first_day"] for alternative in infeasible["data"]["alternatives"]] if infeasible else []
    )
    return f"none; possible from {', '.join(days)}" if days else "none"


def _milliseconds(story: Story, cause: str, start: datetime | None) -> str:
    """From ``start`` to the first delivered notice of an event whose type begins with ``cause``."""
    times = [
        notice["time"]
        for notice in story.notices
        if notice["type"] == DELIVERED and notice["data"]["cause_type"].startswith(cause)
    ]
    if start is None or not times:
        return ""
    return f"{max((min(times) - start).total_seconds(), 0) * 1000:.0f}"


def _reasons(story: Story) -> list[str]:
    if story.refusal:
        return [f"{error['pointer']}: {error['detail']}" for error in story.refusal["errors"]]
    infeasible = story.first(INFEASIBLE)
    return [reason["en"] for reason in infeasible["data"]["reasons"]] if infeasible else []
