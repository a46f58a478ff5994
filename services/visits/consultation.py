"""A consultation as a value: what another body was asked about a request, and what it said."""

from enum import StrEnum

from pydantic import AwareDatetime, EmailStr, Field

from schemas.event import Frozen
from schemas.terms import Line, NoticeLanguage, Text

LONGEST_DAYS = 30
"""How long a body can be given to answer."""


class Status(StrEnum):
    """Where a consultation stands."""

    OPEN = "open"
    CONSENTED = "consented"
    OBJECTED = "objected"
    CONSENTED_BY_SILENCE = "consented_by_silence"
    CLOSED = "closed"


class Consultation(Frozen):
    """One asking of one body. Instants are aware, UTC.

    ``closed`` is one that ended without an answer: the request ended, or the body was asked anew
    about an amended one.
    """

    number: int = Field(ge=1, description="Counts the visit's consultations.")
    revision: int = Field(ge=1, description="The request's revision that the body was asked about.")
    body: Line
    contact_name: Line | None = None
    contact_email: EmailStr
    contact_language: NoticeLanguage
    veto: bool = Field(description="Its silence is no consent, and its objection stops the approval.")
    question: Text | None = None
    days: int = Field(ge=1, le=LONGEST_DAYS)
    status: Status
    opened_at: AwareDatetime
    respond_by: AwareDatetime
    act_at: AwareDatetime | None = Field(description="When its silence counts or is chased; none once ended.")
    ended_at: AwareDatetime | None = None
    reason: Text | None = Field(default=None, description="What the body gave for its answer.")

    @property
    def open(self) -> bool:
        """Whether an answer is waited for."""
        return self.status is Status.OPEN

    @property
    def key(self) -> str:
        """What makes two names the same body: neither letter case nor spacing matters."""
        return " ".join(self.body.casefold().split())
