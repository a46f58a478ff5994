"""Compares two releases of a programme and tells who has to hear of the difference."""

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.scheduling import CentrePerson, Slot
from services.scheduling.centre import Centre


@dataclass(frozen=True)
class Difference:
    """What a new release changes: slots that are gone, keys that are new or differ, persons concerned."""

    removed: tuple[Slot, ...]
    changed: tuple[str, ...]
    affected: tuple[str, ...]


def difference(old: tuple[Slot, ...], new: tuple[Slot, ...]) -> Difference:
    """Compare two releases; a person is affected when the time, place or role of a part differs."""
    before, after = {slot.key: slot for slot in old}, {slot.key: slot for slot in new}
    parts_before, parts_after = _parts(old), _parts(new)
    everybody = sorted(parts_before.keys() | parts_after.keys())
    return Difference(
        removed=tuple(slot for slot in old if slot.key not in after),
        changed=tuple(slot.key for slot in new if before.get(slot.key) != slot),
        affected=tuple(code for code in everybody if parts_before.get(code) != parts_after.get(code)),
    )


def people_of(
    centre: Centre, slots: Iterable[Slot], told: Iterable[CentrePerson] = ()
) -> tuple[CentrePerson, ...]:
    """Everybody who has a part in the slots, with what is needed to write to them.

    Whoever has left the master data since is taken from those who were ``told`` of an earlier
    release: they still have its sessions in their calendars.
    """
    codes = sorted({one.person for slot in slots for one in slot.assignments})
    known = {one.person: one for one in told} | {
        one.code: CentrePerson(person=one.code, name=one.name, email=one.email, language=one.language)
        for one in centre.people
        if one.code in codes
    }
    return tuple(known[code] for code in codes if code in known)


def _parts(slots: tuple[Slot, ...]) -> dict[str, set[tuple[object, ...]]]:
    parts: dict[str, set[tuple[object, ...]]] = {}
    for slot in slots:
        for one in slot.assignments:
            part = (slot.key, slot.starts, slot.ends, slot.place.code, one.role)
            parts.setdefault(one.person, set()).add(part)
    return parts
