"""What has to come before what."""

from collections.abc import Iterator
from datetime import date

from benchmarks.programmes.verifier.case import Case
from benchmarks.programmes.verifier.days import working_days
from schemas.scheduling import Slot

_PREPARES = ("briefing", "workshop", "bilateral")
"""Kinds of which one has to be over before a site is shown that asks for a briefing."""


def in_order(case: Case) -> Iterator[str]:
    """Every complaint about the order of the slots."""
    if list(case.slots) != sorted(case.slots, key=lambda slot: slot.starts):
        yield "the slots are not in the order of time"
    for slot in case.new:
        others = [other for other in case.slots if other is not slot and _meets(slot, other)]
        if slot.kind == "welcome" and any(
            other.starts < slot.ends for other in others if other.kind != "welcome"
        ):
            yield f"{slot.key} is not first"
        if slot.kind == "closing" and any(
            other.ends > slot.starts for other in others if other.kind not in {"welcome", "closing"}
        ):
            yield f"{slot.key} is not last"
        before = {other.kind for other in others if other.ends <= slot.starts}
        yield from _prepared(case, slot, before)
    yield from _edges(case)


def _prepared(case: Case, slot: Slot, before: set[str]) -> Iterator[str]:
    item = case.item(slot)
    if item and item.after and before.isdisjoint(item.after):
        yield f"{slot.key} is before any {' or '.join(item.after)}"
    rules = case.venue(slot).site if slot.kind == "tour" else None
    if rules and rules.after_briefing and before.isdisjoint(_PREPARES):
        yield f"{slot.key} is before any briefing"


def _edges(case: Case) -> Iterator[str]:
    """The welcome is on the first day, the closing on the last, and what is for each day on its own."""
    days = sorted({case.local(slot.starts).date() for slot in case.slots})
    working = working_days(case)
    for slot in case.new:
        item, day = case.item(slot), case.local(slot.starts).date()
        if slot.kind == "welcome" and day != days[0]:
            yield f"{slot.key} is not on the first day"
        if slot.kind == "closing" and day != days[-1]:
            yield f"{slot.key} is not on the last day"
        if item and item.each == "day" and case.subject(slot) != str(_number(working, day)):
            yield f"{slot.key} is on another day"


def _meets(one: Slot, other: Slot) -> bool:
    return one.group is None or other.group is None or one.group == other.group


def _number(days: list[date], day: date) -> int:
    return days.index(day) + 1 if day in days else 0
