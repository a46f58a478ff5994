"""A programme to be checked, with what it was found for."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from benchmarks.programmes.verifier.facts import Facts
from schemas.scheduling import Slot
from schemas.visits import Needs
from services.scheduling.catalogue import Item
from services.scheduling.centre import Centre, Person, Venue
from services.scheduling.problem import Problem


@dataclass(frozen=True)
class Case:
    """A programme, its problem, and the holidays as they are."""

    problem: Problem
    slots: tuple[Slot, ...]
    facts: Facts

    @property
    def centre(self) -> Centre:
        """The Centre."""
        return self.problem.centre

    @property
    def needs(self) -> Needs:
        """What was asked for."""
        return self.problem.needs

    @property
    def new(self) -> tuple[Slot, ...]:
        """The slots that have not begun: those that have cannot be helped any more."""
        return tuple(slot for slot in self.slots if not self.has_begun(slot))

    @property
    def days(self) -> tuple[date, ...]:
        """Every date from the first slot to the last, working day or not."""
        dates = [self.local(slot.starts).date() for slot in self.slots]
        return tuple(min(dates) + timedelta(n) for n in range((max(dates) - min(dates)).days + 1))

    def has_begun(self, slot: Slot) -> bool:
        """Whether a slot was held before and has begun."""
        return slot.starts <= self.problem.now and slot.key in {held.key for held in self.problem.held}

    def local(self, instant: datetime) -> datetime:
        """An instant on the Centre's clock."""
        return instant.astimezone(self.centre.zone)

    def person(self, code: str) -> Person:
        """The person of that code; there is one, `fitting_people` complains otherwise."""
        return next(person for person in self.centre.people if person.code == code)

    def venue(self, slot: Slot) -> Venue:
        """Where a slot takes place."""
        return next(venue for venue in self.centre.venues if venue.code == slot.place.code)

    def item(self, slot: Slot) -> Item | None:
        """The entry of the catalogue that a slot is of: its key begins with the entry's code."""
        outline = self.centre.outlines[self.needs.kind]
        fitting = [
            item
            for item in self.centre.catalogue
            if item.code in outline
            and item.kind == slot.kind
            and (slot.key == item.code or (item.each != "visit" and slot.key.startswith(f"{item.code}-")))
        ]
        return max(fitting, key=lambda item: len(item.code), default=None)

    def subject(self, slot: Slot) -> str:
        """The theme, site or number of the day that a slot's key names after its item, without the group."""
        item = self.item(slot)
        rest = slot.key.removeprefix(f"{item.code}-") if item else slot.key
        return rest.removesuffix(f"-group-{slot.group}") if slot.group else rest

    def way(self, one: str, other: str) -> timedelta:
        """How long the way between two premises takes; none where the Centre tells none."""
        if one == other:
            return timedelta(0)
        ways = [travel.minutes for travel in self.centre.travel if {*travel.between} == {one, other}]
        return timedelta(minutes=ways[0] if ways else 0)
