"""Consulting other bodies on a request, decided purely: who is asked, what counts, what stops an approval.

A consultation is about the revision it was opened for. An amendment that changes the needs makes every
earlier answer one for an earlier revision: it stays in the record. Whoever holds a veto, and whoever has
not answered yet, is then asked anew about the revision as it is.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, assert_never

from schemas.visits import (
    AnswerPeople,
    BodyContact,
    ConsultationAnswered,
    ConsultationFacts,
    ConsultationOpened,
    ConsultationOverdue,
    ConsultedPeople,
    VisitFacts,
)
from services.visits import commands as c
from services.visits.consultation import Consultation, Status
from services.visits.request import needs_of
from services.visits.transitions import CONSULTING, Forbidden
from services.visits.visit import CENTRE, Facts, Stale, Visit, facts_of

CHASE_AGAIN = timedelta(days=3)
"""How long after a reminder a body that has to answer is reminded again."""

Outcome = tuple[Visit, tuple[VisitFacts, ...]]


class NoSuchConsultation(Exception):
    """The visit has no consultation of this number."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class _Facts(Facts):
    consultation: int
    body: str
    veto: bool
    respond_by: datetime
    time_zone: str


def consult(
    command: c.Consult | c.RecordAnswer | c.ExpireConsultations, visit: Visit, now: datetime
) -> Outcome:
    """Open a consultation, record its answer, or let its time pass.

    Raises `Forbidden`, `NoSuchConsultation`, or `Stale` when no time is over.
    """
    match command:
        case c.Consult():
            return _open(command, visit, now)
        case c.RecordAnswer():
            return _record_answer(command, visit, now)
        case c.ExpireConsultations():
            return _expire(visit, now)
        case _:
            assert_never(command)


def consultation_of(visit: Visit, number: int) -> Consultation:
    """Find a visit's consultation by its number. Raises `NoSuchConsultation`."""
    for each in visit.consultations:
        if each.number == number:
            return each
    raise NoSuchConsultation


def ask_again(visit: Visit, now: datetime) -> Outcome:
    """Ask about the amended request whoever holds a veto and whoever has not answered."""
    events: tuple[VisitFacts, ...] = ()
    for earlier in _latest(visit.consultations):
        if not (earlier.open or earlier.veto):
            continue
        if earlier.open:
            visit = _put(visit, _ended(earlier, Status.CLOSED, now))
        visit, opened = _ask(visit, _asked(_same_question(earlier), visit, now), again=True)
        events += opened
    return visit, events


def close_if_over(visit: Visit, now: datetime) -> Visit:
    """End the open consultations of a visit in whose state nobody waits for them."""
    if visit.state in CONSULTING or not any(each.open for each in visit.consultations):
        return visit
    return replace(
        visit,
        consultations=tuple(
            _ended(each, Status.CLOSED, now) if each.open else each for each in visit.consultations
        ),
    )


def refuse_unless_agreed(visit: Visit) -> None:
    """Raise `Forbidden`, naming the bodies, while a consultation is open or a veto stands."""
    if found := list(_obstacles(visit)):
        raise Forbidden(f"The request cannot be approved: {'; '.join(found)}.")


def in_words(event: ConsultationFacts) -> str:
    """Say for the history what an event of a consultation tells."""
    body = f"{event.body} (with a veto)" if event.veto else event.body
    match event:
        case ConsultationAnswered(answer="silence"):
            return f"{body} kept silent, which counts as consent."
        case ConsultationAnswered(answer=answer, people=AnswerPeople(reason=reason)):
            said = "consents" if answer == "consent" else "objects"
            return f"{body} {said}: {reason}" if reason else f"{body} {said}."
        case ConsultationOverdue():
            return f"{body} has not answered and was reminded."
        case _:
            return f"{body} is asked for its consent."


def _obstacles(visit: Visit) -> Iterator[str]:
    for each in _latest(visit.consultations):
        if each.open:
            yield f"{each.body} has not answered its consultation"
        elif each.veto and each.status is Status.OBJECTED:
            yield f"{each.body} holds a veto and objected"
        elif each.veto and each.revision < visit.approvable:
            yield f"{each.body} holds a veto and consented to an earlier revision only; consult it again"


def _open(command: c.Consult, visit: Visit, now: datetime) -> Outcome:
    asked = _asked(command, visit, now)
    before = next((each for each in _latest(visit.consultations) if each.key == asked.key), None)
    if before and before.open:
        raise Forbidden(
            f"{before.body} is being consulted already; record its answer to consultation {before.number}."
        )
    if before and before.veto and not asked.veto:
        raise Forbidden(f"{before.body} holds a veto on this visit; consult it with its veto.")
    again = before is not None and before.revision < visit.approvable
    return _ask(visit, asked, again=again)


def _asked(command: c.Consult, visit: Visit, now: datetime) -> Consultation:
    until = now + timedelta(days=command.days)
    return Consultation(
        number=len(visit.consultations) + 1,
        revision=visit.revision,
        body=command.body,
        contact_name=command.contact_name,
        contact_email=command.contact_email,
        contact_language=command.contact_language,
        veto=command.veto,
        question=command.question,
        days=command.days,
        status=Status.OPEN,
        opened_at=now,
        respond_by=until,
        act_at=until,
    )


def _same_question(earlier: Consultation) -> c.Consult:
    return c.Consult(
        body=earlier.body,
        contact_name=earlier.contact_name,
        contact_email=earlier.contact_email,
        contact_language=earlier.contact_language,
        veto=earlier.veto,
        question=earlier.question,
        days=earlier.days,
    )


def _ask(visit: Visit, asked: Consultation, *, again: bool) -> Outcome:
    opened = ConsultationOpened(
        **_facts(visit, asked),
        needs=needs_of(visit.request),
        again=again,
        people=ConsultedPeople(**_asked_people(asked), subject=visit.request.subject),
    )
    return replace(visit, consultations=(*visit.consultations, asked)), (opened,)


def _record_answer(command: c.RecordAnswer, visit: Visit, now: datetime) -> Outcome:
    asked = consultation_of(visit, command.consultation)
    if not asked.open:
        raise Forbidden(
            f"Consultation {asked.number} of {asked.body} has ended ({asked.status.value.replace('_', ' ')});"
            " open a new one to record another answer."
        )
    status = Status.CONSENTED if command.answer == "consent" else Status.OBJECTED
    people = AnswerPeople(**_asked_people(asked), reason=command.reason)
    answered = ConsultationAnswered(**_facts(visit, asked), answer=command.answer, people=people)
    return _put(visit, _ended(asked, status, now, command.reason)), (answered,)


def _expire(visit: Visit, now: datetime) -> Outcome:
    due = [each for each in visit.consultations if each.act_at and each.act_at <= now]
    if not due:
        raise Stale("no consulted body is overdue")
    events: tuple[VisitFacts, ...] = ()
    for each in due:
        facts = _facts(visit, each)
        if each.veto:
            visit = _put(visit, each.model_copy(update={"act_at": now + CHASE_AGAIN}))
            chased = ConsultedPeople(**_asked_people(each), subject=visit.request.subject)
            events += (ConsultationOverdue(**facts, people=chased),)
        else:
            visit = _put(visit, _ended(each, Status.CONSENTED_BY_SILENCE, now))
            silent = AnswerPeople(**_asked_people(each))
            events += (ConsultationAnswered(**facts, answer="silence", people=silent),)
    return visit, events


def _ended(asked: Consultation, status: Status, now: datetime, reason: str | None = None) -> Consultation:
    return asked.model_copy(update={"status": status, "act_at": None, "ended_at": now, "reason": reason})


def _put(visit: Visit, changed: Consultation) -> Visit:
    return replace(
        visit,
        consultations=tuple(
            changed if each.number == changed.number else each for each in visit.consultations
        ),
    )


def _latest(consultations: Iterable[Consultation]) -> tuple[Consultation, ...]:
    """List the last consultation of each body: the one that counts."""
    return tuple({each.key: each for each in consultations}.values())


def _facts(visit: Visit, asked: Consultation) -> _Facts:
    return {
        **facts_of(visit),
        "consultation": asked.number,
        "body": asked.body,
        "veto": asked.veto,
        "respond_by": asked.respond_by,
        "time_zone": CENTRE.key,
    }


def _asked_people(asked: Consultation) -> dict[str, Any]:
    contact = BodyContact(name=asked.contact_name, email=asked.contact_email, language=asked.contact_language)
    return {"contact": contact, "question": asked.question}
