"""Events of the `visits` service: what became of a request and of the visit. Key: the visit's id."""

from datetime import date
from typing import Literal

from pydantic import AwareDatetime, Field

from schemas.event import EventData, Frozen
from schemas.terms import (
    Code,
    Contact,
    Country,
    DateWindow,
    Email,
    LanguageTag,
    Line,
    NoticeLanguage,
    PersonName,
    Rank,
    Text,
    VisitKind,
)


class Needs(Frozen):
    """What a programme has to satisfy, without personal data."""

    kind: VisitKind
    themes: tuple[Code, ...] = Field(description="Codes of the catalogue, in the order of importance.")
    sites: tuple[Code, ...] = Field(description="Codes of sites to be toured.")
    windows: tuple[DateWindow, ...] = Field(min_length=1, description="Preferred windows, the best first.")
    days: int = Field(ge=1, le=10, description="Length of the visit in working days; a half day counts 1.")
    blackout_dates: tuple[date, ...] = ()
    size: int = Field(ge=1, le=200, description="People in the delegation.")
    head_rank: Rank
    languages: tuple[LanguageTag, ...] = Field(min_length=1, description="Languages the delegation works in.")
    access_needs: tuple[Code, ...] = Field(default=(), description="For example step-free.")
    media: bool = Field(default=False, description="Media accompany the delegation.")
    confidentiality_signed: bool = False
    arrives: AwareDatetime | None = Field(default=None, description="When the delegation lands, UTC.")
    leaves: AwareDatetime | None = Field(default=None, description="When it departs, UTC.")
    urgency: Literal["routine", "urgent", "emergency"] = "routine"


class Guest(Frozen):
    """One member of the delegation as others need to know them: no identity document."""

    name: PersonName
    role: Literal["head", "deputy", "member", "support", "media", "security"]
    rank: Rank
    position: Line
    interpretation_into: LanguageTag | None = None


class MinistryPeople(Frozen):
    """Whom to write to about the visit."""

    focal_points: tuple[Contact, ...] = Field(min_length=1)


class DelegationPeople(MinistryPeople):
    """Whom to write to, who comes, and what for."""

    guests: tuple[Guest, ...] = ()
    subject: Text = Field(description="What the visit is about, in free words.")


class AmendmentPeople(DelegationPeople):
    """As the request is now, and what the ministry says to it."""

    message: Text | None = Field(
        default=None, description="In free words; answers the question when information was requested."
    )


class QuestionPeople(MinistryPeople):
    """Whom to write to, and what they are asked."""

    question: Text


class ReasonPeople(MinistryPeople):
    """Whom to write to, and why."""

    reason: Text


class ReportPeople(MinistryPeople):
    """Whom to write to, and their report."""

    summary: Text


class VisitFacts(EventData):
    """What every event of a visit says, so that nobody has to ask back."""

    reference: Line = Field(examples=["V-2026-000017"])
    revision: int = Field(ge=1, description="Raised by every change of the request.")
    country: Country
    ministry: Line


class RequestSubmitted(VisitFacts, type="visits.request.submitted.v1"):
    """A ministry asked for a visit."""

    sender_reference: Line
    note_verbale: Line
    needs: Needs
    submitted_by: Literal["ministry", "staff"] = "ministry"
    people: DelegationPeople


class RequestAmended(VisitFacts, type="visits.request.amended.v1"):
    """A ministry changed its request; `needs_approval` when the change touches what was approved."""

    changed: tuple[str, ...] = Field(description="JSON pointers of what changed, no values.")
    needs_approval: bool
    needs: Needs
    people: AmendmentPeople


class InformationRequested(VisitFacts, type="visits.request.information_requested.v1"):
    """An officer needs to know more before deciding."""

    people: QuestionPeople


class RequestApproved(VisitFacts, type="visits.request.approved.v1"):
    """An officer approved the request: a programme is to be scheduled."""

    needs: Needs
    people: DelegationPeople


class RequestDeclined(VisitFacts, type="visits.request.declined.v1"):
    """An officer declined the request."""

    people: ReasonPeople


class RequestWithdrawn(VisitFacts, type="visits.request.withdrawn.v1"):
    """The ministry withdrew its request."""

    people: ReasonPeople


class VisitConfirmed(VisitFacts, type="visits.visit.confirmed.v1"):
    """The ministry accepted the proposed programme."""

    release: int = Field(ge=1, description="The programme release that was accepted.")
    people: MinistryPeople


class VisitCancelled(VisitFacts, type="visits.visit.cancelled.v1"):
    """The Centre cancelled the visit, or a proposal stayed unanswered."""

    people: ReasonPeople


class VisitCompleted(VisitFacts, type="visits.visit.completed.v1"):
    """The last session of the programme is over."""

    completed_at: AwareDatetime
    report_due: date
    people: MinistryPeople


class ReportOverdue(VisitFacts, type="visits.visit.report_overdue.v1"):
    """The visit's report was due and is not there."""

    report_due: date
    people: MinistryPeople


class VisitReported(VisitFacts, type="visits.visit.reported.v1"):
    """The report of the visit was handed in."""

    people: ReportPeople


class BodyContact(Frozen):
    """Whom a consulted body is written to."""

    name: Line | None = Field(default=None, description="None when only an office is known.")
    email: Email = Field(max_length=254)
    language: NoticeLanguage = "en"


class ConsultationPeople(Frozen):
    """Whom to write to about a consultation, and what was asked."""

    contact: BodyContact
    question: Text | None = Field(default=None, description="What the body is asked beside its consent.")


class ConsultedPeople(ConsultationPeople):
    """Whom to write to, what was asked, and what the visit is about."""

    subject: Text


class AnswerPeople(ConsultationPeople):
    """Whom to write to, what was asked, and what was said to it."""

    reason: Text | None = Field(default=None, description="There is one with every objection.")


class ConsultationFacts(VisitFacts):
    """What every event of a consultation says; none of it is for the ministry that asks for the visit."""

    consultation: int = Field(ge=1, description="Its number among the visit's consultations.")
    body: Line = Field(description="The body that is consulted.")
    veto: bool = Field(description="Its silence is no consent, and its objection stops the approval.")
    respond_by: AwareDatetime = Field(description="Until when the body is to answer; show it in `time_zone`.")
    time_zone: str = Field(examples=["Asia/Bahrain"])
    people: ConsultationPeople


class ConsultationOpened(ConsultationFacts, type="visits.consultation.opened.v1"):
    """An officer asked another body for its consent, or an amendment made it be asked anew."""

    needs: Needs
    again: bool = Field(default=False, description="It was asked about an earlier revision before.")
    people: ConsultedPeople


class ConsultationAnswered(ConsultationFacts, type="visits.consultation.answered.v1"):
    """A consulted body answered, or its silence counts as consent."""

    answer: Literal["consent", "object", "silence"]
    people: AnswerPeople


class ConsultationOverdue(ConsultationFacts, type="visits.consultation.overdue.v1"):
    """A body that has to answer did not; it is chased until it does."""

    people: ConsultedPeople
