"""What can be ordered about a visit: by people, by news from scheduling, by timers."""

from dataclasses import dataclass
from typing import Literal

from schemas.scheduling import Alternative
from schemas.terms import Bilingual, NoticeLanguage
from services.visits.programme import StoredProgramme
from services.visits.request import VisitRequest


@dataclass(frozen=True, slots=True)
class Amend:
    """The ministry changes its request, or answers what it was asked, or both."""

    request: VisitRequest
    message: str | None = None


@dataclass(frozen=True, slots=True)
class AskInformation:
    """An officer needs to know more."""

    question: str


@dataclass(frozen=True, slots=True)
class Consult:
    """An officer asks another body for its consent, to be given within ``days``."""

    body: str
    contact_name: str | None
    contact_email: str
    contact_language: NoticeLanguage
    veto: bool
    question: str | None
    days: int


@dataclass(frozen=True, slots=True)
class RecordAnswer:
    """An officer records what a consulted body has answered; an objection has its reason."""

    consultation: int
    answer: Literal["consent", "object"]
    reason: str | None


@dataclass(frozen=True, slots=True)
class ExpireConsultations:
    """The time that consulted bodies had to answer is over."""


@dataclass(frozen=True, slots=True)
class Approve:
    """An officer approves the request."""


@dataclass(frozen=True, slots=True)
class Decline:
    """An officer declines the request."""

    reason: str


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The ministry withdraws."""

    reason: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """The Centre calls the visit off."""

    reason: str


@dataclass(frozen=True, slots=True)
class Accept:
    """The ministry accepts the programme in the release it has read."""

    release: int


@dataclass(frozen=True, slots=True)
class Report:
    """The report of the visit is handed in."""

    summary: str


@dataclass(frozen=True, slots=True)
class RecordProposal:
    """Scheduling proposed or revised a programme; the ministry is to answer."""

    programme: StoredProgramme


@dataclass(frozen=True, slots=True)
class RecordRelease:
    """Scheduling made the accepted programme firm."""

    programme: StoredProgramme


@dataclass(frozen=True, slots=True)
class RecordInfeasible:
    """Scheduling found no programme for this revision of the request."""

    revision: int
    reasons: tuple[Bilingual, ...]
    alternatives: tuple[Alternative, ...]


@dataclass(frozen=True, slots=True)
class RecordCancellation:
    """Scheduling dropped the programme of this revision."""

    revision: int
    release: int
    reason: str


@dataclass(frozen=True, slots=True)
class ExpireProposal:
    """The time to answer a proposal is over."""


@dataclass(frozen=True, slots=True)
class Begin:
    """The programme's first session begins."""


@dataclass(frozen=True, slots=True)
class Complete:
    """The programme's last session is over; the report is due after ``report_days``."""

    report_days: int


@dataclass(frozen=True, slots=True)
class ChaseReport:
    """The report was due and is not there."""


Command = (
    Amend
    | AskInformation
    | Consult
    | RecordAnswer
    | ExpireConsultations
    | Approve
    | Decline
    | Withdraw
    | Cancel
    | Accept
    | Report
    | RecordProposal
    | RecordRelease
    | RecordInfeasible
    | RecordCancellation
    | ExpireProposal
    | Begin
    | Complete
    | ChaseReport
)

AMONG_AUTHORITIES = frozenset(kind.__name__ for kind in (Consult, RecordAnswer, ExpireConsultations))
"""Commands that the ministry does not read of: how the host's authorities come to their decision."""
