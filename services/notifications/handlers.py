"""Orders of the service: tell everybody concerned of an event, and send what waits."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog

from runtime.transaction import Handler, TimerHandler, Transaction
from schemas.event import Event
from schemas.notifications import NoticeDelivered, NoticeFailed, NoticePeople, NoticeSuppressed
from services.notifications import store
from services.notifications.delivery import Retries
from services.notifications.domain import notices_of
from services.notifications.invitation import Invitation, Organiser, invitation
from services.notifications.mail import Delayed, Mail, Post, Refused, Sender, Unusable, compose
from services.notifications.notice import Notice, Office
from services.notifications.parts import ProgrammeTold, Told
from services.notifications.render import description, letter
from services.notifications.watch import MailWatch

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Desk:
    """What the orders need to know and to reach."""

    office: Office
    sender: Sender
    post: Post
    retries: Retries
    watch: MailWatch = field(default_factory=MailWatch)


def telling(desk: Desk) -> Handler:
    """Make the order that tells of an event."""

    async def tell(tx: Transaction, event: Event[Any]) -> None:
        """Write a notice for each recipient of ``event`` and have them sent.

        Notices are rendered here, so that a fault in a template parks the event where operators
        see it, and a repeated delivery is the same message to the letter.
        """
        told: Told = {}
        if isinstance(event.data, ProgrammeTold):
            told = await store.sessions_told(tx.connection, UUID(event.subject))
        drafts = [_draft(desk, tx, event, notice) for notice in notices_of(event, desk.office, told)]
        added = await store.add_notices(tx.connection, event, drafts, tx.now)
        for draft in drafts:
            if draft.id not in added:
                continue
            if draft.mail is None:
                _suppress(tx, event, draft)
            else:
                await tx.remind("send", str(draft.id), tx.now)

    return tell


def _draft(desk: Desk, tx: Transaction, event: Event[Any], notice: Notice) -> store.Draft:
    id_, to = tx.new_id(), notice.recipient
    if notice.unsendable or to.address is None:
        return store.Draft(id_, notice, None)
    words = letter(notice, event.data)
    invitations = _invitations(desk, tx, event, notice)
    return store.Draft(id_, notice, Mail(id_, to.address, to.shown_name, to.language, words, invitations))


def _invitations(desk: Desk, tx: Transaction, event: Event[Any], notice: Notice) -> tuple[Invitation, ...]:
    return tuple(
        invitation(
            entry,
            notice.recipient,
            visit=event.subject,
            reference=event.data.reference,
            description=description(entry, notice.recipient, event.data),
            organiser=Organiser(desk.office, desk.sender.domain),
            stamp=tx.now,
        )
        for entry in notice.entries
    )


def _suppress(tx: Transaction, event: Event[Any], draft: store.Draft) -> None:
    to = draft.notice.recipient
    tx.emit(
        NoticeSuppressed(
            notice=draft.id,
            cause=event.id,
            cause_type=event.type,
            audience=to.audience,
            person=to.person,
            channel="email",
            language=to.language,
            people=NoticePeople(address=to.address),
            reason=draft.notice.unsendable or "",
        ),
        subject=event.subject,
    )
    log.info("notice suppressed", notice=str(draft.id), person=to.person)


def sending(desk: Desk) -> TimerHandler:
    """Make the order that sends a notice."""

    async def send(tx: Transaction, key: str) -> None:
        """Hand the notice ``key`` to the mail server; a temporary failure is tried again later.

        So is a failure that nobody foresaw, as often and no more: a newer version may know how to
        send the notice, but if none does, `NoticeFailed` has to say so.

        The notice's row is locked, not the visit: what becomes of one notice has no bearing on
        another's, and a slow mail server must not hold up the visit's other notices. A crash
        between the server's consent and the commit sends the message again, under the same
        Message-ID.
        """
        waiting = await store.lock_waiting(tx.connection, UUID(key))
        if waiting is None:
            return
        try:
            await desk.post.deliver(compose(waiting.mail, desk.sender, tx.now), waiting.mail.address)
        except Refused as error:
            desk.watch.worked()  # it answered about this message only
            await _give_up(tx, waiting, str(error))
        except Delayed as error:
            desk.watch.failed(str(error), tx.now) if isinstance(error, Unusable) else desk.watch.worked()
            await _try_later(desk, tx, waiting, str(error))
        except Exception as error:
            log.exception("notice cannot be sent", notice=key)
            await _try_later(desk, tx, waiting, f"sending failed unexpectedly: {type(error).__name__}")
        else:
            desk.watch.worked()
            tx = tx.later()  # the server took its time
            await store.mark_delivered(tx.connection, waiting.mail.notice, tx.now)
            tx.emit(
                NoticeDelivered(**_facts(waiting), attempts=waiting.attempts + 1), subject=str(waiting.visit)
            )
            log.info("notice delivered", notice=key, attempts=waiting.attempts + 1)

    return send


async def _try_later(desk: Desk, tx: Transaction, waiting: store.Waiting, reason: str) -> None:
    notice = waiting.mail.notice
    until = desk.retries.next_attempt(notice, waiting.attempts + 1, tx.now)
    if until is None:
        await _give_up(tx, waiting, reason)
        return
    await store.put_off(tx.connection, notice, tx.now, reason, until)
    await tx.remind("send", str(notice), until)
    log.warning("notice put off", notice=str(notice), attempts=waiting.attempts + 1, reason=reason)


async def _give_up(tx: Transaction, waiting: store.Waiting, reason: str) -> None:
    notice, attempts = waiting.mail.notice, waiting.attempts + 1
    await store.mark_failed(tx.connection, notice, tx.now, reason)
    tx.emit(NoticeFailed(**_facts(waiting), attempts=attempts, reason=reason), subject=str(waiting.visit))
    log.error("notice failed", notice=str(notice), attempts=attempts, reason=reason)


def _facts(waiting: store.Waiting) -> dict[str, Any]:
    return {
        "notice": waiting.mail.notice,
        "cause": waiting.cause,
        "cause_type": waiting.cause_type,
        "audience": waiting.audience,
        "person": waiting.person,
        "channel": "email",
        "language": waiting.mail.language,
        "people": NoticePeople(address=waiting.mail.address),
    }
