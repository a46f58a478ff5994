"""The bodies that the HTTP interface answers with: programmes without addresses of the Centre's people."""

from collections.abc import Iterable
from datetime import date
from typing import Literal
from uuid import UUID

from fastapi import Response
from pydantic import AwareDatetime, BaseModel, Field

from schemas.scheduling import Alternative, CentrePerson, Score, Slot
from schemas.terms import Bilingual, Code, Country, Line, PersonName
from services.scheduling.centre import Centre, Person
from services.scheduling.problem import Infeasible, Solution
from services.scheduling.store import Visit
from services.scheduling.timetable import Pause, Timetable, pauses_of


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


class PauseView(BaseModel):
    """A time without a session: a break of the Centre, or a way between its premises."""

    kind: Literal["break", "travel"]
    starts: AwareDatetime
    ends: AwareDatetime
    name: Bilingual
    group: int | None = None


class Offer(BaseModel):
    """One programme that would be possible. Instants are UTC."""

    days: tuple[date, ...]
    themes: tuple[Code, ...]
    score: Score | None = Field(default=None, description="Lower is better.")
    slots: tuple[Slot, ...]
    persons: tuple[Part, ...]
    pauses: tuple[PauseView, ...]


class Preview(BaseModel):
    """Up to three programmes, none of them booked; when there is none, why, and what would be possible."""

    time_zone: str = Field(examples=["Asia/Bahrain"])
    programmes: tuple[Offer, ...]
    reasons: tuple[Bilingual, ...] = ()
    alternatives: tuple[Alternative, ...] = ()


def preview(centre: Centre, outcome: tuple[Solution, ...] | Infeasible) -> Preview:
    """Show what was found for a preview."""
    if isinstance(outcome, Infeasible):
        return Preview(
            time_zone=centre.time_zone,
            programmes=(),
            reasons=outcome.reasons,
            alternatives=outcome.alternatives,
        )
    return Preview(
        time_zone=centre.time_zone, programmes=tuple(_offer(centre, solution) for solution in outcome)
    )


def _offer(centre: Centre, solution: Solution) -> Offer:
    return Offer(
        days=solution.days,
        themes=solution.themes,
        score=solution.score,
        slots=solution.slots,
        persons=parts(solution.slots, centre.people),
        pauses=tuple(PauseView(**vars(pause)) for pause in pauses_of(centre, solution.slots)),
    )


def timetable_of(centre: Centre, visit: Visit) -> Timetable:
    """The programme that a visit holds, to be drawn."""
    people = {part.person: part.name for part in parts(visit.slots, (*visit.persons, *centre.people))}
    return Timetable(visit.slots, people, pauses_of(centre, visit.slots), centre.time_zone)


def timetables(shown: Preview) -> tuple[Timetable, ...]:
    """The programmes of a preview, to be drawn."""
    return tuple(
        Timetable(
            offer.slots,
            {part.person: part.name for part in offer.persons},
            tuple(Pause(**dict(pause)) for pause in offer.pauses),
            shown.time_zone,
            offer.score,
        )
        for offer in shown.programmes
    )


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
