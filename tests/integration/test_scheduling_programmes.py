"""Scheduling with a real database: plans, releases, cancellations and what is booked."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from benchmarks.programmes.verifier import complaints
from runtime.transaction import Transaction
from schemas.event import EventData
from schemas.scheduling import (
    CataloguePublished,
    ProgrammeCancelled,
    ProgrammeInfeasible,
    ProgrammePeople,
    ProgrammeProposed,
    ProgrammeReleased,
    ProgrammeRevised,
)
from schemas.visits import (
    RequestAmended,
    RequestApproved,
    RequestDeclined,
    RequestWithdrawn,
    VisitCancelled,
    VisitConfirmed,
)
from services.scheduling import store
from services.scheduling.app import publish_catalogue
from services.scheduling.calendar import Booked, Interval
from services.scheduling.centre import Centre
from services.scheduling.explain import solve
from services.scheduling.planning import Contested, Office, Task
from services.scheduling.problem import Problem, Solution
from services.scheduling.publishing import respond_by
from services.scheduling.store import Visit
from tests.conftest import OpenTransactions
from tests.integration.planning_desk import Desk, InThisProcess, fire, propose
from tests.unit.scheduling.factories import CENTRE, NOW, needs, problem


@pytest.fixture
async def desk(transactions: OpenTransactions) -> Desk:
    opened = replace(await transactions("scheduling"), now=lambda: NOW)
    solver = InThisProcess()
    return Desk(opened, solver, Office(CENTRE, solver, seconds=20, answer_days=7))


@pytest.fixture
async def visit() -> UUID:
    return uuid4()


async def test_an_approved_request_is_planned_at_once(desk: Desk, visit: UUID):
    await desk.hear(RequestApproved, visit)
    assert await desk.timers() == {str(visit)}
    assert await desk.state(visit) == "wanted"


async def test_a_planned_visit_is_proposed_and_its_people_and_places_are_held(desk: Desk, visit: UUID):
    programme = await propose(desk, visit)
    assert isinstance(programme, ProgrammeProposed)
    assert (programme.release, programme.revision) == (1, 1)
    assert programme.respond_by.isoformat() == "2026-11-30T09:00:00+00:00"
    assert complaints(problem(), programme.slots) == []
    expected = {(slot.key, f"visit:{visit}") for slot in programme.slots}
    expected |= {(slot.key, f"venue:{slot.place.code}") for slot in programme.slots}
    expected |= {(slot.key, f"person:{one.person}") for slot in programme.slots for one in slot.assignments}
    assert await desk.booked(visit) == expected
    assert await desk.state(visit) == "proposed"


async def test_a_proposal_tells_whom_to_write_to_and_nobody_else(desk: Desk, visit: UUID):
    programme = await propose(desk, visit)
    assert programme.people.focal_points[0].email == "amal@mfa.example"
    parts = {one.person for slot in programme.slots for one in slot.assignments}
    assert {person.person for person in programme.people.persons} == parts


async def test_a_visit_that_is_proposed_is_not_planned_again(desk: Desk, visit: UUID):
    await propose(desk, visit)
    await desk.plan(visit)
    assert len(await desk.emitted()) == 1


async def test_a_stale_approval_changes_nothing(desk: Desk, visit: UUID):
    await propose(desk, visit, revision=2)
    await desk.hear(RequestApproved, visit, revision=1, days=3)
    await desk.plan(visit)
    assert await desk.state(visit) == "proposed"
    assert len(await desk.emitted()) == 1


async def test_two_visits_never_share_a_person_or_venue(desk: Desk):
    visits = [uuid4() for _ in range(4)]
    programmes = [await propose(desk, one) for one in visits]
    busy: dict[str, tuple[Interval, ...]] = {}
    for programme in programmes:
        assert complaints(problem(busy=busy), programme.slots) == []
        for slot in programme.slots:
            for resource in (
                f"venue:{slot.place.code}",
                *(f"person:{one.person}" for one in slot.assignments),
            ):
                busy[resource] = (*busy.get(resource, ()), Interval(slot.starts, slot.ends))


async def test_a_second_visit_that_was_faster_makes_the_first_plan_anew(desk: Desk, visit: UUID):
    other = uuid4()
    await desk.hear(RequestApproved, visit)
    await desk.hear(RequestApproved, other)
    desk.solver.meanwhile.append(lambda: desk.plan(other))
    await desk.plan(visit)
    assert [await desk.state(one) for one in (visit, other)] == ["proposed", "proposed"]
    assert len(desk.solver.asked) == 3
    assert desk.solver.asked[0].busy == {}
    assert "venue:shelter" in desk.solver.asked[2].busy


async def test_a_plan_that_stays_contested_is_left_to_a_later_try(desk: Desk, visit: UUID):
    others = [uuid4() for _ in range(4)]
    for one in (visit, *others):
        await desk.hear(RequestApproved, one, windows=[{"first": "2027-01-03", "last": "2027-02-04"}])
    bookings: list[Sequence[tuple[str, str]]] = []

    async def take_everything() -> None:
        held = await store_of(desk, others[len(bookings)])
        bookings.append(held)

    desk.solver.meanwhile += [take_everything] * 4
    with pytest.raises(Contested):
        await desk.plan(visit)
    assert await desk.booked(visit) == set()
    assert await desk.state(visit) == "wanted"


async def store_of(desk: Desk, other: UUID) -> Sequence[tuple[str, str]]:
    """Books for another visit exactly what the last problem asked for would be given."""
    outcome = solve(desk.solver.asked[-1])
    assert isinstance(outcome, Solution)
    async with desk.transactions() as tx:
        await store.book(tx.connection, other, 1, outcome.slots)
    return sorted(await desk.booked(other))


async def test_a_plan_of_what_was_withdrawn_meanwhile_is_dropped(desk: Desk, visit: UUID):
    await desk.hear(RequestApproved, visit)
    desk.solver.meanwhile.append(lambda: desk.hear(RequestWithdrawn, visit, reason="Elections"))
    await desk.plan(visit)
    assert await desk.emitted() == []
    assert await desk.booked(visit) == set()
    assert await desk.state(visit) == "cancelled"


async def test_a_confirmed_programme_is_released_as_it_is(desk: Desk, visit: UUID):
    proposed = await propose(desk, visit)
    await desk.hear(VisitConfirmed, visit, release=1)
    released = (await desk.emitted())[-1]
    assert isinstance(released, ProgrammeReleased)
    assert (released.release, released.slots, released.people) == (2, proposed.slots, proposed.people)
    assert await desk.state(visit) == "released"
    assert await desk.booked(visit)


@pytest.mark.parametrize("release", [2, 7])
async def test_a_confirmation_of_another_release_is_ignored(desk: Desk, visit: UUID, release: int):
    await propose(desk, visit)
    await desk.hear(VisitConfirmed, visit, release=release)
    assert await desk.state(visit) == "proposed"
    assert len(await desk.emitted()) == 1


async def test_a_programme_is_confirmed_once(desk: Desk, visit: UUID):
    await propose(desk, visit)
    await desk.hear(VisitConfirmed, visit, release=1)
    await desk.hear(VisitConfirmed, visit, release=2)
    assert [one.TYPE for one in await desk.emitted()] == [ProgrammeProposed.TYPE, ProgrammeReleased.TYPE]


async def test_an_amendment_under_approval_keeps_the_programme_and_stops_planning(desk: Desk, visit: UUID):
    await propose(desk, visit)
    before = await desk.booked(visit)
    await desk.hear(
        RequestAmended, visit, revision=2, changed=["/needs/days"], needs_approval=True, needs=needs(days=3)
    )
    assert await desk.booked(visit) == before
    assert await desk.timers() == set()


async def test_a_request_amended_before_its_plan_waits_for_the_new_approval(desk: Desk, visit: UUID):
    await desk.hear(RequestApproved, visit)
    await desk.hear(
        RequestAmended, visit, revision=2, changed=["/needs/days"], needs_approval=True, needs=needs(days=3)
    )
    await desk.plan(visit)
    assert await desk.emitted() == []
    await desk.hear(RequestApproved, visit, revision=2, days=3)
    await desk.plan(visit)
    programme = (await desk.emitted())[-1]
    assert (programme.revision, programme.release) == (2, 1)


async def test_an_amendment_that_needs_no_approval_holds_at_once(desk: Desk, visit: UUID):
    await desk.hear(RequestApproved, visit)
    await desk.hear(
        RequestAmended, visit, revision=2, changed=["/people"], needs_approval=False, needs=needs(size=5)
    )
    await desk.plan(visit)
    programme = (await desk.emitted())[-1]
    assert programme.revision == 2
    assert desk.solver.asked[0].needs.size == 5


async def test_a_changed_request_revises_its_programme_and_names_what_changed(desk: Desk, visit: UUID):
    first = await propose(desk, visit)
    revised = await propose(desk, visit, revision=2, themes=["victim-identification"])
    assert isinstance(revised, ProgrammeRevised)
    assert (revised.release, revised.revision) == (2, 2)
    assert [slot.key for slot in revised.removed] == ["briefing-national-referral-mechanism"]
    old = {slot.key: slot for slot in first.slots}
    assert set(revised.changed) == {slot.key for slot in revised.slots if old.get(slot.key) != slot}
    named = {person.person for person in revised.people.persons}
    assert set(revised.affected) <= named
    assert "briefing-national-referral-mechanism" not in {key for key, _ in await desk.booked(visit)}


async def test_a_visit_is_not_in_the_way_of_its_own_new_programme(desk: Desk, visit: UUID):
    await propose(desk, visit)
    await propose(desk, visit, revision=2)
    assert desk.solver.asked[-1].busy == {}


@pytest.mark.parametrize("kind", [RequestDeclined, RequestWithdrawn, VisitCancelled])
async def test_what_is_called_off_gives_everything_back(desk: Desk, visit: UUID, kind: type[EventData]):
    proposed = await propose(desk, visit)
    await desk.hear(kind, visit, reason="Why come=? Two\nlines")
    cancelled = (await desk.emitted())[-1]
    assert isinstance(cancelled, ProgrammeCancelled)
    assert (cancelled.release, cancelled.slots, cancelled.people.reason) == (
        2,
        proposed.slots,
        "Why come=? Two\nlines",
    )
    assert ProgrammePeople(**cancelled.people.model_dump()) == proposed.people
    assert await desk.booked(visit) == set()
    assert await desk.state(visit) == "cancelled"


async def test_calling_off_what_has_no_programme_tells_nobody(desk: Desk, visit: UUID):
    await desk.hear(RequestDeclined, visit, reason="No")
    await desk.hear(RequestApproved, visit)
    await desk.hear(RequestWithdrawn, visit, reason="No")
    await desk.plan(visit)
    assert await desk.emitted() == []
    assert await desk.timers() == set()


async def test_an_infeasible_request_is_told_with_reasons_and_alternatives(desk: Desk, visit: UUID):
    told_ = await propose(desk, visit, windows=[{"first": "2027-03-10", "last": "2027-03-13"}])
    assert isinstance(told_, ProgrammeInfeasible)
    assert "Eid al-Fitr" in told_.reasons[0].en
    assert told_.alternatives
    assert await desk.state(visit) == "infeasible"


async def test_a_programme_that_became_infeasible_is_called_off_too(desk: Desk, visit: UUID):
    await propose(desk, visit)
    await propose(desk, visit, revision=2, size=50)
    assert [type(one) for one in await desk.emitted()][1:] == [ProgrammeCancelled, ProgrammeInfeasible]
    assert await desk.booked(visit) == set()


async def test_a_programme_found_after_an_infeasible_one_is_a_new_proposal(desk: Desk, visit: UUID):
    await propose(desk, visit)
    await propose(desk, visit, revision=2, size=50)
    again = await propose(desk, visit, revision=3)
    assert isinstance(again, ProgrammeProposed)
    assert again.release == 3


async def test_a_visit_that_nobody_approved_is_not_planned(desk: Desk, visit: UUID):
    await desk.plan(visit)
    assert desk.solver.asked == []


async def test_the_database_refuses_a_double_booking(desk: Desk):
    visits = [uuid4(), uuid4()]
    for one in visits:
        await desk.hear(RequestApproved, one)
    programme = solve(Problem(CENTRE, needs(), {}, NOW, 20))
    assert isinstance(programme, Solution)
    async with desk.transactions() as tx:
        await store.book(tx.connection, visits[0], 1, programme.slots)
    with pytest.raises(asyncpg.ExclusionViolationError):
        async with desk.transactions() as tx:
            await store.book(tx.connection, visits[1], 1, programme.slots)


async def test_planners_that_book_the_same_at_once_do_not_deadlock(desk: Desk):
    visits = [uuid4() for _ in range(6)]
    for one in visits:
        await desk.hear(RequestApproved, one)
    programme = solve(Problem(CENTRE, needs(), {}, NOW, 20))
    assert isinstance(programme, Solution)

    async def book(visit: UUID, slots: Any) -> bool:
        try:
            async with desk.transactions() as tx:
                await store.book(tx.connection, visit, 1, slots)
        except asyncpg.ExclusionViolationError:
            return False
        return True

    orders = [programme.slots if number % 2 else programme.slots[::-1] for number in range(len(visits))]
    results = await asyncio.gather(*(book(one, slots) for one, slots in zip(visits, orders, strict=True)))
    assert sum(results) == 1


async def test_the_catalogue_is_published_at_every_start_under_one_revision_a_state(desk: Desk):
    async def load(centre: Any) -> None:
        async with desk.transactions() as tx:
            await publish_catalogue(tx, centre)

    await asyncio.gather(load(CENTRE), load(CENTRE), load(CENTRE))
    smaller = CENTRE.model_copy(update={"themes": CENTRE.themes[1:]})
    await load(smaller)
    await load(smaller)
    await load(CENTRE)
    published = await desk.emitted()
    assert all(isinstance(one, CataloguePublished) for one in published)
    whole, less = len(CENTRE.themes), len(CENTRE.themes) - 1
    assert [(one.revision, len(one.themes)) for one in published] == [
        *[(1, whole)] * 3, *[(2, less)] * 2, (3, whole),
    ]  # fmt: skip
    assert published[0].largest_venue == 40
    shelter = next(site for site in published[0].sites if site.code == "shelter")
    assert (shelter.group_cap, shelter.media_allowed, shelter.confidentiality_required) == (8, False, True)


async def test_only_the_newest_master_data_are_kept_since_they_name_people(desk: Desk):
    for centre in (CENTRE, CENTRE.model_copy(update={"themes": CENTRE.themes[1:]})):
        async with desk.transactions() as tx:
            await publish_catalogue(tx, centre)
    rows = await desk.rows("SELECT revision, content_hash, master_data FROM centre ORDER BY revision")
    assert [(row["revision"], row["master_data"] is None) for row in rows] == [(1, True), (2, False)]
    assert rows[0]["content_hash"] == CENTRE.content_hash


async def test_the_centre_counts_as_loaded_only_in_its_newest_state(desk: Desk):
    async with desk.transactions() as tx:
        assert not await store.has_centre(tx.connection, CENTRE.content_hash)
        await publish_catalogue(tx, CENTRE)
        assert await store.has_centre(tx.connection, CENTRE.content_hash)
        assert not await store.has_centre(tx.connection, "another")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE visit SET state = 'released', slots = '[]'",
        "UPDATE visit SET state = 'cancelled'",
        "UPDATE visit SET state = 'dreaming'",
        "UPDATE visit SET latest_revision = 0",
        "UPDATE booking SET during = 'empty'",
        "UPDATE booking SET during = tstzrange(lower(during), NULL)",
        "UPDATE booking SET resource = 'car:1'",
    ],
)
async def test_the_database_refuses_what_cannot_be(desk: Desk, visit: UUID, statement: str):
    await propose(desk, visit)
    with pytest.raises(asyncpg.CheckViolationError):
        await desk.rows(statement)


async def test_busy_times_are_those_of_others_within_the_span(desk: Desk, visit: UUID):
    programme = await propose(desk, visit)
    first = programme.slots[0]
    async with desk.transactions() as tx:
        around = Interval(first.starts, first.ends)
        mine = await store.busy(tx.connection, visit, around)
        others = await store.busy(tx.connection, uuid4(), around)
        later = await store.busy(
            tx.connection,
            uuid4(),
            Interval(datetime(2028, 1, 1, tzinfo=UTC), datetime(2028, 1, 2, tzinfo=UTC)),
        )
    assert mine == {}
    assert others[f"venue:{first.place.code}"] == (Booked(first.starts, first.ends, first.place.code),)
    assert later == {}


async def test_an_approval_that_arrives_while_its_visit_is_planned_does_not_wait_and_is_planned(
    desk: Desk, visit: UUID
):
    async def approve_again() -> None:
        await desk.hear(RequestApproved, visit, revision=2, days=3)

    await desk.hear(RequestApproved, visit)
    desk.solver.meanwhile.append(approve_again)
    await fire(desk)
    assert [(one.revision, one.release) for one in await desk.emitted()] == [(2, 1)]
    assert await desk.timers() == set()


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (RequestApproved, {"revision": 2}),
        (RequestAmended, {"revision": 2, "changed": ["/needs"], "needs_approval": True, "needs": needs()}),
        (RequestWithdrawn, {"reason": "Elections"}),
    ],
)
async def test_an_event_that_arrives_while_a_plan_is_booked_does_not_deadlock(
    desk: Desk, visit: UUID, monkeypatch: pytest.MonkeyPatch, kind: type[EventData], data: dict[str, Any]
):
    hearing: list[asyncio.Task[None]] = []

    async def book_slowly(*arguments: Any) -> None:
        if not hearing:
            hearing.append(asyncio.create_task(desk.hear(kind, visit, **data)))
            await asyncio.sleep(0.2)
        await book(*arguments)

    book = store.book
    monkeypatch.setattr(store, "book", book_slowly)
    await desk.hear(RequestApproved, visit)
    await fire(desk)
    await asyncio.gather(*hearing)
    assert isinstance((await desk.emitted())[0], ProgrammeProposed)
    failed = await desk.rows("SELECT last_error FROM timer WHERE last_error IS NOT NULL")
    assert failed == []


WITHOUT_SHELTER = CENTRE.model_copy(
    update={"venues": tuple(venue for venue in CENTRE.venues if venue.code != "shelter")}
)


def working_for(desk: Desk, centre: Centre) -> Desk:
    return replace(desk, office=replace(desk.office, centre=centre))


async def test_a_visit_on_the_waiting_list_is_planned_anew_when_it_is_approved_again(desk: Desk, visit: UUID):
    assert isinstance(await propose(working_for(desk, WITHOUT_SHELTER), visit), ProgrammeInfeasible)
    programme = await propose(desk, visit)
    assert isinstance(programme, ProgrammeProposed)
    assert (programme.revision, programme.release) == (1, 1)


async def test_a_visit_whose_programme_was_called_off_is_planned_anew_when_it_is_approved_again(
    desk: Desk, visit: UUID
):
    await propose(desk, visit)
    await propose(working_for(desk, WITHOUT_SHELTER), visit, revision=2)
    programme = await propose(desk, visit, revision=2)
    assert isinstance(programme, ProgrammeProposed)
    assert (programme.revision, programme.release) == (2, 3)


async def test_a_visit_that_was_lightly_amended_on_the_waiting_list_is_planned_when_it_is_approved(
    desk: Desk, visit: UUID
):
    await propose(working_for(desk, WITHOUT_SHELTER), visit)
    await desk.hear(
        RequestAmended, visit, revision=2, changed=["/people"], needs_approval=False, needs=needs()
    )
    programme = await propose(desk, visit, revision=2)
    assert isinstance(programme, ProgrammeProposed)
    assert programme.revision == 2


@pytest.mark.parametrize("revision", [1, 2])
async def test_an_approval_that_is_known_or_overtaken_changes_nothing(desk: Desk, visit: UUID, revision: int):
    await desk.hear(RequestApproved, visit, revision=2)
    await fire(desk)
    await desk.hear(RequestApproved, visit, revision=revision, days=3)
    assert await desk.timers() == set()
    assert await desk.state(visit) == "proposed"


async def test_an_approval_of_a_cancelled_visit_does_not_bring_it_back(desk: Desk, visit: UUID):
    await propose(desk, visit)
    await desk.hear(VisitCancelled, visit, reason="No")
    await desk.hear(RequestApproved, visit)
    assert await desk.state(visit) == "cancelled"
    assert await desk.timers() == set()


async def test_an_answer_is_due_before_the_visit_begins(desk: Desk, visit: UUID):
    soon = [{"first": "2026-11-25", "last": "2026-11-25"}]
    programme = await propose(desk, visit, windows=soon, days=1)
    assert programme.respond_by == programme.slots[0].starts < NOW + timedelta(days=7)


async def test_an_answer_is_never_due_in_the_past(desk: Desk, visit: UUID):
    programme = await propose(desk, visit)
    over = programme.slots[-1].ends
    assert respond_by(over, 7, programme.slots) == over


async def test_what_a_contested_plan_told_is_taken_back(
    desk: Desk, visit: UUID, monkeypatch: pytest.MonkeyPatch
):
    class Hasty(Office):
        async def _hold(self, tx: Transaction, visit: Visit, found: Solution, task: Task) -> None:
            await super()._hold(tx, visit, found, task)
            if len(desk.solver.asked) == 1:
                raise asyncpg.ExclusionViolationError

    desk.office = Hasty(CENTRE, desk.solver, seconds=20, answer_days=7)
    await propose(desk, visit)
    assert [(one.revision, one.release) for one in await desk.emitted()] == [(1, 1)]


async def test_a_contested_plan_that_took_its_time_is_left_to_a_later_try(desk: Desk, visit: UUID):
    times = iter([0.0, 20.0])
    office = replace(desk.office, clock=lambda: next(times))
    await desk.hear(RequestApproved, visit)
    desk.solver.meanwhile.append(lambda: desk.hear(RequestApproved, visit, revision=2))
    with pytest.raises(Contested):
        async with desk.transactions() as tx:
            await office.propose_programme(tx, str(visit))
    assert len(desk.solver.asked) == 1


def without(person: str) -> Centre:
    return CENTRE.model_copy(update={"people": tuple(one for one in CENTRE.people if one.code != person)})


async def test_who_left_the_centre_after_an_invitation_is_still_known_when_it_is_called_off(
    desk: Desk, visit: UUID
):
    proposed = await propose(desk, visit)
    gone = proposed.slots[1].assignments[0].person
    later = working_for(desk, without(gone))
    await later.hear(VisitConfirmed, visit, release=1)
    await later.hear(VisitCancelled, visit, reason="No")
    released, cancelled = (await desk.emitted())[1:]
    assert released.people == proposed.people
    assert cancelled.people.persons == proposed.people.persons
    assert gone in {one.person for one in cancelled.people.persons}


async def test_who_left_the_centre_after_an_invitation_is_still_known_when_the_programme_is_revised(
    desk: Desk, visit: UUID
):
    proposed = await propose(desk, visit)
    gone = proposed.slots[1].assignments[0].person
    revised = await propose(working_for(desk, without(gone)), visit, revision=2)
    assert isinstance(revised, ProgrammeRevised)
    assert gone in revised.affected
    known = {one.person: one for one in proposed.people.persons}
    assert known[gone] in revised.people.persons


async def test_who_has_a_part_is_kept_only_as_long_as_the_programme_is_held(desk: Desk, visit: UUID):
    await propose(desk, visit)
    query = "SELECT people -> 'persons' AS persons FROM visit"
    assert (await desk.rows(query))[0]["persons"]
    await desk.hear(VisitCancelled, visit, reason="No")
    assert (await desk.rows(query))[0]["persons"] == []
