"""Compares the releases of a programme and tells who has to hear of the difference."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Literal

from schemas.scheduling import CentrePerson, Score, Slot
from services.scheduling.centre import Centre

Kind = Literal["proposed", "revised", "firm", "cancelled"]


@dataclass(frozen=True)
class Difference:
    """What a new release changes: slots that are gone, keys that are new or differ, persons concerned."""

    removed: tuple[Slot, ...]
    changed: tuple[str, ...]
    affected: tuple[str, ...]

    @property
    def is_none(self) -> bool:
        """Whether nothing changed that anybody has to hear of."""
        return not (self.removed or self.changed or self.affected)


@dataclass(frozen=True)
class Release:
    """A programme as it was told, without slots when it was called off, and what led to it, in words."""

    release: int
    revision: int
    kind: Kind
    slots: tuple[Slot, ...]
    score: Score | None
    cause: str
    made_at: datetime


def difference(old: tuple[Slot, ...], new: tuple[Slot, ...]) -> Difference:
    """Compare two releases; a person is affected when the time, place or role of a part differs.

    Why a slot is as it is makes no difference.
    """
    before, after = {slot.key: slot for slot in old}, {slot.key: slot for slot in new}
    parts_before, parts_after = _parts(old), _parts(new)
    everybody = sorted(parts_before.keys() | parts_after.keys())
    return Difference(
        removed=tuple(slot for slot in old if slot.key not in after),
        changed=tuple(
            slot.key for slot in new if slot.key not in before or _bare(before[slot.key]) != _bare(slot)
        ),
        affected=tuple(code for code in everybody if parts_before.get(code) != parts_after.get(code)),
    )


def news_since_firm(releases: Sequence[Release]) -> tuple[str, ...] | None:
    """Whose part is not what it was in the last firm release of a visit's ``releases``, in their order.

    That includes who had another part in between, as they were told of it; None when the programme
    is firm for the first time, which is news to everybody.
    """
    firm = max((at for at, one in enumerate(releases) if one.kind == "firm"), default=None)
    if firm is None or any(one.kind == "cancelled" for one in releases[firm:]):
        return None
    news = {
        code
        for before, after in pairwise(releases[firm:])
        for code in difference(before.slots, after.slots).affected
    }
    return tuple(sorted(news))


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


def _bare(slot: Slot) -> Slot:
    return slot.model_copy(update={"why": ()})
