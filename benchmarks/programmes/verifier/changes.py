"""What was to stay as it is has stayed, and what an officer wished is so."""

from collections.abc import Iterator

from benchmarks.programmes.verifier.case import Case
from schemas.scheduling import Slot
from services.scheduling.problem import Wish


def kept_and_wished(case: Case) -> Iterator[str]:
    """Every complaint about slots that have begun or are pinned, and about wishes."""
    slots = {slot.key: slot for slot in case.slots}
    for held in case.problem.held:
        has_to_stay = held.starts <= case.problem.now or held.key in case.problem.pinned
        if has_to_stay and (held.key not in slots or differs(held, slots[held.key])):
            yield f"{held.key} has begun or is pinned and is another now"
    for wish in case.problem.wishes:
        slot = slots.get(wish.key)
        if slot is None or not _is_fulfilled(wish, slot):
            yield f"the wish for {wish.key} is not fulfilled"


def differs(one: Slot, other: Slot) -> bool:
    """Whether two slots of one key are at another time or place or with other people."""
    return (one.starts, one.ends, one.place.code, _people(one)) != (
        other.starts,
        other.ends,
        other.place.code,
        _people(other),
    )


def _people(slot: Slot) -> set[tuple[str, str]]:
    return {(one.role, one.person) for one in slot.assignments}


def _is_fulfilled(wish: Wish, slot: Slot) -> bool:
    people = {one.person for one in slot.assignments}
    return (
        wish.starts in {None, slot.starts}
        and wish.venue in {None, slot.place.code}
        and (wish.person is None or wish.person in people)
        and (wish.instead_of is None or wish.instead_of == wish.person or wish.instead_of not in people)
    )
