"""What a programme changes for each person of the Centre who has, or had, a part in it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, assert_never

from schemas.scheduling import (
    ProgrammeCancelled,
    ProgrammeProposed,
    ProgrammeReleased,
    ProgrammeRevised,
    Slot,
)
from services.notifications.notice import Entry, Notice, Recipient, Role

ProgrammeTold = ProgrammeProposed | ProgrammeRevised | ProgrammeReleased | ProgrammeCancelled

ROLES: tuple[Role, ...] = ("host", "expert", "interpreter", "escort")
"""The role that counts when one person has several, the first that applies."""

Told = Mapping[str, tuple[Slot, ...]]
"""The sessions that each person, by code, was last told to have in this visit."""


def persons_notices(data: ProgrammeTold, template: str, told: Told) -> Iterator[Notice]:
    """Decide who of the Centre has to be told of a programme, each of their own part only."""
    own = _slots_by_person(data.slots)
    known = {person.person: person for person in data.people.persons}
    for code in _concerned(data, own, told):
        mine, before = own.get(code, ()), told.get(code, ())
        contact = known.get(code)
        yield Notice(
            Recipient(
                audience=_role(code, (*mine, *before, *_removed(data))),
                person=code,
                name=contact.name if contact else None,
                address=contact.email if contact else None,
                language=contact.language if contact else "en",
            ),
            template,
            () if isinstance(data, ProgrammeCancelled) else mine,
            tuple(_entries(data, code, mine, before)),
        )


def _slots_by_person(slots: Iterable[Slot]) -> dict[str, tuple[Slot, ...]]:
    own: dict[str, tuple[Slot, ...]] = {}
    for slot in slots:
        for code in dict.fromkeys(assignment.person for assignment in slot.assignments):
            own[code] = (*own.get(code, ()), slot)
    return own


def _concerned(data: ProgrammeTold, own: Iterable[str], told: Told) -> tuple[str, ...]:
    if isinstance(data, (ProgrammeRevised, ProgrammeReleased)) and data.affected is not None:
        return tuple(dict.fromkeys(data.affected))
    # Whoever still has a session of an earlier release in the calendar has to hear of it, too.
    return tuple(dict.fromkeys((*own, *(code for code, slots in told.items() if slots))))


def _removed(data: ProgrammeTold) -> tuple[Slot, ...]:
    return data.removed if isinstance(data, ProgrammeRevised) else ()


def _role(code: str, slots: Iterable[Slot]) -> Role:
    roles = {part.role for slot in slots for part in slot.assignments if part.person == code}
    return next((role for role in ROLES if role in roles), "host")


def _entries(
    data: ProgrammeTold, code: str, mine: tuple[Slot, ...], before: tuple[Slot, ...]
) -> Iterator[Entry]:
    """Ask for the sessions that are the person's now, cancel those that were and are no more."""
    sequence = _sequence(data)
    status: Literal["TENTATIVE", "CONFIRMED"] = (
        "CONFIRMED" if isinstance(data, ProgrammeReleased) else "TENTATIVE"
    )
    for slot in _to_ask_for(data, code, mine, before):
        yield Entry(slot, "REQUEST", status, sequence)
    for slot in _to_cancel(data, code, mine, before):
        yield Entry(slot, "CANCEL", "CANCELLED", sequence)


def _part(code: str, slot: Slot) -> tuple[object, ...]:
    """What the person was asked for: a colleague's change in the session asks nobody else anew."""
    roles = frozenset(one.role for one in slot.assignments if one.person == code)
    return slot.key, slot.starts, slot.ends, slot.place, slot.title, roles


def _to_ask_for(
    data: ProgrammeTold, code: str, mine: tuple[Slot, ...], before: tuple[Slot, ...]
) -> tuple[Slot, ...]:
    match data:
        case ProgrammeCancelled():
            return ()
        case ProgrammeProposed() | ProgrammeReleased():
            return mine
        case ProgrammeRevised():
            known = {_part(code, slot) for slot in before}
            return tuple(slot for slot in mine if _part(code, slot) not in known)
        case _:
            assert_never(data)


def _to_cancel(
    data: ProgrammeTold, code: str, mine: tuple[Slot, ...], before: tuple[Slot, ...]
) -> tuple[Slot, ...]:
    """What the person was told and has no more, as they were told it where that is known."""
    if isinstance(data, ProgrammeCancelled):
        held, kept = (*mine, *before), frozenset[str]()
    else:
        held = (*_slots_by_person(_removed(data)).get(code, ()), *before)
        kept = frozenset(slot.key for slot in mine)
    by_key = {slot.key: slot for slot in held}
    return tuple(slot for key, slot in by_key.items() if key not in kept)


def _sequence(data: ProgrammeTold) -> int:
    """Rise with every release, and within one from proposal to firm to cancelled.

    A calendar ignores an update whose SEQUENCE is not above the last it saw, and a programme
    becomes firm or is called off without being changed, thus under the release it had.
    """
    match data:
        case ProgrammeProposed() | ProgrammeRevised():
            step = 0
        case ProgrammeReleased():
            step = 1
        case ProgrammeCancelled():
            step = 2
        case _:
            assert_never(data)
    return 3 * data.release + step
