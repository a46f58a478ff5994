"""The life of a visit: every transition of the table, every forbidden pair, and what never happens."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.visits import (
    InformationRequested,
    ReportOverdue,
    RequestAmended,
    RequestApproved,
    RequestDeclined,
    RequestWithdrawn,
    VisitCancelled,
    VisitCompleted,
    VisitConfirmed,
    VisitReported,
)
from services.visits import commands as c
from services.visits.commands import Command
from services.visits.consultation import Status
from services.visits.consulting import NoSuchConsultation
from services.visits.domain import decide, submit
from services.visits.request import needs_of
from services.visits.transitions import (
    CONSULTING,
    FINAL,
    HOLDING,
    TRANSITIONS,
    WITH_PROGRAMME,
    Forbidden,
    State,
    table,
)
from services.visits.visit import Decision, Stale, Visit, deadlines
from tests.unit.visits import make

LATE = datetime(2027, 4, 1, tzinfo=UTC)
"""After every deadline of the factories."""

COMMANDS: dict[type[Command], Command] = {
    c.Amend: c.Amend(make.request(days=3)),
    c.AskInformation: c.AskInformation("Who comes?"),
    c.Consult: make.consult("Public Prosecution"),
    c.RecordAnswer: c.RecordAnswer(1, "consent", None),
    c.ExpireConsultations: c.ExpireConsultations(),
    c.Approve: c.Approve(),
    c.Decline: c.Decline("No room."),
    c.Withdraw: c.Withdraw("The minister is ill."),
    c.Cancel: c.Cancel("The Centre is closed."),
    c.Accept: c.Accept(1),
    c.Report: c.Report("All went well."),
    c.RecordProposal: c.RecordProposal(make.programme(release=2)),
    c.RecordRelease: c.RecordRelease(make.programme(release=2, firm=True)),
    c.RecordInfeasible: c.RecordInfeasible(1, (make.bilingual("No room"),), ()),
    c.RecordCancellation: c.RecordCancellation(1, 2, "Dropped."),
    c.ExpireProposal: c.ExpireProposal(),
    c.Begin: c.Begin(),
    c.Complete: c.Complete(30),
    c.ChaseReport: c.ChaseReport(),
}
PAIRS = [(state, kind) for state in State for kind in COMMANDS]
ALLOWED = {
    "submitted": "Amend AskInformation Consult RecordAnswer ExpireConsultations Approve Decline Withdraw"
    " Cancel RecordCancellation",
    "information_requested": "Amend AskInformation RecordAnswer ExpireConsultations Approve Decline Withdraw"
    " Cancel RecordCancellation",
    "approved": "Amend Withdraw Cancel RecordProposal RecordInfeasible RecordCancellation",
    "waitlisted": "Amend Approve Decline Withdraw Cancel RecordProposal RecordInfeasible RecordCancellation",
    "proposed": "Amend Withdraw Cancel Accept RecordProposal RecordRelease RecordInfeasible"
    " RecordCancellation ExpireProposal",
    "confirmed": "Amend Withdraw Cancel RecordProposal RecordRelease RecordInfeasible RecordCancellation"
    " Begin Complete",
    "in_progress": "Amend Withdraw Cancel RecordProposal RecordRelease Complete",
    "completed": "Report ChaseReport",
    "reported": "",
    "declined": "RecordCancellation",
    "withdrawn": "RecordCancellation",
    "cancelled": "RecordCancellation",
}
"""The table once more, by state, as the rules say it: the two have to agree."""


def command_for(state: State, kind: type[Command]) -> Command:
    """A command that nothing but the state can forbid."""
    if kind is c.Amend and state is State.IN_PROGRESS:
        return c.Amend(make.request(remarks="We bring flowers."))
    return COMMANDS[kind]


def visit_for(state: State, kind: type[Command]) -> Visit:
    """A visit about which nothing but its state can forbid the command."""
    if kind in (c.RecordAnswer, c.ExpireConsultations):
        return make.visit(state, consultations=(make.consultation(),))
    return make.visit(state)


def only_event(decision: Decision) -> Any:
    (event,) = decision.events
    return event


def possible(state: State, kind: type[Command]) -> bool:
    return kind.__name__ in ALLOWED[state].split()


def test_the_table_covers_every_command():
    assert TRANSITIONS.keys() == COMMANDS.keys()
    assert len(table()) == sum(len(words.split()) for words in ALLOWED.values())


@pytest.mark.parametrize(
    ("state", "kind"),
    [pair for pair in PAIRS if possible(*pair)],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_a_possible_command_leads_where_the_table_says(state, kind):
    decision = decide(command_for(state, kind), visit_for(state, kind), LATE)
    assert decision.visit.state in TRANSITIONS[kind][state]
    assert decision.visit.programme is not None or decision.visit.state not in WITH_PROGRAMME
    assert decision.visit.programme is None or decision.visit.state in WITH_PROGRAMME | HOLDING


@pytest.mark.parametrize(
    ("state", "kind"),
    [pair for pair in PAIRS if not possible(*pair)],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_every_other_command_is_refused_in_a_sentence(state, kind):
    with pytest.raises(Forbidden) as refusal:
        decide(command_for(state, kind), visit_for(state, kind), LATE)
    assert str(refusal.value).startswith(f"A visit that is {state.replace('_', ' ')} cannot be ")
    assert str(refusal.value).endswith(".")


def test_a_refusal_says_what_is_possible():
    with pytest.raises(
        Forbidden,
        match="it can be amended, asked about, put to another body, answered by a consulted body, approved,"
        " declined, withdrawn or cancelled",
    ):
        decide(c.Accept(1), make.visit(State.SUBMITTED), LATE)


@pytest.mark.parametrize(
    ("state", "kind", "event"),
    [
        (State.SUBMITTED, c.Amend, RequestAmended),
        (State.SUBMITTED, c.AskInformation, InformationRequested),
        (State.SUBMITTED, c.Approve, RequestApproved),
        (State.SUBMITTED, c.Decline, RequestDeclined),
        (State.APPROVED, c.Withdraw, RequestWithdrawn),
        (State.APPROVED, c.Cancel, VisitCancelled),
        (State.PROPOSED, c.Accept, VisitConfirmed),
        (State.PROPOSED, c.ExpireProposal, VisitCancelled),
        (State.IN_PROGRESS, c.Complete, VisitCompleted),
        (State.COMPLETED, c.ChaseReport, ReportOverdue),
        (State.COMPLETED, c.Report, VisitReported),
    ],
)
def test_a_command_is_told_by_its_event(state, kind, event):
    told = only_event(decide(COMMANDS[kind], make.visit(state), LATE))
    assert type(told) is event
    assert (told.reference, told.country, told.ministry) == (
        "V-2027-000001",
        "QA",
        "Ministry of Foreign Affairs",
    )
    assert told.people.focal_points[0].email == "focal@mofa.example"


@pytest.mark.parametrize(
    "kind", [c.RecordProposal, c.RecordRelease, c.RecordInfeasible, c.RecordCancellation, c.Begin]
)
def test_what_scheduling_told_is_not_told_again(kind):
    state = State.CONFIRMED
    assert decide(COMMANDS[kind], make.visit(state), LATE).events == ()


APPROVED_ONES = [State.APPROVED, State.WAITLISTED, State.PROPOSED, State.CONFIRMED]
HEAVY = [
    {"days": 3},
    {"themes": ["prosecution"]},
    {"sites": ["expat-protection-centre"]},
    {"windows": [{"first": "2027-02-01", "last": "2027-02-20"}]},
    {"blackout_dates": ["2027-01-26"]},
    {"size": 3, "members": [make.member(number) for number in range(3)]},
    {"members": [make.member(0, rank="minister"), make.member(1)]},
    {"languages": ["fr"]},
    {"access_needs": ["step-free"]},
    {"media": True},
    {"confidentiality_signed": True},
    {"kind": "expert"},
    {"subject": "Another subject"},
    {"ministry": "Another ministry"},
    {"funding": {"by": "host"}},
    {"members": [make.member(0), make.member(1, nationality="US")]},
    {"members": [make.member(0), make.member(1, name={"latin": "Someone Else", "arabic": "شخص آخر"})]},
]
LIGHT = [
    {"remarks": "We bring flowers."},
    {"focal_point": make.body()["focal_point"] | {"email": "new@mofa.example"}},
    {"members": [make.member(0), make.member(1, diet="vegan", consent=True)]},
    {"logistics": {"pickup": True}},
]


@pytest.mark.parametrize("change", HEAVY, ids=str)
@pytest.mark.parametrize("state", APPROVED_ONES)
def test_an_amendment_that_touches_what_was_approved_needs_approval(state, change):
    decision = decide(c.Amend(make.request(**change)), make.visit(state), make.NOW)
    assert decision.visit.state is State.SUBMITTED
    assert decision.visit.approvable == decision.visit.revision == 2
    assert only_event(decision).needs_approval


@pytest.mark.parametrize("change", LIGHT, ids=str)
@pytest.mark.parametrize("state", [*APPROVED_ONES, State.IN_PROGRESS])
def test_any_other_amendment_keeps_the_state_and_its_deadlines(state, change):
    before = make.visit(state)
    decision = decide(c.Amend(make.request(**change)), before, make.NOW)
    assert decision.visit.state is state
    assert (decision.visit.revision, decision.visit.approvable) == (2, 1)
    assert not only_event(decision).needs_approval
    assert decision.timers == {}
    assert decision.visit.programme == before.programme


def test_an_amendment_tells_what_changed_without_values():
    event = only_event(decide(c.Amend(make.request(days=3, subject="New")), make.visit(), make.NOW))
    assert event.changed == ("/subject", "/days")


def test_an_answer_to_a_question_brings_the_request_back():
    asked = decide(c.AskInformation("Who comes?"), make.visit(), make.NOW).visit
    assert asked.reason == "Who comes?"
    answered = decide(c.Amend(make.request(remarks="The director.")), asked, make.NOW).visit
    assert (answered.state, answered.reason) == (State.SUBMITTED, None)


def test_a_message_alone_answers_a_question_and_leaves_the_request_as_it_is():
    asked = decide(c.AskInformation("Who comes?"), make.visit(), make.NOW).visit
    decision = decide(c.Amend(asked.request, "The director."), asked, make.NOW)
    assert (decision.visit.state, decision.visit.revision, decision.visit.approvable) == (
        State.SUBMITTED,
        1,
        1,
    )
    event = only_event(decision)
    assert (event.changed, event.needs_approval, event.people.message) == ((), True, "The director.")


@pytest.mark.parametrize("state", [State.SUBMITTED, State.CONFIRMED])
def test_a_message_without_a_question_and_a_change_is_refused(state):
    visit = make.visit(state)
    with pytest.raises(Forbidden, match="none is open"):
        decide(c.Amend(visit.request, "By the way …"), visit, make.NOW)


@pytest.mark.parametrize("state", [State.PROPOSED, State.CONFIRMED])
def test_a_programme_is_held_while_an_amendment_is_decided(state):
    amended = decide(COMMANDS[c.Amend], make.visit(state), make.NOW).visit
    assert (amended.state, amended.is_held) == (State.SUBMITTED, True)
    asked = decide(c.AskInformation("Why?"), amended, make.NOW).visit
    approved = decide(c.Approve(), asked, make.NOW).visit
    assert approved.programme == make.visit(state).programme
    assert deadlines(approved) == {}
    planned = decide(c.RecordProposal(make.programme(release=3, revision=2)), approved, make.NOW).visit
    assert (planned.state, planned.is_held) == (State.PROPOSED, False)
    for ended in (c.Decline("No."), c.Withdraw("Ill."), c.Cancel("Flooded.")):
        assert decide(ended, amended, make.NOW).visit.programme is None


def test_a_held_programme_that_scheduling_drops_is_gone():
    approved = make.visit(State.APPROVED, programme=make.programme(release=2, firm=True))
    assert decide(c.RecordCancellation(1, 3, "No room."), approved, make.NOW).visit.programme is None
    with pytest.raises(Stale):
        decide(c.RecordCancellation(1, 1, "No room."), approved, make.NOW)


def test_a_programme_that_is_being_planned_cannot_be_accepted_yet():
    with pytest.raises(Forbidden, match="is being planned; accept it once the visit is proposed"):
        decide(c.Accept(1), make.visit(State.APPROVED), make.NOW)


def test_what_was_approved_cannot_be_changed_during_the_visit():
    with pytest.raises(Forbidden, match="in progress"):
        decide(COMMANDS[c.Amend], make.visit(State.IN_PROGRESS), make.NOW)


@pytest.mark.parametrize("state", [State.APPROVED, State.PROPOSED, State.CONFIRMED])
@pytest.mark.parametrize(
    "late",
    [
        c.RecordProposal(make.programme(revision=1, release=5)),
        c.RecordInfeasible(1, (make.bilingual("No room"),), ()),
    ],
    ids=["proposal", "infeasible"],
)
def test_news_about_a_revision_that_was_replaced_is_stale(state, late):
    visit = replace(make.visit(state), revision=3, approvable=2)
    with pytest.raises(Stale):
        decide(late, visit, make.NOW)


def test_a_light_amendment_does_not_make_a_proposal_stale():
    visit = replace(make.visit(State.APPROVED), revision=3, approvable=1)
    assert decide(c.RecordProposal(make.programme(revision=1)), visit, make.NOW).visit.state is State.PROPOSED


@pytest.mark.parametrize(
    "old",
    [
        c.RecordProposal(make.programme(release=2)),
        c.RecordRelease(make.programme(release=2, firm=True)),
        c.RecordCancellation(1, 2, "Dropped."),
    ],
    ids=["proposal", "release", "cancellation"],
)
def test_news_about_a_release_that_was_replaced_is_stale(old):
    visit = make.visit(State.CONFIRMED, programme=make.programme(release=3, firm=True))
    with pytest.raises(Stale):
        decide(old, visit, make.NOW)


def test_a_stale_release_cannot_be_accepted():
    visit = make.visit(State.PROPOSED, programme=make.programme(release=2))
    with pytest.raises(Forbidden, match="read and accept release 2"):
        decide(c.Accept(1), visit, make.NOW)
    assert decide(c.Accept(2), visit, make.NOW).visit.state is State.CONFIRMED


def test_an_unanswered_proposal_expires_and_not_a_moment_before():
    visit = make.visit(State.PROPOSED)
    with pytest.raises(Stale):
        decide(c.ExpireProposal(), visit, make.RESPOND_BY - timedelta(seconds=1))
    cancelled = decide(c.ExpireProposal(), visit, make.RESPOND_BY)
    assert cancelled.visit.state is State.CANCELLED
    assert (
        only_event(cancelled).people.reason == "The proposed programme was not answered by 2027-01-15 12:00."
    )


def test_a_visit_begins_and_ends_with_its_firm_programme():
    confirmed = decide(
        c.RecordRelease(make.programme(firm=True)), make.visit(State.CONFIRMED, programme=None), make.NOW
    )
    assert confirmed.timers == {"begin": make.STARTS, "complete": make.ENDS}
    with pytest.raises(Stale):
        decide(c.Begin(), confirmed.visit, make.STARTS - timedelta(seconds=1))
    begun = decide(c.Begin(), confirmed.visit, make.STARTS)
    assert begun.visit.state is State.IN_PROGRESS
    with pytest.raises(Stale):
        decide(c.Complete(30), begun.visit, make.ENDS - timedelta(seconds=1))
    completed = decide(c.Complete(30), begun.visit, make.ENDS)
    assert completed.visit.report_due == date(2027, 2, 25)
    assert only_event(completed).report_due == date(2027, 2, 25)
    # The report may arrive until the end of that day at the Centre, three hours before UTC.
    assert completed.timers == {"complete": None, "chase-report": datetime(2027, 2, 25, 21, tzinfo=UTC)}


def test_an_end_noticed_before_the_beginning_completes_the_visit():
    completed = decide(c.Complete(30), make.visit(State.CONFIRMED), make.ENDS)
    assert completed.visit.state is State.COMPLETED
    assert completed.timers["begin"] is None


def test_a_report_is_chased_when_it_is_overdue_and_weekly_from_then():
    visit = make.visit(State.COMPLETED)
    assert visit.chase_at
    with pytest.raises(Stale):
        decide(c.ChaseReport(), visit, visit.chase_at - timedelta(seconds=1))
    chased = decide(c.ChaseReport(), visit, visit.chase_at)
    assert chased.timers == {"chase-report": visit.chase_at + timedelta(days=7)}
    reported = decide(c.Report("All went well."), chased.visit, LATE)
    assert reported.timers == {"chase-report": None}


@pytest.mark.parametrize("kind", [c.Withdraw, c.Cancel, c.RecordInfeasible])
@pytest.mark.parametrize("state", [State.PROPOSED, State.CONFIRMED])
def test_whatever_ends_a_programme_drops_its_deadlines(kind, state):
    before = make.visit(state)
    decision = decide(COMMANDS[kind], before, make.NOW)
    assert decision.timers == dict.fromkeys(deadlines(before))
    assert decision.timers


def test_a_revised_programme_is_put_up_for_acceptance_again():
    confirmed = make.visit(State.CONFIRMED)
    revised = decide(c.RecordProposal(make.programme(release=2)), confirmed, make.NOW)
    assert revised.visit.state is State.PROPOSED
    assert revised.timers == {"begin": None, "complete": None, "expire-proposal": make.RESPOND_BY}


def test_a_change_on_the_day_moves_the_end():
    later = make.programme(
        release=2, slots=(make.slot("welcome", make.STARTS, make.ENDS + timedelta(hours=2)),)
    )
    decision = decide(c.RecordProposal(later), make.visit(State.IN_PROGRESS), make.STARTS)
    assert decision.visit.state is State.IN_PROGRESS
    assert decision.timers == {"complete": make.ENDS + timedelta(hours=2)}
    assert decide(c.Complete(30), decision.visit, LATE).visit.state is State.COMPLETED


def test_the_waiting_list_keeps_why_and_what_instead_until_it_is_left():
    waiting = decide(COMMANDS[c.RecordInfeasible], make.visit(State.APPROVED), make.NOW).visit
    assert waiting.advice
    assert waiting.advice.reasons[0].en == "No room"
    assert decide(c.Approve(), waiting, make.NOW).visit.advice is None


def test_a_submission_starts_at_revision_one():
    made = make.visit()
    decision = submit(
        id=made.id, reference=made.reference, client=made.client, country="QA", request=made.request
    )
    assert decision.visit == made
    event = only_event(decision)
    assert event.sender_reference == "MOFA/2027/1"
    assert event.needs == needs_of(made.request)
    assert [guest.role for guest in event.people.guests] == ["head", "member"]


@st.composite
def any_command(draw):
    number = st.integers(1, 4)
    release, revision = draw(number), draw(number)
    changes = draw(st.sampled_from([{"days": 1}, {"days": 2}, {"remarks": "a"}, {"remarks": "b"}]))
    return draw(
        st.sampled_from(
            [
                *(COMMANDS[kind] for kind in COMMANDS),
                c.Amend(make.request(**changes)),
                c.Accept(release),
                make.consult(draw(st.sampled_from(["A", "B"])), veto=draw(st.booleans()), days=release),
                c.RecordAnswer(release, "consent", None),
                c.RecordAnswer(release, "object", "No."),
                c.RecordProposal(make.programme(release, revision)),
                c.RecordRelease(make.programme(release, revision, firm=True)),
                c.RecordInfeasible(revision, (make.bilingual("No room"),), ()),
                c.RecordCancellation(revision, release, "Dropped."),
            ]
        )
    )


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.tuples(any_command(), st.integers(0, 14)), max_size=25),
    st.sampled_from(list(State)),
)
def test_no_sequence_of_commands_breaks_the_rules(steps, start):
    visit, now = make.visit(start), make.NOW
    running = deadlines(visit)
    for command, days in steps:
        now += timedelta(days=days)
        try:
            decision = decide(command, visit, now)
        except (Forbidden, Stale, NoSuchConsultation):
            continue
        after = decision.visit
        assert after.revision >= visit.revision
        assert after.approvable <= after.revision
        assert visit.state not in FINAL or (after.state is visit.state and not decision.events)
        assert after.programme is not None or after.state not in WITH_PROGRAMME
        assert after.programme is None or after.state in WITH_PROGRAMME | HOLDING
        assert (after.report_due is not None) == (after.state in (State.COMPLETED, State.REPORTED))
        assert (after.report is not None) == (after.state is State.REPORTED)
        assert after.advice is None or after.state is State.WAITLISTED
        assert all(event.revision == after.revision for event in decision.events)
        _check_consultations(command, after)
        running = _applied(running, decision)
        assert running == deadlines(after)
        visit = after


def _check_consultations(command: Command, visit: Visit) -> None:
    consultations = visit.consultations
    assert [each.number for each in consultations] == list(range(1, len(consultations) + 1))
    waiting = [each.body for each in consultations if each.open]
    assert len(waiting) == len(set(waiting))
    assert not waiting or visit.state in CONSULTING
    for each in consultations:
        assert each.open == (each.act_at is not None) == (each.ended_at is None)
        assert not (each.veto and each.status is Status.CONSENTED_BY_SILENCE)
    if isinstance(command, c.Approve):
        latest = {each.body: each for each in consultations}.values()
        assert not waiting
        assert all(each.status is Status.CONSENTED for each in latest if each.veto)
        assert all(each.revision >= visit.approvable for each in latest if each.veto)


def _applied(running: dict[str, datetime], decision: Decision) -> dict[str, datetime]:
    merged = {**running, **decision.timers}
    return {name: at for name, at in merged.items() if at is not None}
