"""Notices in the database."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import asyncpg

from runtime.queries import load_queries
from schemas.event import Event
from schemas.scheduling import Slot
from schemas.terms import Code, NoticeLanguage
from services.notifications.invitation import Invitation
from services.notifications.mail import Mail
from services.notifications.notice import Audience, Notice
from services.notifications.parts import Told
from services.notifications.render import VERSION, Letter

SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class Draft:
    """A new notice; one that cannot be sent has no mail."""

    id: UUID
    notice: Notice
    mail: Mail | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A notice that is to be sent, with what its events say about it."""

    visit: UUID
    cause: UUID
    cause_type: str
    audience: Audience
    person: Code | None
    attempts: int
    mail: Mail


async def sessions_told(connection: asyncpg.Connection, visit: UUID) -> Told:
    """Return the sessions each person, by code, was last told to have in ``visit``."""
    rows = await connection.fetch(SQL["sessions_told"], visit)
    return {row["person"]: tuple(Slot.model_validate(slot) for slot in row["sessions"]) for row in rows}


async def add_notices(
    connection: asyncpg.Connection, cause: Event[Any], drafts: Iterable[Draft], now: datetime
) -> set[UUID]:
    """Write the drafts in one round trip; returns the ids of those whose recipient had none."""
    rows = [_row(draft) for draft in drafts]
    added = await connection.fetch(
        SQL["add_notices"], UUID(cause.subject), cause.id, cause.type, VERSION, now, rows
    )
    return {row["id"] for row in added}


def _row(draft: Draft) -> dict[str, Any]:
    """Name the columns that are the draft's own; what is missing becomes NULL."""
    notice, mail = draft.notice, draft.mail
    told = notice.slots if notice.recipient.person else ()
    personal = (
        {
            "address": mail.address,
            "name": mail.name,
            "subject": mail.letter.subject,
            "body_text": mail.letter.text,
            "body_html": mail.letter.html,
            "invitations": [asdict(each) for each in mail.invitations],
        }
        if mail
        else {}
    )
    return {
        "id": str(draft.id),
        "audience": notice.recipient.audience,
        "person": notice.recipient.person,
        "language": notice.recipient.language,
        "template": notice.template,
        "sessions": [slot.model_dump(mode="json") for slot in told],
        "unsendable": notice.unsendable,
        "recipient": notice.recipient.key,
        **personal,
    }


async def lock_waiting(connection: asyncpg.Connection, notice: UUID) -> Waiting | None:
    """Lock a notice until the transaction ends; None when it does not wait to be sent."""
    row = await connection.fetchrow(SQL["lock_waiting_notice"], notice)
    if row is None:
        return None
    mail = Mail(
        notice=row["id"],
        address=row["address"],
        name=row["name"],
        language=cast(NoticeLanguage, row["language"]),
        letter=Letter(row["subject"], row["body_text"], row["body_html"]),
        invitations=tuple(Invitation(**each) for each in row["invitations"]),
    )
    return Waiting(
        row["visit_id"],
        row["cause"],
        row["cause_type"],
        row["audience"],
        row["person"],
        row["attempts"],
        mail,
    )


async def mark_delivered(connection: asyncpg.Connection, notice: UUID, now: datetime) -> None:
    """Note that the mail server has taken the notice over."""
    await connection.execute(SQL["mark_delivered"], notice, now)


async def mark_failed(connection: asyncpg.Connection, notice: UUID, now: datetime, reason: str) -> None:
    """Note that the notice will not be tried again."""
    await connection.execute(SQL["mark_failed"], notice, now, reason)


@dataclass(frozen=True, slots=True)
class Figures:
    """How many notices there are by what became of them, and how old the oldest is that waits."""

    waiting: int
    oldest_seconds: float
    delivered: int
    failed: int
    suppressed: int


async def figures(connection: asyncpg.Connection, now: datetime) -> Figures:
    """Count the notices."""
    row = await connection.fetchrow(SQL["figures"], now)
    assert row is not None  # noqa: S101 -- an aggregate always gives a row
    return Figures(**{**row, "oldest_seconds": round(max(float(row["oldest_seconds"]), 0), 3)})


async def first_failure(connection: asyncpg.Connection) -> datetime | None:
    """Tell since when a notice that waits is known to have failed."""
    found: datetime | None = await connection.fetchval(SQL["first_failure"])
    return found


async def put_off(
    connection: asyncpg.Connection, notice: UUID, now: datetime, reason: str, until: datetime
) -> None:
    """Note a failed attempt and when the next one is due."""
    await connection.execute(SQL["put_off"], notice, now, reason, until)
