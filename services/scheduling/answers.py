"""The bodies that the HTTP interface answers with: programmes without addresses of the Centre's people."""

from collections.abc import Iterable
from typing import Literal
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, Field

from schemas.scheduling import CentrePerson, Slot
from schemas.terms import Code, Country, Line, PersonName
from services.scheduling.centre import Centre, Person
from services.scheduling.store import Visit


class Part(BaseModel):
    """Somebody of the Centre who has a part in a programme."""

    person: Code
    name: PersonName


class ProgrammeView(BaseModel):
    """The programme that is held for a visit. Instants are UTC; show them in ``time_zone``."""

    visit: UUID
    reference: Line = Field(examples=["V-2026-000017"])
    country: Country
    ministry: Line
    state: Literal["wanted", "proposed", "released"] = Field(
        description="`released` is firm; `wanted` is to be planned anew and held until then."
    )
    revision: int = Field(description="Of the request, as approved.")
    release: int
    time_zone: str = Field(examples=["Asia/Bahrain"])
    slots: tuple[Slot, ...]
    persons: tuple[Part, ...]


def programme_view(centre: Centre, visit: Visit) -> ProgrammeView:
    """Show the programme that a visit holds."""
    return ProgrammeView(
        visit=visit.id,
        reference=visit.reference,
        country=visit.country,
        ministry=visit.ministry,
        state=visit.state,
        revision=visit.revision,
        release=visit.release,
        time_zone=centre.time_zone,
        slots=visit.slots,
        persons=parts(visit.slots, (*visit.persons, *centre.people)),
    )


def parts(slots: Iterable[Slot], known: Iterable[CentrePerson | Person]) -> tuple[Part, ...]:
    """Everybody who has a part in the slots, by code; of two who are known under one, the later counts."""
    names = {one.code if isinstance(one, Person) else one.person: one.name for one in known}
    codes = sorted({one.person for slot in slots for one in slot.assignments})
    return tuple(Part(person=code, name=names[code]) for code in codes if code in names)


def answer(body: BaseModel, status: int = 200) -> Response:
    """Write a body, without what is not known."""
    written = body.model_dump_json(exclude_none=True)
    return Response(written, status, {"Cache-Control": "private, no-store"}, "application/json")
