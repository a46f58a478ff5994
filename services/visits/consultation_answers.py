"""The bodies that the HTTP interface reads and answers with about consultations."""

from http import HTTPStatus
from typing import Literal

from fastapi import Response
from pydantic import AwareDatetime, BaseModel, EmailStr, Field

from schemas.event import Frozen
from schemas.terms import Line, NoticeLanguage, Text
from services.visits.answers import answer, links
from services.visits.consultation import LONGEST_DAYS, Consultation, Status
from services.visits.edge import etag
from services.visits.store import StoredVisit
from services.visits.visit import Visit


class Consulted(Frozen):
    """Which body is asked for its consent, and how."""

    body: Line
    contact_name: Line | None = Field(default=None, description="Who is written to, as to be addressed.")
    email: EmailStr = Field(max_length=254)
    language: NoticeLanguage
    veto: bool = Field(description="It has to answer, and its objection stops the approval.")
    question: Text | None = Field(default=None, description="What is asked beside the consent.")
    days: int | None = Field(
        default=None,
        ge=1,
        le=LONGEST_DAYS,
        description="To answer in; as the Centre has set it when not given.",
    )


class BodyAnswer(Frozen):
    """What a consulted body has answered."""

    answer: Literal["consent", "object"]
    reason: Text | None = Field(default=None, description="Why; wanted with an objection.")


class ConsultationView(BaseModel):
    """A consultation and what became of it."""

    id: int = Field(description="Its number among the visit's consultations.")
    body: Line
    contact_name: Line | None = None
    email: EmailStr
    language: NoticeLanguage
    veto: bool
    question: Text | None = None
    revision: int = Field(description="The request's revision that the body was asked about.")
    earlier_revision: bool = Field(
        description="What was asked for has changed since: the answer was given for an earlier revision."
    )
    status: Status = Field(description="closed: it ended without an answer.")
    opened_at: AwareDatetime
    respond_by: AwareDatetime
    ended_at: AwareDatetime | None = None
    reason: Text | None = None


class ConsultationList(BaseModel):
    """The consultations of a visit, the oldest first."""

    items: list[ConsultationView]


def one_consultation(
    stored: StoredVisit, asked: Consultation, status: HTTPStatus = HTTPStatus.OK
) -> Response:
    """Answer with one consultation; one that was just opened is told where it stands."""
    headers = _headers(stored)
    if status is HTTPStatus.CREATED:
        headers["Location"] = f"{links(stored.visit.id).self}/consultations/{asked.number}"
    return answer(_view(stored.visit, asked), status, headers)


def all_consultations(stored: StoredVisit) -> Response:
    """Answer with all consultations of a visit."""
    items = [_view(stored.visit, each) for each in stored.visit.consultations]
    return answer(ConsultationList(items=items), headers=_headers(stored))


def _headers(stored: StoredVisit) -> dict[str, str]:
    return {"ETag": etag(stored.version), "Cache-Control": "private, no-cache"}


def _view(visit: Visit, asked: Consultation) -> ConsultationView:
    return ConsultationView(
        id=asked.number,
        body=asked.body,
        contact_name=asked.contact_name,
        email=asked.contact_email,
        language=asked.contact_language,
        veto=asked.veto,
        question=asked.question,
        revision=asked.revision,
        earlier_revision=asked.revision < visit.approvable,
        status=asked.status,
        opened_at=asked.opened_at,
        respond_by=asked.respond_by,
        ended_at=asked.ended_at,
        reason=asked.reason,
    )
