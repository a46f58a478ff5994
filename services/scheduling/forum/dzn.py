"""Reads the public format of meeting problems and checks its values against one another."""

from collections.abc import Callable
from typing import TypeVar

from services.scheduling.forum.minizinc import DataError, Value, read_data
from services.scheduling.forum.problem import Meeting, Problem, Session

SESSIONS = {1: Session.MORNING, 2: Session.AFTERNOON, 3: Session.ANY}

# `meetingsxBusiness` and `nMeetingsBusiness` repeat what `requested` says and are not looked at.
NUMBERS = ("nBusiness", "nMeetings", "nTables", "nTotalSlots", "nMorningSlots")
ARRAYS = ("requested", "forbidden", "fixed", "precedences")

MOST = 10_000
"""More participants, meetings or slots than any forum has are a mistake."""

T = TypeVar("T")


def read_problem(text: str) -> Problem:
    """The problem in a text; what is numbered from 1 there is numbered from 0 here. Raises `DataError`."""
    data = read_data(text)
    missing = [name for name in (*NUMBERS, *ARRAYS) if name not in data]
    if missing:
        raise DataError(text.rstrip().count("\n") + 1, f"{missing[0]} is missing")
    participants, meetings, tables, slots, morning = (_count(name, data[name]) for name in NUMBERS)
    if morning > slots:
        raise DataError(data["nMorningSlots"].line, f"nMorningSlots is more than the {slots} of nTotalSlots")
    pairs = _each("requested", data, meetings, lambda row: _requested(row, participants))
    fixed = _each("fixed", data, meetings, lambda value: _slot(value, slots))
    after = _each("precedences", data, meetings, lambda value: _set("precedences", value, meetings))
    return Problem(
        slots=slots,
        morning=morning,
        tables=tables,
        absent=_each("forbidden", data, participants, lambda value: _set("forbidden", value, slots)),
        meetings=tuple(
            Meeting(pair, session, slot, before)
            for (pair, session), slot, before in zip(pairs, fixed, after, strict=True)
        ),
    )


def _count(name: str, value: Value) -> int:
    if not isinstance(value.content, int) or not 0 <= value.content <= MOST:
        raise DataError(value.line, f"{name} must be a number from 0 to {MOST}")
    return value.content


def _each(name: str, data: dict[str, Value], count: int, read: Callable[[Value], T]) -> tuple[T, ...]:
    array = data[name]
    if not isinstance(array.content, tuple):
        raise DataError(array.line, f"{name} must be an array")
    if len(array.content) != count:
        raise DataError(array.line, f"{name} has {len(array.content)} entries and must have {count}")
    return tuple(read(value) for value in array.content)


def _requested(row: Value, participants: int) -> tuple[tuple[int, int], Session]:
    values = [one.content for one in row.content] if isinstance(row.content, tuple) else []
    match values:
        case [int(first), int(second), int(session)]:
            pass
        case _:
            raise DataError(row.line, "a row of requested must be two participants and a session")
    for one in (first, second):
        if not 1 <= one <= participants:
            raise DataError(row.line, f"requested names participant {one} of {participants}")
    if first == second:
        raise DataError(row.line, f"participant {first} is requested to meet herself")
    if session not in SESSIONS:
        raise DataError(row.line, f"session {session} is none of 1 (morning), 2 (afternoon) and 3 (any)")
    return (first - 1, second - 1), SESSIONS[session]


def _slot(value: Value, slots: int) -> int | None:
    if not isinstance(value.content, int) or not 0 <= value.content <= slots:
        raise DataError(value.line, f"an entry of fixed must be a slot from 1 to {slots}, or 0")
    return value.content - 1 if value.content else None


def _set(name: str, value: Value, highest: int) -> frozenset[int]:
    if not isinstance(value.content, frozenset):
        raise DataError(value.line, f"an entry of {name} must be a set")
    wrong = [one for one in sorted(value.content) if not 0 <= one <= highest]
    if wrong:
        raise DataError(value.line, f"{name} names {wrong[0]}, which is not from 1 to {highest}")
    return frozenset(one - 1 for one in value.content if one)
