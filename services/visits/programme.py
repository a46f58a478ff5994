"""A programme as this service keeps it to show it to the ministry: no addresses of the Centre's people."""

from datetime import datetime

from pydantic import AwareDatetime, Field

from schemas.event import Frozen
from schemas.scheduling import Programme, Slot
from schemas.terms import Code, PersonName


class Host(Frozen):
    """Somebody of the Centre who has a part in the programme."""

    person: Code
    name: PersonName


class StoredProgramme(Frozen):
    """One release of a visit's programme. Instants are aware, UTC; show them in ``time_zone``."""

    revision: int = Field(ge=1, description="The request's revision that it was made for.")
    release: int = Field(ge=1)
    time_zone: str
    slots: tuple[Slot, ...] = Field(min_length=1)
    persons: tuple[Host, ...] = ()
    respond_by: AwareDatetime | None = Field(
        description="Until when it can be accepted; none once it is firm."
    )

    @property
    def starts(self) -> datetime:
        """When the first session begins."""
        return min(slot.starts for slot in self.slots)

    @property
    def ends(self) -> datetime:
        """When the last session is over."""
        return max(slot.ends for slot in self.slots)

    @property
    def firm(self) -> bool:
        """Whether scheduling has released it."""
        return self.respond_by is None


def stored(programme: Programme, respond_by: datetime | None) -> StoredProgramme:
    """Keep of scheduling's programme what the ministry may see."""
    return StoredProgramme(
        revision=programme.revision,
        release=programme.release,
        time_zone=programme.time_zone,
        slots=programme.slots,
        persons=tuple(Host(person=each.person, name=each.name) for each in programme.people.persons),
        respond_by=respond_by,
    )
