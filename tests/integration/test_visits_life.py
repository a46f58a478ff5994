"""A visit's life in PostgreSQL: scheduling's news, the ministry's answer, and the deadlines in between."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from runtime.timers import Timers
from runtime.transaction import Transactions
from schemas.event import EventData, new_event
from schemas.scheduling import (
    Alternative,
    CancelledPeople,
    CentrePerson,
    ProgrammeCancelled,
    ProgrammeInfeasible,
    ProgrammePeople,
    ProgrammeProposed,
    ProgrammeReleased,
    ProgrammeRevised,
)
from schemas.terms import DateWindow, PersonName
from services.visits import commands as c
from services.visits import handlers, store
from services.visits.clients import Role, add_client
from services.visits.commands import Command
from services.visits.consultation import Status
from services.visits.orders import carry_out, submit_request
from services.visits.request import ministry_people
from services.visits.store import Author
from services.visits.transitions import Forbidden, State
from services.visits.visit import Visit
from tests.unit.visits import make


@dataclass
class Office:
    """The service without its edges, at a time that the test sets."""

    transactions: Transactions
    timers: Timers
    client: UUID
    id: UUID
    now: datetime

    async def order(self, command: Command) -> Visit:
        async with self.transactions() as tx:
            stored = await store.lock_visit(tx.connection, self.id, None)
            assert stored is not None
            return (await carry_out(tx, command, stored, Author(self.client))).visit

    async def tell(self, handler: Any, data: EventData) -> None:
        async with self.transactions() as tx:
            event = new_event(
                data, id=uuid4(), time=tx.now, subject=str(self.id), correlationid=uuid4(), causationid=None
            )
            await handler(tx, event)

    async def wait_until(self, now: datetime) -> None:
        self.now = now
        while await self.timers.fire_one():
            pass

    async def visit(self) -> Visit:
        async with self.transactions() as tx:
            stored = await store.read_visit(tx.connection, self.id, None)
        assert stored is not None
        return stored.visit

    async def fetch(self, query: str) -> list[asyncpg.Record]:
        async with self.transactions() as tx:
            return await tx.connection.fetch(query)

    async def told(self) -> list[str]:
        return [
            row["type"].split(".", 1)[1] for row in await self.fetch("SELECT type FROM outbox ORDER BY seq")
        ]


@pytest.fixture
async def office(transactions) -> Office:
    opened: Transactions = await transactions("visits")
    timers = Timers(opened, handlers.timers(report_days=30))
    made = Office(opened, timers, uuid4(), uuid4(), make.NOW)
    opened.now = lambda: made.now
    async with opened() as tx:
        await add_client(
            tx.connection, id=made.client, name="Qatar", country="QA", role=Role.MINISTRY, now=tx.now
        )
        made.id = (await submit_request(tx, make.request(), client=made.client, country="QA")).visit.id
    return made


def facts(visit: Visit, revision: int = 1) -> dict[str, Any]:
    return {
        "reference": visit.reference,
        "revision": revision,
        "country": "QA",
        "ministry": visit.request.ministry,
    }


def dropped(visit: Visit, reason: str, **changes: int) -> ProgrammeCancelled:
    facts = programme(visit, **changes)
    people = CancelledPeople(**dict(facts.pop("people")), reason=reason)
    return ProgrammeCancelled(**facts, people=people)


def programme(visit: Visit, release: int = 1, revision: int = 1) -> dict[str, Any]:
    host = CentrePerson(
        person="host-01",
        name=PersonName(latin="Host", arabic="مضيف"),
        email="host@centre.example",
        language="ar",
    )
    kept = make.programme(release, revision)
    return facts(visit, revision) | {
        "release": release,
        "time_zone": "Asia/Bahrain",
        "slots": kept.slots,
        "people": ProgrammePeople(focal_points=ministry_people(visit.request).focal_points, persons=(host,)),
    }


async def proposed(office: Office) -> Visit:
    await office.order(c.Approve())
    visit = await office.visit()
    await office.tell(
        handlers.record_proposal, ProgrammeProposed(**programme(visit), respond_by=make.RESPOND_BY)
    )
    return await office.visit()


async def confirmed(office: Office) -> Visit:
    visit = await proposed(office)
    await office.order(c.Accept(1))
    await office.tell(handlers.record_release, ProgrammeReleased(**programme(visit)))
    return await office.visit()


async def test_a_visit_lives_from_request_to_report(office):
    await confirmed(office)
    await office.wait_until(make.STARTS)
    assert (await office.visit()).state is State.IN_PROGRESS
    await office.wait_until(make.ENDS)
    assert (await office.visit()).state is State.COMPLETED
    await office.order(c.Report("All went well."))
    await office.wait_until(make.ENDS + timedelta(days=400))
    assert (await office.visit()).state is State.REPORTED
    assert await office.told() == [
        "request.submitted.v1",
        "request.approved.v1",
        "visit.confirmed.v1",
        "visit.completed.v1",
        "visit.reported.v1",
    ]
    history = await office.fetch("SELECT command, client_id FROM visit_history ORDER BY position")
    assert [row["command"] for row in history] == [
        "Submit", "Approve", "RecordProposal", "Accept", "RecordRelease", "Begin", "Complete", "Report",
    ]  # fmt: skip
    assert [row["client_id"] is None for row in history] == [
        False,
        False,
        True,
        False,
        True,
        True,
        True,
        False,
    ]


async def test_an_unanswered_proposal_expires_once(office):
    await proposed(office)
    await office.wait_until(make.RESPOND_BY - timedelta(seconds=1))
    assert (await office.visit()).state is State.PROPOSED
    await office.wait_until(make.RESPOND_BY)
    await office.wait_until(make.RESPOND_BY + timedelta(days=30))
    visit = await office.visit()
    assert visit.state is State.CANCELLED
    assert visit.reason is not None
    assert (await office.told()).count("visit.cancelled.v1") == 1


async def test_a_revised_programme_starts_the_clock_anew(office):
    visit = await confirmed(office)
    later = make.RESPOND_BY + timedelta(days=2)
    revised = ProgrammeRevised(
        **programme(visit, release=2),
        removed=(),
        changed=("welcome",),
        affected=("host-01",),
        respond_by=later,
    )
    await office.tell(handlers.record_proposal, revised)
    assert (await office.visit()).state is State.PROPOSED
    await office.wait_until(make.RESPOND_BY)
    assert (await office.visit()).state is State.PROPOSED
    await office.wait_until(later)
    assert (await office.visit()).state is State.CANCELLED


async def test_after_an_outage_a_visit_that_is_over_is_completed(office):
    await confirmed(office)
    await office.wait_until(make.ENDS + timedelta(days=3))
    assert (await office.visit()).state is State.COMPLETED
    assert (await office.fetch("SELECT name FROM timer"))[0]["name"] == "chase-report"


async def test_a_missing_report_is_chased_weekly(office):
    await confirmed(office)
    await office.wait_until(make.ENDS)
    due = (await office.visit()).chase_at
    assert due is not None
    await office.wait_until(due)
    await office.wait_until(due + timedelta(days=6))
    assert (await office.told()).count("visit.report_overdue.v1") == 1
    await office.wait_until(due + timedelta(days=7))
    assert (await office.told()).count("visit.report_overdue.v1") == 2


async def test_an_infeasible_visit_waits_with_reasons_and_alternatives(office):
    await office.order(c.Approve())
    visit = await office.visit()
    window = DateWindow(first=make.TODAY, last=make.TODAY)
    other = Alternative(
        window=window, first_day=make.TODAY, themes=("prosecution",), note=make.bilingual("One theme less")
    )
    infeasible = ProgrammeInfeasible(
        **facts(visit),
        reasons=(make.bilingual("No expert is free"),),
        alternatives=(other,),
        people=ministry_people(visit.request),
    )
    await office.tell(handlers.record_infeasible, infeasible)
    waiting = await office.visit()
    assert waiting.state is State.WAITLISTED
    assert waiting.advice is not None
    assert waiting.advice.alternatives == (other,)
    assert waiting.advice.reasons[0].en == "No expert is free"
    await office.order(c.Approve())
    assert (await office.visit()).advice is None


async def test_news_that_has_been_overtaken_changes_nothing(office):
    await office.order(c.Approve())
    visit = await office.visit()
    await office.order(c.Amend(make.request(days=1)))
    await office.order(c.Approve())
    before = await office.fetch("SELECT * FROM visit")
    late = ProgrammeProposed(**programme(visit, revision=1), respond_by=make.RESPOND_BY)
    await office.tell(handlers.record_proposal, late)
    assert await office.fetch("SELECT * FROM visit") == before
    assert await office.fetch("SELECT * FROM timer") == []


async def test_news_about_a_visit_that_was_withdrawn_changes_nothing(office):
    visit = await proposed(office)
    await office.order(c.Withdraw("The minister is ill."))
    before = await office.fetch("SELECT * FROM visit")
    await office.tell(
        handlers.record_cancellation,
        dropped(visit, "The request was withdrawn."),
    )
    await office.tell(handlers.record_release, ProgrammeReleased(**programme(visit)))
    assert await office.fetch("SELECT * FROM visit") == before
    assert before[0]["programme"] is None
    assert await office.fetch("SELECT * FROM timer") == []


async def test_a_programme_that_scheduling_drops_leaves_the_visit_waiting(office):
    visit = await confirmed(office)
    await office.tell(handlers.record_cancellation, dropped(visit, "The venue is flooded."))
    waiting = await office.visit()
    assert (waiting.state, waiting.reason, waiting.programme) == (
        State.WAITLISTED,
        "The venue is flooded.",
        None,
    )
    assert await office.fetch("SELECT * FROM timer") == []


async def test_a_body_that_keeps_silent_consents_at_its_deadline(office):
    await office.order(make.consult())
    due = make.NOW + timedelta(days=5)
    await office.wait_until(due - timedelta(seconds=1))
    with pytest.raises(Forbidden):
        await office.order(c.Approve())
    await office.wait_until(due)
    await office.wait_until(due + timedelta(days=30))
    (consultation,) = (await office.visit()).consultations
    assert (consultation.status, consultation.ended_at) == (Status.CONSENTED_BY_SILENCE, due)
    assert (await office.told())[1:] == ["consultation.opened.v1", "consultation.answered.v1"]
    await office.order(c.Approve())
    history = await office.fetch("SELECT command, client_id, reason FROM visit_history ORDER BY position")
    assert [(row["command"], row["client_id"] is None, row["reason"]) for row in history[1:]] == [
        ("Consult", False, "Ministry of Interior is asked for its consent."),
        ("ExpireConsultations", True, "Ministry of Interior kept silent, which counts as consent."),
        ("Approve", False, None),
    ]


async def test_a_silent_veto_is_chased_until_it_answers(office):
    await office.order(make.consult(veto=True))
    for days in (5, 7, 8, 11):
        await office.wait_until(make.NOW + timedelta(days=days))
    assert (await office.told()).count("consultation.overdue.v1") == 3
    await office.order(c.RecordAnswer(1, "consent", None))
    assert await office.fetch("SELECT * FROM timer") == []
    await office.order(c.Approve())
    assert (await office.visit()).state is State.APPROVED


async def test_consultations_are_kept_as_they_were_decided(office):
    await office.order(make.consult(contact_name=None, question=None, contact_language="ar"))
    await office.order(make.consult("Public Prosecution", veto=True, days=9))
    after = await office.order(c.RecordAnswer(2, "object", "Not in that week."))
    assert (await office.visit()).consultations == after.consultations
    amended = await office.order(c.Amend(make.request(days=1)))
    assert (await office.visit()).consultations == amended.consultations
    assert [each.status.value for each in amended.consultations] == ["closed", "objected", "open", "open"]


async def test_a_withdrawn_request_asks_nobody_any_more(office):
    await office.order(make.consult(veto=True))
    await office.order(c.Withdraw("The minister is ill."))
    assert await office.fetch("SELECT * FROM timer") == []
    await office.wait_until(make.NOW + timedelta(days=40))
    (consultation,) = (await office.visit()).consultations
    assert consultation.status is Status.CLOSED
    assert "consultation.overdue.v1" not in await office.told()


async def test_the_contact_of_a_body_stands_in_columns_of_its_own_and_in_the_events_people(office):
    await office.order(make.consult())
    await office.order(c.RecordAnswer(1, "consent", None))
    (row,) = await office.fetch("SELECT to_jsonb(consultation) AS row FROM consultation")
    apart = {name: row["row"].pop(name) for name in ("contact_name", "contact_email")}
    assert apart == {"contact_name": "Fatima Doseri", "contact_email": "visits@interior.example"}
    events = await office.fetch("SELECT payload FROM outbox WHERE type LIKE 'visits.consultation.%'")
    assert len(events) == 2
    for written in (row["row"], *(json.loads(event["payload"]) for event in events)):
        if "data" in written:
            assert written["data"].pop("people")["contact"]["email"] == "visits@interior.example"
        for personal in ("Fatima", "interior.example"):
            assert personal not in json.dumps(written)


async def test_the_addresses_of_the_centres_people_are_not_kept(office):
    await proposed(office)
    (row,) = await office.fetch(
        "SELECT visit::text, visit_people::text FROM visit JOIN visit_people ON visit_id = id"
    )
    assert "host@centre.example" not in row["visit"] + row["visit_people"]
    assert "مضيف" not in row["visit"]
    programme = (await office.visit()).programme
    assert programme is not None
    assert programme.persons[0].name.arabic == "مضيف"


async def test_only_a_newer_catalogue_is_kept(office):
    for revision in (2, 3, 1):
        await office.tell(handlers.keep_catalogue, make.catalogue(revision))
    async with office.transactions() as tx:
        kept = await store.read_catalogue(tx.connection)
    assert kept == make.catalogue(3)


@pytest.mark.parametrize(
    "change",
    [
        "state = 'proposed'",
        "state = 'gone'",
        "revision = 0",
        "approvable = 2",
        "state = 'reported'",
        "state = 'withdrawn'",
        "reference = 'X'",
        """request = request || '{"members": []}'""",
        "report = 'A report before the visit'",
        "state = 'declined', reason = 'Closed.', programme = '{}'",
        "state = 'waitlisted', programme = '{}'",
    ],
)
async def test_the_database_refuses_what_cannot_be(office, change):
    with pytest.raises(asyncpg.CheckViolationError):
        await office.fetch(f"UPDATE visit SET {change}")  # noqa: S608 -- literals above


@pytest.mark.parametrize(
    "change",
    [
        "status = 'gone', act_at = NULL, ended_at = respond_by",
        "status = 'consented'",
        "act_at = NULL",
        "ended_at = opened_at",
        "act_at = opened_at",
        "respond_by = opened_at",
        "reason = 'A reason without an answer'",
        "days = 31",
        "number = 0",
        "revision = 0",
        "body = ''",
        "contact_name = ''",
        "question = ''",
        "status = 'consented', act_at = NULL, ended_at = respond_by, reason = ''",
        "contact_email = 'nowhere'",
        "contact_language = 'fr'",
        "status = 'objected', act_at = NULL, ended_at = respond_by",
        "status = 'consented', act_at = NULL, ended_at = opened_at - interval '1 s'",
        "status = 'closed', act_at = NULL, ended_at = respond_by, reason = 'Closed things have none'",
        "status = 'consented_by_silence', act_at = NULL, ended_at = respond_by - interval '1 s'",
        "veto = true, status = 'consented_by_silence', act_at = NULL, ended_at = respond_by",
    ],
)
async def test_the_database_refuses_a_consultation_that_cannot_be(office, change):
    await office.order(make.consult())
    with pytest.raises(asyncpg.CheckViolationError):
        await office.fetch(f"UPDATE consultation SET {change}")  # noqa: S608 -- literals above


async def test_the_database_refuses_a_second_open_consultation_of_a_body(office):
    await office.order(make.consult())
    await office.order(make.consult("Public Prosecution"))
    with pytest.raises(asyncpg.UniqueViolationError):
        await office.fetch("UPDATE consultation SET body = 'Ministry of Interior'")
