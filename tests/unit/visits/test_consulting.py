"""Consulting other bodies: who is asked, what silence means, what stops an approval."""

from datetime import timedelta
from typing import Any

import pytest

from schemas.visits import (
    ConsultationAnswered,
    ConsultationFacts,
    ConsultationOpened,
    ConsultationOverdue,
    RequestAmended,
    RequestApproved,
)
from services.visits import commands as c
from services.visits.consultation import Consultation, Status
from services.visits.consulting import NoSuchConsultation, in_words
from services.visits.domain import decide
from services.visits.request import needs_of
from services.visits.transitions import CONSULTING, Forbidden, State
from services.visits.visit import Decision, Stale, Visit
from tests.unit.visits import make

DAYS = timedelta(days=1)
DUE = make.NOW + 5 * DAYS
INTERIOR, PROSECUTION = "Ministry of Interior", "Public Prosecution"
HEAVY = c.Amend(make.request(days=3))
LIGHT = c.Amend(make.request(remarks="We bring flowers."))
EXPIRE = c.ExpireConsultations()


def consulted(*consultations: Consultation, **changes: Any) -> Visit:
    return make.visit(State.SUBMITTED, consultations=consultations, **changes)


def answered(answer: str, *, veto: bool = False) -> Visit:
    status = Status.CONSENTED if answer == "consent" else Status.OBJECTED
    return consulted(make.consultation(status, veto=veto))


def only(decision: Decision) -> Consultation:
    (found,) = decision.visit.consultations
    return found


def statuses(visit: Visit) -> list[tuple[str, int, str]]:
    return [(each.body, each.revision, each.status.value) for each in visit.consultations]


def test_a_consultation_asks_a_body_until_its_deadline():
    decision = decide(make.consult(days=7), make.visit(), make.NOW)

    asked = only(decision)
    assert (asked.number, asked.revision, asked.status) == (1, 1, Status.OPEN)
    assert asked.respond_by == make.NOW + 7 * DAYS
    assert decision.timers == {"expire-consultations": make.NOW + 7 * DAYS}
    (opened,) = decision.events
    assert isinstance(opened, ConsultationOpened)
    assert opened.needs == needs_of(make.request())
    assert (opened.body, opened.veto, opened.people.question) == (
        INTERIOR,
        False,
        "May they tour the shelter?",
    )
    assert (opened.respond_by, opened.time_zone, opened.again) == (asked.respond_by, "Asia/Bahrain", False)
    assert opened.people.contact.email == "visits@interior.example"


@pytest.mark.parametrize(
    "command",
    [make.consult(), c.RecordAnswer(1, "object", "No."), EXPIRE],
    ids=lambda command: type(command).__name__,
)
def test_no_event_of_a_consultation_names_anybody_of_the_delegation_or_the_ministry(command):
    visit = make.visit() if isinstance(command, c.Consult) else consulted(make.consultation(veto=True))
    (event,) = decide(command, visit, DUE).events

    written = event.model_dump_json()
    for private in ("Maryam", "مريم", "focal@mofa.example", "Member", "العضو"):
        assert private not in written


def test_several_bodies_are_asked_at_a_time_and_the_next_deadline_counts():
    first = decide(make.consult(INTERIOR, days=9), make.visit(), make.NOW)
    second = decide(make.consult(PROSECUTION, days=2), first.visit, make.NOW + DAYS)

    assert [each.number for each in second.visit.consultations] == [1, 2]
    assert second.timers == {"expire-consultations": make.NOW + 3 * DAYS}
    answer = decide(c.RecordAnswer(2, "consent", None), second.visit, make.NOW + DAYS)
    assert answer.timers == {"expire-consultations": make.NOW + 9 * DAYS}


@pytest.mark.parametrize("name", [INTERIOR, "ministry of  INTERIOR"])
def test_a_body_is_asked_once_at_a_time_however_it_is_written(name):
    with pytest.raises(Forbidden, match="Ministry of Interior is being consulted already"):
        decide(make.consult(name), consulted(make.consultation()), make.NOW)


def test_a_body_that_has_answered_can_be_asked_again():
    decision = decide(make.consult(), answered("object"), make.NOW)
    assert statuses(decision.visit) == [(INTERIOR, 1, "objected"), (INTERIOR, 1, "open")]


def test_a_veto_cannot_be_shed_by_asking_again_without_it():
    with pytest.raises(Forbidden, match="Ministry of Interior holds a veto on this visit"):
        decide(make.consult(veto=False), answered("object", veto=True), make.NOW)


@pytest.mark.parametrize("answer", ["consent", "object"])
def test_an_answer_ends_a_consultation_and_its_deadline(answer):
    decision = decide(c.RecordAnswer(1, answer, "Our reason."), consulted(make.consultation()), make.NOW)

    ended = only(decision)
    assert ended.status is (Status.CONSENTED if answer == "consent" else Status.OBJECTED)
    assert (ended.reason, ended.ended_at) == ("Our reason.", make.NOW)
    assert decision.timers == {"expire-consultations": None}
    (event,) = decision.events
    assert isinstance(event, ConsultationAnswered)
    assert (event.answer, event.people.reason, event.consultation) == (answer, "Our reason.", 1)


def test_an_answer_is_recorded_once():
    with pytest.raises(Forbidden, match=r"has ended \(consented by silence\); open a new one"):
        decide(
            c.RecordAnswer(1, "object", "Too late."),
            consulted(make.consultation(Status.CONSENTED_BY_SILENCE)),
            make.NOW,
        )


def test_an_answer_to_no_consultation_is_refused():
    with pytest.raises(NoSuchConsultation, match="The visit has no consultation of this number"):
        decide(c.RecordAnswer(2, "consent", None), consulted(make.consultation()), make.NOW)


@pytest.mark.parametrize("state", CONSULTING)
def test_silence_counts_as_consent_at_the_deadline_and_not_a_moment_before(state):
    visit = make.visit(state, consultations=(make.consultation(),))
    with pytest.raises(Stale):
        decide(EXPIRE, visit, DUE - timedelta(microseconds=1))

    decision = decide(EXPIRE, visit, DUE)

    assert (only(decision).status, only(decision).ended_at) == (Status.CONSENTED_BY_SILENCE, DUE)
    assert decision.timers == {"expire-consultations": None}
    (event,) = decision.events
    assert isinstance(event, ConsultationAnswered)
    assert (event.answer, event.people.reason) == ("silence", None)


def test_the_silence_of_a_veto_is_no_consent_and_is_chased_again_and_again():
    visit = consulted(make.consultation(veto=True))
    for now in (DUE, DUE + 3 * DAYS, DUE + 6 * DAYS):
        with pytest.raises(Stale):
            decide(EXPIRE, visit, now - timedelta(microseconds=1))
        decision = decide(EXPIRE, visit, now)
        visit = decision.visit
        (event,) = decision.events
        assert isinstance(event, ConsultationOverdue)
        assert event.respond_by == DUE
        assert only(decision).status is Status.OPEN
        assert decision.timers == {"expire-consultations": now + 3 * DAYS}


def test_only_those_whose_time_is_over_are_heard_silent():
    other = make.consultation(number=2, body=PROSECUTION, act_at=DUE + DAYS, respond_by=DUE + DAYS)
    decision = decide(EXPIRE, consulted(make.consultation(), other), DUE)

    assert [each.status.value for each in decision.visit.consultations] == ["consented_by_silence", "open"]
    assert decision.timers == {"expire-consultations": DUE + DAYS}


@pytest.mark.parametrize("veto", [False, True])
@pytest.mark.parametrize("state", CONSULTING)
def test_a_request_is_not_approved_while_a_consultation_is_open(state, veto):
    visit = make.visit(state, consultations=(make.consultation(veto=veto),))
    with pytest.raises(Forbidden) as refusal:
        decide(c.Approve(), visit, make.NOW)
    assert str(refusal.value) == (
        "The request cannot be approved: Ministry of Interior has not answered its consultation."
    )


def test_a_request_is_not_approved_against_a_veto_and_every_obstacle_is_named():
    objected = make.consultation(Status.OBJECTED, veto=True)
    with pytest.raises(Forbidden) as refusal:
        decide(c.Approve(), consulted(objected, make.consultation(number=2, body=PROSECUTION)), make.NOW)
    assert str(refusal.value) == (
        "The request cannot be approved: Ministry of Interior holds a veto and objected;"
        " Public Prosecution has not answered its consultation."
    )


def test_a_veto_that_consented_to_an_earlier_revision_stops_the_approval():
    visit = consulted(make.consultation(Status.CONSENTED, veto=True), revision=2, approvable=2)
    with pytest.raises(Forbidden, match="consented to an earlier revision only; consult it again"):
        decide(c.Approve(), visit, make.NOW)


@pytest.mark.parametrize(
    "consultation",
    [
        make.consultation(Status.OBJECTED),
        make.consultation(Status.CONSENTED_BY_SILENCE),
        make.consultation(Status.CONSENTED, veto=True),
    ],
    ids=["objection without veto", "silence", "consent of a veto"],
)
def test_what_does_not_stop_an_approval(consultation):
    decision = decide(c.Approve(), consulted(consultation), make.NOW)
    assert decision.visit.state is State.APPROVED
    assert [type(event) for event in decision.events] == [RequestApproved]
    assert decision.visit.consultations == (consultation,)


def test_the_last_answer_of_a_body_is_the_one_that_counts():
    objected = make.consultation(Status.OBJECTED, veto=True)
    consented = make.consultation(Status.CONSENTED, veto=True, number=2, body="MINISTRY OF INTERIOR")
    assert decide(c.Approve(), consulted(objected, consented), make.NOW).visit.state is State.APPROVED
    with pytest.raises(Forbidden):
        decide(
            c.Approve(),
            consulted(consented.model_copy(update={"number": 1}), objected.model_copy(update={"number": 2})),
            make.NOW,
        )


@pytest.mark.parametrize("state", CONSULTING)
@pytest.mark.parametrize(
    "end", [c.Decline("No."), c.Withdraw("Ill."), c.Cancel("Closed.")], ids=lambda each: type(each).__name__
)
def test_the_end_of_a_request_closes_what_is_open_and_keeps_what_was_answered(state, end):
    said = make.consultation(Status.OBJECTED)
    asked = make.consultation(number=2, body=PROSECUTION, veto=True)
    decision = decide(end, make.visit(state, consultations=(said, asked)), make.NOW)

    assert decision.visit.consultations[0] == said
    closed = decision.visit.consultations[1]
    assert (closed.status, closed.ended_at) == (Status.CLOSED, make.NOW)
    assert decision.timers == {"expire-consultations": None}


def test_a_question_to_the_ministry_leaves_consultations_open():
    visit = consulted(make.consultation())
    decision = decide(c.AskInformation("Who comes?"), visit, make.NOW)
    assert decision.visit.consultations == visit.consultations
    assert decision.timers == {}


@pytest.mark.parametrize("answer", ["consent", "object"])
def test_an_amendment_of_the_needs_asks_a_veto_again_and_keeps_its_answer(answer):
    decision = decide(HEAVY, answered(answer, veto=True), make.NOW)

    kept = "consented" if answer == "consent" else "objected"
    assert statuses(decision.visit) == [(INTERIOR, 1, kept), (INTERIOR, 2, "open")]
    amended, opened = decision.events
    assert isinstance(amended, RequestAmended)
    assert isinstance(opened, ConsultationOpened)
    assert (opened.consultation, opened.revision, opened.again, opened.needs.days) == (2, 2, True, 3)
    assert opened.people.contact.email == "visits@interior.example"
    assert opened.people.question == "May they tour the shelter?"
    assert decision.timers == {"expire-consultations": make.NOW + 5 * DAYS}
    with pytest.raises(Forbidden, match="has not answered"):
        decide(c.Approve(), decision.visit, make.NOW)
    agreed = decide(c.RecordAnswer(2, "consent", None), decision.visit, make.NOW)
    assert decide(c.Approve(), agreed.visit, make.NOW).visit.state is State.APPROVED


def test_an_amendment_after_approval_asks_a_veto_again():
    approved = make.visit(State.APPROVED, consultations=(make.consultation(Status.CONSENTED, veto=True),))
    decision = decide(HEAVY, approved, make.NOW)
    assert decision.visit.state is State.SUBMITTED
    assert statuses(decision.visit) == [(INTERIOR, 1, "consented"), (INTERIOR, 2, "open")]


@pytest.mark.parametrize("veto", [False, True])
def test_an_amendment_of_the_needs_asks_anew_whoever_has_not_answered(veto):
    later = make.NOW + 2 * DAYS
    decision = decide(HEAVY, consulted(make.consultation(veto=veto)), later)

    assert statuses(decision.visit) == [(INTERIOR, 1, "closed"), (INTERIOR, 2, "open")]
    assert decision.visit.consultations[1].respond_by == later + 5 * DAYS
    assert decision.timers == {"expire-consultations": later + 5 * DAYS}
    with pytest.raises(Forbidden, match=r"has ended \(closed\)"):
        decide(c.RecordAnswer(1, "consent", None), decision.visit, later)


@pytest.mark.parametrize("status", [Status.CONSENTED, Status.OBJECTED, Status.CONSENTED_BY_SILENCE])
def test_an_amendment_of_the_needs_keeps_the_answer_of_a_body_without_veto(status):
    visit = consulted(make.consultation(status))
    decision = decide(HEAVY, visit, make.NOW)
    assert decision.visit.consultations == visit.consultations
    assert decide(c.Approve(), decision.visit, make.NOW).visit.state is State.APPROVED


def test_a_light_amendment_leaves_every_consultation_as_it_is():
    visit = consulted(
        make.consultation(Status.CONSENTED, veto=True), make.consultation(number=2, body=PROSECUTION)
    )
    decision = decide(LIGHT, visit, make.NOW)
    assert decision.visit.consultations == visit.consultations
    assert decision.timers == {}
    heard = decide(EXPIRE, decision.visit, DUE)
    assert decide(c.Approve(), heard.visit, DUE).visit.state is State.APPROVED


@pytest.mark.parametrize(
    ("command", "veto", "words"),
    [
        (make.consult(), False, "Ministry of Interior is asked for its consent."),
        (make.consult(veto=True), True, "Ministry of Interior (with a veto) is asked for its consent."),
        (c.RecordAnswer(1, "consent", None), False, "Ministry of Interior consents."),
        (c.RecordAnswer(1, "object", "No."), True, "Ministry of Interior (with a veto) objects: No."),
        (EXPIRE, False, "Ministry of Interior kept silent, which counts as consent."),
        (EXPIRE, True, "Ministry of Interior (with a veto) has not answered and was reminded."),
    ],
)
def test_the_history_says_what_each_body_said(command, veto, words):
    visit = make.visit() if isinstance(command, c.Consult) else consulted(make.consultation(veto=veto))
    (event,) = decide(command, visit, DUE).events
    assert isinstance(event, ConsultationFacts)
    assert in_words(event) == words
