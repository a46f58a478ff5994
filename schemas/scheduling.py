"""Events of the `scheduling` service: catalogue and programmes. Key: the visit's id."""

from datetime import date
from typing import Literal

from pydantic import AwareDatetime, Field

from schemas.event import EventData, Frozen
from schemas.terms import Bilingual, Code, Country, DateWindow, Email, Line, NoticeLanguage, PersonName, Text
from schemas.visits import MinistryPeople

CATALOGUE_SUBJECT = "catalogue"
"""The key of `CataloguePublished`, which concerns no visit."""


class ThemeEntry(Frozen):
    """A theme that a delegation may ask for."""

    code: Code
    title: Bilingual


class SiteEntry(Frozen):
    """A site that a delegation may ask to tour, with the rules a request can break."""

    code: Code
    title: Bilingual
    group_cap: int = Field(ge=1, description="Visitors at one time.")
    visitors: int | None = Field(
        default=None, ge=1, description="Visitors of one visit, in groups; none: as many as `group_cap`."
    )
    media_allowed: bool
    confidentiality_required: bool


class CataloguePublished(EventData, type="scheduling.catalogue.published.v1"):
    """What can be asked for; sent whenever the Centre's master data is loaded."""

    revision: int = Field(ge=1, description="Rises with every load; a lower one is stale.")
    themes: tuple[ThemeEntry, ...]
    sites: tuple[SiteEntry, ...]
    largest_venue: int = Field(ge=1, description="Seats of the largest venue.")


class Place(Frozen):
    """Where a session takes place."""

    code: Code
    name: Bilingual
    address: Bilingual


class Assignment(Frozen):
    """One person of the Centre in one session, by id; who that is stands in `people`."""

    person: Code
    role: Literal["host", "expert", "interpreter", "escort"]


class Slot(Frozen):
    """One session of a programme. Times are aware, UTC; show them in the programme's `time_zone`."""

    key: Code = Field(description="Stays the same over every release of the visit's programme.")
    kind: Code = Field(
        description="A kind of the Centre's catalogue; readers take any.", examples=["briefing", "tour"]
    )
    title: Bilingual
    starts: AwareDatetime
    ends: AwareDatetime
    place: Place
    assignments: tuple[Assignment, ...]
    group: int | None = Field(
        default=None, ge=1, description="Which group of a split delegation; none: everybody."
    )
    group_size: int | None = Field(default=None, ge=1, description="Guests in this group.")
    why: tuple[Bilingual, ...] = Field(default=(), description="Why this time, place and people.")


class CentrePerson(Frozen):
    """A host, expert, interpreter or escort, with what is needed to write to them."""

    person: Code
    name: PersonName
    email: Email | None
    language: NoticeLanguage


class ProgrammePeople(MinistryPeople):
    """The ministry's contacts and everybody who has a part in the programme."""

    persons: tuple[CentrePerson, ...]


class CancelledPeople(ProgrammePeople):
    """Who has to know that the programme is off, and why it is."""

    reason: Text = Field(description="In free words, which may name people.")


class VisitRef(EventData):
    """Which visit and which state of its request a programme is for."""

    reference: Line
    revision: int = Field(ge=1, description="The request's revision that was scheduled.")
    country: Country
    ministry: Line


class Goal(Frozen):
    """One soft goal of scheduling and what a programme costs by it; 0 is best."""

    name: Code
    cost: int = Field(ge=0)


class Score(Frozen):
    """How good a programme is: the sum of what its soft goals cost, lower is better."""

    cost: int = Field(ge=0)
    goals: tuple[Goal, ...]


class Programme(VisitRef):
    """A whole programme: who meets the delegation when and where."""

    release: int = Field(ge=1, description="Rises with every release of this visit's programme.")
    time_zone: str = Field(examples=["Asia/Bahrain"])
    slots: tuple[Slot, ...] = Field(min_length=1)
    score: Score | None = None
    people: ProgrammePeople


class ProgrammeProposed(Programme, type="scheduling.programme.proposed.v1"):
    """A programme was found and its people and venues are held for it; the ministry is to answer."""

    respond_by: AwareDatetime


class ProgrammeRevised(Programme, type="scheduling.programme.revised.v1"):
    """A programme was changed; only `affected` persons have another part than before."""

    removed: tuple[Slot, ...] = Field(description="Slots of the last release that are no more.")
    changed: tuple[Code, ...] = Field(description="Keys of the slots that are new or differ.")
    affected: tuple[Code, ...] = Field(description="Persons whose part changed, also those who left.")
    respond_by: AwareDatetime


class ProgrammeReleased(Programme, type="scheduling.programme.released.v1"):
    """The ministry accepted: the programme is firm."""

    affected: tuple[Code, ...] | None = Field(
        default=None,
        description="Persons for whom it is news, since an earlier release was firm; none: everybody.",
    )


class ProgrammeCancelled(Programme, type="scheduling.programme.cancelled.v1"):
    """The programme is off; `slots` are those that are freed."""

    people: CancelledPeople


class Alternative(Frozen):
    """A visit that would be possible instead, checked feasible when it was found."""

    window: DateWindow
    first_day: date
    themes: tuple[Code, ...]
    size: int | None = Field(
        default=None, ge=1, description="Of the delegation, when fewer would have to come."
    )
    note: Bilingual


class ProgrammeInfeasible(VisitRef, type="scheduling.programme.infeasible.v1"):
    """No programme is possible as asked, with the reason in words and the nearest alternatives."""

    reasons: tuple[Bilingual, ...] = Field(min_length=1)
    alternatives: tuple[Alternative, ...]
    people: MinistryPeople
