"""A forum day in the Centre's terms: from who is to meet whom to a problem, and from its answer to times."""

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from services.scheduling.forum.problem import Meeting, Problem, Session


@dataclass(frozen=True)
class Slot:
    """A time for meetings at all tables, with zone; ``afternoon`` when it is behind the lunch."""

    starts: datetime
    ends: datetime
    afternoon: bool = False


@dataclass(frozen=True)
class Request:
    """A meeting that a delegation and an expert are to have, both by their codes."""

    key: str
    delegation: str
    expert: str
    session: Session = Session.ANY
    fixed: datetime | None = None
    """When it starts, if that is settled."""
    after: tuple[str, ...] = ()
    """The keys of the meetings that take place before it."""


@dataclass(frozen=True)
class Absence:
    """From when to when a delegation or an expert cannot meet anybody."""

    who: str
    starts: datetime
    ends: datetime


@dataclass(frozen=True)
class ForumDay:
    """The slots in their order, the number of tables, and what is asked for."""

    slots: tuple[Slot, ...]
    tables: int
    delegations: tuple[str, ...]
    experts: tuple[str, ...]
    requests: tuple[Request, ...]
    absences: tuple[Absence, ...] = ()


@dataclass(frozen=True)
class PlannedMeeting:
    """A meeting with its time and its table, counted from 1."""

    key: str
    delegation: str
    expert: str
    table: int
    starts: datetime
    ends: datetime


class WrongForumDay(Exception):
    """What is asked for a forum day does not fit together; the message says what."""


def problem_of(day: ForumDay) -> Problem:
    """The problem that a forum day is: participants are the delegations, then the experts, in their order.

    Raises `WrongForumDay`.
    """
    _check_slots(day)
    people = _numbered("participant", day.delegations + day.experts)
    keys = _numbered("meeting", tuple(request.key for request in day.requests))
    delegations, experts = set(day.delegations), set(day.experts)
    for request in day.requests:
        if request.delegation not in delegations or request.expert not in experts:
            raise WrongForumDay(
                f"meeting {request.key} is of {request.delegation} and {request.expert}, "
                "which are no delegation and expert of this day"
            )
    return Problem(
        slots=len(day.slots),
        morning=sum(not slot.afternoon for slot in day.slots),
        tables=day.tables,
        absent=_absent(day, people),
        meetings=tuple(_meeting(day, request, people, keys) for request in day.requests),
    )


def programme_of(day: ForumDay, slots: tuple[int, ...]) -> tuple[PlannedMeeting, ...]:
    """The meetings with their times, slot by slot; an expert keeps her last table where it is free."""
    order = sorted(range(len(slots)), key=lambda number: (slots[number], number))
    tables: dict[str, int] = {}
    programme: list[PlannedMeeting] = []
    for at in sorted(set(slots)):
        held = [day.requests[number] for number in order if slots[number] == at]
        free = set(range(1, day.tables + 1))
        for request in sorted(held, key=lambda one: one.expert not in tables):
            table = tables.get(request.expert)
            table = table if table in free else min(free)
            free.discard(table)
            tables[request.expert] = table
        programme += [_planned(request, tables[request.expert], day.slots[at]) for request in held]
    return tuple(programme)


def _check_slots(day: ForumDay) -> None:
    if not day.slots:
        raise WrongForumDay("the day has no slots")
    for slot in day.slots:
        if slot.starts.tzinfo is None or slot.ends.tzinfo is None or slot.ends <= slot.starts:
            raise WrongForumDay(f"the slot at {slot.starts} must have a time zone and end after it starts")
    for slot, following in pairwise(day.slots):
        if following.starts < slot.ends or (slot.afternoon and not following.afternoon):
            raise WrongForumDay(f"the slot at {following.starts} is not behind the one at {slot.starts}")


def _numbered(what: str, codes: tuple[str, ...]) -> dict[str, int]:
    numbers = {code: number for number, code in enumerate(codes)}
    if len(numbers) < len(codes):
        twice = next(code for number, code in enumerate(codes) if numbers[code] != number)
        raise WrongForumDay(f"{what} {twice} is given twice")
    return numbers


def _absent(day: ForumDay, people: dict[str, int]) -> tuple[frozenset[int], ...]:
    absent: list[set[int]] = [set() for _ in people]
    for absence in day.absences:
        if absence.who not in people:
            raise WrongForumDay(f"{absence.who}, who is absent, takes no part in the day")
        absent[people[absence.who]] |= {
            number
            for number, slot in enumerate(day.slots)
            if slot.starts < absence.ends and absence.starts < slot.ends
        }
    return tuple(map(frozenset, absent))


def _meeting(day: ForumDay, request: Request, people: dict[str, int], keys: dict[str, int]) -> Meeting:
    unknown = [key for key in request.after if key not in keys]
    if unknown:
        raise WrongForumDay(f"meeting {request.key} is to follow {unknown[0]}, which is not of this day")
    starts = {slot.starts: number for number, slot in enumerate(day.slots)}
    if request.fixed is not None and request.fixed not in starts:
        raise WrongForumDay(f"meeting {request.key} is fixed at {request.fixed}, when no slot starts")
    return Meeting(
        pair=(people[request.delegation], people[request.expert]),
        session=request.session,
        fixed=None if request.fixed is None else starts[request.fixed],
        after=frozenset(keys[key] for key in request.after),
    )


def _planned(request: Request, table: int, slot: Slot) -> PlannedMeeting:
    return PlannedMeeting(request.key, request.delegation, request.expert, table, slot.starts, slot.ends)
