"""Events of the `notifications` service: what became of each notice. Key: the visit's id."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from schemas.event import EventData, Frozen
from schemas.terms import Code, Email, Line, NoticeLanguage


class NoticePeople(Frozen):
    """Whom the notice was for."""

    address: Email | None


class Notice(EventData):
    """One message to one person for one cause."""

    notice: UUID
    cause: UUID = Field(description="Id of the event the person was told about.")
    cause_type: Line
    audience: Literal["ministry", "host", "expert", "interpreter", "escort", "office"]
    person: Code | None = Field(description="The Centre's person, none for a ministry or the office.")
    channel: Literal["email"]
    language: NoticeLanguage
    people: NoticePeople


class NoticeDelivered(Notice, type="notifications.notice.delivered.v1"):
    """The recipient's mail server took the notice over."""

    attempts: int = Field(ge=1)


class NoticeFailed(Notice, type="notifications.notice.failed.v1"):
    """The notice could not be delivered and will not be tried again."""

    attempts: int = Field(ge=1)
    reason: Line


class NoticeSuppressed(Notice, type="notifications.notice.suppressed.v1"):
    """The notice was not sent on purpose, for example since the person has no address."""

    reason: Line
