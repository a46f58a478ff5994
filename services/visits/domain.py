"""The life of a visit, decided purely: a command and a visit give the next visit and its news."""

from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import assert_never
from uuid import UUID

from schemas import visits as news
from services.visits import commands as c
from services.visits.commands import Command
from services.visits.consulting import ask_again, close_if_over, consult, refuse_unless_agreed
from services.visits.request import (
    VisitRequest,
    approved_part,
    changed_pointers,
    contacts_of,
    delegation_people,
    ministry_people,
    needs_of,
    to_json,
)
from services.visits.transitions import TRANSITIONS, Forbidden, State, refusal
from services.visits.visit import CENTRE, Advice, Decision, Stale, Visit, changed_deadlines, facts_of, moved

CHASE_AGAIN = timedelta(days=7)
"""How long after a reminder an overdue report is asked for again."""


def submit(*, id: UUID, reference: str, client: UUID, country: str, request: VisitRequest) -> Decision:
    """Begin the life of a visit with its request."""
    visit = Visit(id, reference, client, country, State.SUBMITTED, 1, 1, request)
    submitted = news.RequestSubmitted(
        **facts_of(visit),
        sender_reference=request.sender_reference,
        note_verbale=request.note_verbale.number,
        needs=needs_of(request),
        people=delegation_people(request),
    )
    return Decision(visit, (submitted,))


def decide(command: Command, visit: Visit, now: datetime) -> Decision:
    """Carry out ``command`` at ``now`` (aware).

    Raises `Forbidden` when the state does not allow it, `Stale` when it is news overtaken by newer.
    """
    if visit.state not in TRANSITIONS[type(command)]:
        raise Forbidden(refusal(visit.state, type(command)))
    after, events = _carry_out(command, visit, now)
    after = close_if_over(after, now)
    return Decision(after, events, changed_deadlines(visit, after))


def _carry_out(command: Command, visit: Visit, now: datetime) -> tuple[Visit, tuple[news.VisitFacts, ...]]:
    match command:
        case c.Amend():
            outcome = _amend(command, visit, now)
        case c.AskInformation() | c.Approve() | c.Decline():
            outcome = _judge(command, visit)
        case c.Consult() | c.RecordAnswer() | c.ExpireConsultations():
            outcome = consult(command, visit, now)
        case c.Withdraw() | c.Cancel() | c.ExpireProposal():
            outcome = _end(command, visit, now)
        case c.Accept():
            outcome = _accept(command, visit)
        case c.RecordProposal() | c.RecordRelease():
            outcome = _record_programme(command, visit), ()
        case c.RecordInfeasible() | c.RecordCancellation():
            outcome = _record_absence(command, visit), ()
        case c.Begin() | c.Complete():
            outcome = _progress(command, visit, now)
        case c.ChaseReport() | c.Report():
            outcome = _close(command, visit, now)
        case _:
            assert_never(command)
    return outcome


def _amend(command: c.Amend, visit: Visit, now: datetime) -> tuple[Visit, tuple[news.VisitFacts, ...]]:
    changed = changed_pointers(to_json(visit.request), to_json(command.request))
    if not changed and (command.message is None or visit.state is not State.INFORMATION_REQUESTED):
        raise Forbidden("A message alone answers a question, and none is open; amend the request with it.")
    touches = approved_part(command.request) != approved_part(visit.request)
    nexts = TRANSITIONS[c.Amend][visit.state]
    if touches and visit.state is State.IN_PROGRESS:
        raise Forbidden("What was approved cannot be changed any more while the visit is in progress.")
    state = nexts[0] if touches else nexts[-1]
    revision = visit.revision + bool(changed)
    after = moved(
        visit,
        state,
        revision=revision,
        approvable=revision if touches else visit.approvable,
        request=command.request,
    )
    amended = news.RequestAmended(
        **facts_of(after),
        changed=changed,
        needs_approval=state is State.SUBMITTED,
        needs=needs_of(command.request),
        people=news.AmendmentPeople(**dict(delegation_people(command.request)), message=command.message),
    )
    if not touches:
        return after, (amended,)
    after, asked = ask_again(after, now)
    return after, (amended, *asked)


def _judge(
    command: c.AskInformation | c.Approve | c.Decline, visit: Visit
) -> tuple[Visit, tuple[news.VisitFacts, ...]]:
    facts, request = facts_of(visit), visit.request
    match command:
        case c.AskInformation(question):
            after = moved(visit, State.INFORMATION_REQUESTED, reason=question)
            return after, (
                news.InformationRequested(
                    **facts, people=news.QuestionPeople(focal_points=contacts_of(request), question=question)
                ),
            )
        case c.Approve():
            refuse_unless_agreed(visit)
            approved = news.RequestApproved(
                **facts,
                needs=needs_of(request),
                people=delegation_people(request),
            )
            return moved(visit, State.APPROVED), (approved,)
        case c.Decline(reason):
            after = moved(visit, State.DECLINED, reason=reason)
            people = news.ReasonPeople(focal_points=contacts_of(request), reason=reason)
            return after, (news.RequestDeclined(**facts, people=people),)
        case _:
            assert_never(command)


def _end(
    command: c.Withdraw | c.Cancel | c.ExpireProposal, visit: Visit, now: datetime
) -> tuple[Visit, tuple[news.VisitFacts, ...]]:
    facts, contacts = facts_of(visit), contacts_of(visit.request)
    match command:
        case c.Withdraw(reason):
            people = news.ReasonPeople(focal_points=contacts, reason=reason)
            withdrawn = news.RequestWithdrawn(**facts, people=people)
            return moved(visit, State.WITHDRAWN, reason=reason), (withdrawn,)
        case c.Cancel(reason):
            pass
        case c.ExpireProposal():
            respond_by = visit.programme.respond_by if visit.programme else None
            if respond_by is None or now < respond_by:
                raise Stale("the time to answer the proposal is not over")
            reason = (
                f"The proposed programme was not answered by {respond_by.astimezone(CENTRE):%Y-%m-%d %H:%M}."
            )
        case _:
            assert_never(command)
    people = news.ReasonPeople(focal_points=contacts, reason=reason)
    cancelled = news.VisitCancelled(**facts, people=people)
    return moved(visit, State.CANCELLED, reason=reason), (cancelled,)


def _accept(command: c.Accept, visit: Visit) -> tuple[Visit, tuple[news.VisitFacts, ...]]:
    current = visit.programme.release if visit.programme else None
    if command.release != current:
        raise Forbidden(
            f"Release {command.release} is not the one proposed now; read and accept release {current}."
        )
    confirmed = news.VisitConfirmed(
        **facts_of(visit), release=command.release, people=ministry_people(visit.request)
    )
    return moved(visit, State.CONFIRMED), (confirmed,)


def _record_programme(command: c.RecordProposal | c.RecordRelease, visit: Visit) -> Visit:
    programme = command.programme
    _refuse_stale(visit, programme.revision, programme.release)
    (state,) = TRANSITIONS[type(command)][visit.state]
    if state is State.IN_PROGRESS:  # a change on the day holds without an answer
        programme = programme.model_copy(update={"respond_by": None})
    return replace(moved(visit, state), programme=programme)


def _record_absence(command: c.RecordInfeasible | c.RecordCancellation, visit: Visit) -> Visit:
    (state,) = TRANSITIONS[type(command)][visit.state]
    match command:
        case c.RecordInfeasible():
            _refuse_stale(visit, command.revision, None)
            return replace(moved(visit, state), advice=Advice(command.reasons, command.alternatives))
        case c.RecordCancellation():
            if visit.programme and command.release < visit.programme.release:
                raise Stale(f"release {visit.programme.release} has replaced release {command.release}")
            if state is visit.state:
                return replace(visit, programme=None)
            return moved(visit, state, reason=command.reason)
        case _:
            assert_never(command)


def _refuse_stale(visit: Visit, revision: int, release: int | None) -> None:
    if revision < visit.approvable:
        raise Stale(f"revision {visit.approvable} has replaced revision {revision}")
    if release is not None and visit.programme and release < visit.programme.release:
        raise Stale(f"release {visit.programme.release} has replaced release {release}")


def _progress(
    command: c.Begin | c.Complete, visit: Visit, now: datetime
) -> tuple[Visit, tuple[news.VisitFacts, ...]]:
    programme = visit.programme
    if programme is None or not programme.firm:
        raise Stale("the programme is not firm")
    if now < (programme.starts if isinstance(command, c.Begin) else programme.ends):
        raise Stale("the programme was moved to a later time")
    if isinstance(command, c.Begin):
        return moved(visit, State.IN_PROGRESS), ()
    due = programme.ends.astimezone(CENTRE).date() + timedelta(days=command.report_days)
    after = replace(
        moved(visit, State.COMPLETED),
        report_due=due,
        chase_at=datetime.combine(due + timedelta(days=1), time(), CENTRE),
    )
    completed = news.VisitCompleted(
        **facts_of(visit), completed_at=programme.ends, report_due=due, people=ministry_people(visit.request)
    )
    return after, (completed,)


def _close(
    command: c.ChaseReport | c.Report, visit: Visit, now: datetime
) -> tuple[Visit, tuple[news.VisitFacts, ...]]:
    match command:
        case c.ChaseReport():
            if visit.report_due is None or visit.chase_at is None or now < visit.chase_at:
                raise Stale("the report is not due")
            overdue = news.ReportOverdue(
                **facts_of(visit), report_due=visit.report_due, people=ministry_people(visit.request)
            )
            return replace(visit, chase_at=now + CHASE_AGAIN), (overdue,)
        case c.Report(summary):
            people = news.ReportPeople(focal_points=contacts_of(visit.request), summary=summary)
            reported = news.VisitReported(**facts_of(visit), people=people)
            return replace(moved(visit, State.REPORTED), report=summary), (reported,)
        case _:
            assert_never(command)
