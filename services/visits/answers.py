"""The bodies that the HTTP interface answers with, and the small ones that it reads."""

from datetime import date
from typing import Literal
from uuid import UUID

from fastapi import Response
from pydantic import AwareDatetime, BaseModel, Field

from schemas.event import Frozen
from schemas.scheduling import Alternative
from schemas.terms import Bilingual, Country, Line, Text
from services.visits.edge import etag
from services.visits.programme import StoredProgramme
from services.visits.request import VisitRequest
from services.visits.store import StoredVisit
from services.visits.transitions import State
from services.visits.visit import Visit


class Decided(Frozen):
    """An officer's decision."""

    decision: Literal["approve", "decline", "request_information"]
    reason: Text | None = Field(default=None, description="Why it is declined; wanted then.")
    question: Text | None = Field(
        default=None, description="What is to be known; wanted to request information."
    )


class Reasoned(Frozen):
    """A withdrawal or cancellation."""

    reason: Text


class Acceptance(Frozen):
    """Which release of the programme is accepted."""

    release: int = Field(ge=1)


class ReportText(Frozen):
    """The report of a visit."""

    summary: Text


class Said(Frozen):
    """What a ministry says with an amendment."""

    message: Text


class Links(BaseModel):
    """Where to go from here."""

    self: str
    programme: str
    history: str


class VisitSummary(BaseModel):
    """A visit in short."""

    id: UUID
    reference: str = Field(examples=["V-2026-000017"])
    state: State
    revision: int
    links: Links


class VisitListed(VisitSummary):
    """A visit in a list, without personal data."""

    sender_reference: Line
    ministry: Line
    country: Country
    subject: Line
    submitted_at: AwareDatetime
    updated_at: AwareDatetime


class VisitPage(BaseModel):
    """A page of visits, the newest first."""

    items: list[VisitListed]
    next: str | None = Field(default=None, description="The next page; absent on the last.")


class VisitView(VisitSummary):
    """All that is known of a visit; the request as it was sent."""

    country: Country
    submitted_at: AwareDatetime
    updated_at: AwareDatetime
    reason: str | None = Field(default=None, description="Why the visit is in this state, or what is asked.")
    reasons: list[Bilingual] | None = Field(
        default=None, description="Why no programme is possible as asked."
    )
    alternatives: list[Alternative] | None = Field(
        default=None, description="What would be possible instead."
    )
    release: int | None = Field(
        default=None, description="The programme's release; none while an earlier one is only held."
    )
    respond_by: AwareDatetime | None = None
    report_due: date | None = None
    report: str | None = None
    request: VisitRequest


class ProgrammeView(StoredProgramme):
    """The programme of a visit."""

    state: State
    held: bool = Field(
        description="It was planned for an earlier revision and is held until the amendment is decided: "
        "nobody has been released from it, and it cannot be accepted."
    )


class Entry(BaseModel):
    """What was done to a visit."""

    at: AwareDatetime
    by: str = Field(description="The client's name, or `system`.")
    command: str
    from_state: State | None = None
    to_state: State
    revision: int
    reason: str | None = None


class History(BaseModel):
    """What was done to a visit, the oldest first."""

    items: list[Entry]


def summary(stored: StoredVisit, status: int = 200) -> Response:
    """Answer a command with the visit in short."""
    visit = stored.visit
    body = VisitSummary(
        id=visit.id,
        reference=visit.reference,
        state=visit.state,
        revision=visit.revision,
        links=links(visit.id),
    )
    headers = {"ETag": etag(stored.version)}
    if status == 202:  # noqa: PLR2004 -- accepted: says where to look
        headers["Location"] = body.links.self
    return answer(body, status, headers)


def view(stored: StoredVisit) -> Response:
    """Answer with all that is known of a visit."""
    visit = stored.visit
    current = None if visit.is_held else visit.programme
    body = VisitView(
        id=visit.id,
        reference=visit.reference,
        state=visit.state,
        revision=visit.revision,
        links=links(visit.id),
        country=visit.country,
        submitted_at=stored.submitted_at,
        updated_at=stored.updated_at,
        reason=visit.reason,
        reasons=list(visit.advice.reasons) if visit.advice else None,
        alternatives=list(visit.advice.alternatives) if visit.advice else None,
        release=current.release if current else None,
        respond_by=current.respond_by if current else None,
        report_due=visit.report_due,
        report=visit.report,
        request=visit.request,
    )
    return answer(body, headers={"ETag": etag(stored.version), "Cache-Control": "private, no-cache"})


def programme_view(visit: Visit, programme: StoredProgramme) -> ProgrammeView:
    """Show a programme; one that is held waits for no answer."""
    respond_by = None if visit.is_held else programme.respond_by
    shown = dict(programme) | {"respond_by": respond_by}
    return ProgrammeView(**shown, state=visit.state, held=visit.is_held)


def answer(body: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Write a body, without what is not known."""
    written = body.model_dump_json(exclude_unset=True, exclude_none=True)
    return Response(written, status, headers, "application/json")


def links(id: UUID) -> Links:
    """Say where to go from a visit."""
    at = f"/v1/visit-requests/{id}"
    return Links(self=at, programme=f"{at}/programme", history=f"{at}/history")
