"""Narrows what is left for a session to what has begun, what is pinned, or what an officer wants."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from schemas.scheduling import Slot
from services.scheduling.candidates import Blocked, Choice, Option, union
from services.scheduling.grid import Grid
from services.scheduling.problem import Wish
from services.scheduling.sessions import Part, Session


def history(sessions: Sequence[Session], held: Sequence[Slot], now: datetime) -> tuple[Session, ...]:
    """What has begun and would not be wanted any more: it takes its time and people all the same.

    As the groups may be others by now, it concerns the whole delegation.
    """
    wanted = {session.key for session in sessions}
    gone = [slot for slot in held if slot.starts <= now and slot.key not in wanted]
    return tuple(
        Session(
            key=slot.key,
            kind=slot.kind,
            title=slot.title,
            minutes=0,
            venues=(slot.place.code,),
            parts=(),
            interpreters={},
            teams=1,
            size=1,
        )
        for slot in gone
    )


def begun(session: Session, slot: Slot, grid: Grid) -> Choice:
    """A slot that has begun stays as it is, whoever is free now and whatever the catalogue says by now."""
    start = 1 << grid.quarter(slot.starts)
    minutes = int((slot.ends - slot.starts).total_seconds()) // 60
    leads = [one for one in slot.assignments if one.role != "interpreter"]
    return Choice(
        session=replace(
            session,
            minutes=minutes,
            parts=tuple(Part(one.role, (one.person,)) for one in leads),
            interpreters={},
        ),
        starts=start,
        venues=(Option(slot.place.code, start),),
        parts=tuple((Option(one.person, start),) for one in leads),
        interpreters=tuple(
            Option(one.person, start) for one in slot.assignments if one.role == "interpreter"
        ),
        fixed=slot,
    )


def pinned(choice: Choice, slot: Slot, grid: Grid) -> Choice | Blocked:
    """The choice narrowed to the slot as it was held, if that is still possible."""
    codes = {one.person for one in slot.assignments}
    parts = tuple(tuple(one for one in options if one.code in codes) for options in choice.parts)
    venues = tuple(one for one in choice.venues if one.code == slot.place.code)
    interpreters = tuple(one for one in choice.interpreters if one.code in codes)
    people = [*(one for options in parts for one in options), *interpreters]
    at = grid.quarter(slot.starts)
    free = choice.starts & union(venues) & (1 << at if at >= 0 else 0)
    for option in people:
        free &= option.starts
    if not free or codes - {one.code for one in people} or not all(parts):
        return Blocked(choice.session, "pin")
    return replace(choice, starts=free, venues=venues, parts=parts, interpreters=interpreters, fixed=slot)


def wished(choice: Choice, wish: Wish, held: Sequence[Slot], grid: Grid) -> Choice | Blocked:
    """The choice narrowed to what an officer wants, if that is possible."""
    starts, venues = choice.starts, choice.venues
    if wish.starts is not None:
        at = grid.quarter(wish.starts)
        if grid.instant(at) != wish.starts:
            return Blocked(choice.session, "grid")
        starts &= 1 << at if at >= 0 else 0
        if not starts:
            return Blocked(choice.session, "time_wanted")
    if wish.venue is not None:
        venues = tuple(one for one in venues if one.code == wish.venue)
        if not venues:
            return Blocked(choice.session, "venue_wanted")
    parts, must = choice.parts, None
    interpreters = tuple(one for one in choice.interpreters if one.code != wish.instead_of)
    if wish.person is not None:
        role = _role_meant(wish, held)
        number = _part_of(wish.person, role, choice.session)
        must = wish.person if number is None else None
        parts = tuple(
            tuple(one for one in options if one.code == wish.person) if at == number else options
            for at, options in enumerate(parts)
        )
        able = parts[number] if number is not None else interpreters if role in {None, "interpreter"} else ()
        if wish.person not in {one.code for one in able}:
            return Blocked(choice.session, "person_wanted")
    possible = starts & union(venues)
    for options in parts:
        possible &= union(options)
    if not possible:
        return Blocked(choice.session, "wish")
    return replace(choice, starts=possible, venues=venues, parts=parts, interpreters=interpreters, must=must)


def _role_meant(wish: Wish, held: Sequence[Slot]) -> str | None:
    """The role of whom the person wanted is to replace; None when nobody is named."""
    assigned = [one for slot in held if slot.key == wish.key for one in slot.assignments]
    return next((one.role for one in assigned if one.person == wish.instead_of), None)


def _part_of(person: str, role: str | None, session: Session) -> int | None:
    """The number of the part, of a role if that is known, that a person may have."""
    parts = enumerate(session.parts)
    return next((at for at, part in parts if role in {None, part.role} and person in part.people), None)
