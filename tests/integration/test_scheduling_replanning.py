"""Replanning with a real database and solver: blocks, late flights, master data, pins, moves, who waits."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from benchmarks.programmes.verifier import complaints
from schemas.eventlog import OperatorActed
from schemas.scheduling import (
    ProgrammeCancelled,
    ProgrammeInfeasible,
    ProgrammeProposed,
    ProgrammeReleased,
    ProgrammeRevised,
    Slot,
)
from schemas.visits import RequestAmended, RequestApproved, RequestWithdrawn, VisitConfirmed
from services.scheduling import archive, blocking, orders, store
from services.scheduling.app import publish_catalogue
from services.scheduling.calendar import Interval
from services.scheduling.centre import Centre
from services.scheduling.disruptions import Block
from services.scheduling.planning import Office
from services.scheduling.problem import Problem, Wish
from services.scheduling.releases import Release
from services.scheduling.waiting import waiting_list
from tests.conftest import OpenTransactions
from tests.integration.planning_desk import Desk, InThisProcess, fire, propose
from tests.unit.scheduling.factories import CENTRE, NOW, needs, problem
from tests.unit.scheduling.held import at

WEEK = Interval(at(1, 0), at(31, 0))
OFFICER = "Huda"


@pytest.fixture
async def desk(transactions: OpenTransactions) -> Desk:
    opened = replace(await transactions("scheduling"), now=lambda: NOW)
    made = Desk(opened, InThisProcess(), Office(CENTRE, InThisProcess(), seconds=20, answer_days=7))
    made = replace(made, office=replace(made.office, solver=made.solver))
    async with made.transactions() as tx:
        await publish_catalogue(tx, CENTRE)
        await tx.connection.execute("DELETE FROM timer")
        await tx.connection.execute("DELETE FROM unpublished")
    return made


@pytest.fixture
async def visit() -> UUID:
    return uuid4()


async def block(desk: Desk, resource: str, span: Interval = WEEK) -> tuple[Block, tuple[str, ...]]:
    """Add a block, without what follows from it."""
    async with desk.transactions() as tx:
        added = Block(uuid4(), resource, span, "a reason", OFFICER)
        return added, await orders.add_block(tx, desk.office.centre, added)


async def lift(desk: Desk, block: Block) -> None:
    async with desk.transactions() as tx:
        await orders.lift_block(tx, block.id, OFFICER)


async def told(desk: Desk) -> list[Any]:
    """What scheduling told of visits, in order."""
    return [one for one in await desk.emitted() if hasattr(one, "revision") and hasattr(one, "ministry")]


async def firm(desk: Desk, visit: UUID) -> Any:
    """A firm programme."""
    proposed = await propose(desk, visit)
    await desk.hear(VisitConfirmed, visit, release=1)
    return proposed


async def kept_releases(desk: Desk, visit: UUID) -> tuple[Release, ...]:
    async with desk.transactions() as tx:
        return await archive.releases(tx.connection, visit)


def later(desk: Desk, now: datetime) -> Desk:
    """The same desk at another time."""
    return replace(desk, transactions=replace(desk.transactions, now=lambda: now))


def people_of(slot: Slot) -> set[str]:
    return {one.person for one in slot.assignments}


def outline(slot: Slot) -> tuple[object, ...]:
    return slot.key, slot.starts, slot.ends, slot.place.code, frozenset(people_of(slot))


async def test_an_ill_person_is_replaced_and_nothing_else_changes(desk: Desk, visit: UUID):
    first = await firm(desk, visit)
    ill = first.slots[1].assignments[0].person
    _, hit = await block(desk, f"person:{ill}")
    await fire(desk)
    revised = (await told(desk))[-1]
    assert isinstance(revised, ProgrammeRevised)
    assert hit == (revised.reference,)
    assert complaints(problem(busy={f"person:{ill}": (WEEK,)}), revised.slots) == []
    touched = {slot.key for slot in first.slots if ill in people_of(slot)}
    assert set(revised.changed) == touched
    before, after = ({slot.key: outline(slot) for slot in one.slots} for one in (first, revised))
    assert {key for key in before if before[key] != after[key]} == touched
    assert ill in revised.affected
    new = {code for slot in revised.slots if slot.key in touched for code in people_of(slot)}
    assert set(revised.affected) <= {ill, *new}
    assert await desk.state(visit) == "proposed"


async def test_a_closed_venue_is_left_and_an_undisturbed_visit_stays(desk: Desk, visit: UUID):
    first = await propose(desk, visit)
    other = await propose(desk, uuid4(), windows=[{"first": "2027-01-17", "last": "2027-01-21"}])
    closed = first.slots[0].place.code
    await block(desk, f"venue:{closed}", Interval(at(3, 0), at(8, 0)))
    await fire(desk)
    revised = (await told(desk))[2:]
    assert [(type(one), one.slots != first.slots) for one in revised] == [(ProgrammeRevised, True)]
    assert closed not in {slot.place.code for slot in revised[0].slots}
    assert other.slots[0].place.code == closed


async def test_a_closed_centre_moves_the_visit_to_other_days_of_its_windows(desk: Desk, visit: UUID):
    first = await propose(desk, visit)
    day = first.slots[0].starts
    await block(desk, "centre", Interval(day.replace(hour=0), day.replace(hour=0) + timedelta(days=1)))
    await fire(desk)
    revised = (await told(desk))[-1]
    assert isinstance(revised, ProgrammeRevised)
    assert day.date() not in {slot.starts.date() for slot in revised.slots}


async def test_a_block_that_makes_a_programme_impossible_puts_the_visit_on_the_waiting_list(
    desk: Desk, visit: UUID
):
    await firm(desk, visit)
    await block(desk, "centre")
    await fire(desk)
    cancelled, infeasible = (await told(desk))[-2:]
    assert isinstance(cancelled, ProgrammeCancelled)
    assert isinstance(infeasible, ProgrammeInfeasible)
    assert infeasible.reasons
    assert await desk.state(visit) == "infeasible"
    assert await desk.booked(visit) == set()


async def test_a_lifted_block_frees_the_waiting_list(desk: Desk, visit: UUID):
    await firm(desk, visit)
    added, _ = await block(desk, "centre")
    await fire(desk)
    await lift(desk, added)
    await fire(desk)
    again = (await told(desk))[-1]
    assert isinstance(again, ProgrammeProposed)
    assert again.release == 4
    async with desk.transactions() as tx:
        assert await blocking.blocks(tx.connection, NOW) == ()


async def test_a_block_that_arrives_while_a_visit_is_planned_makes_it_planned_anew(desk: Desk, visit: UUID):
    asked = (await propose(desk, uuid4())).slots[1].assignments[0].person
    await desk.hear(RequestWithdrawn, (await desk.rows("SELECT id FROM visit"))[0]["id"], reason="No")
    solved = len(desk.solver.asked)

    async def fall_ill() -> None:
        await block(desk, f"person:{asked}")

    await desk.hear(RequestApproved, visit)
    desk.solver.meanwhile.append(fall_ill)
    await desk.plan(visit)
    assert len(desk.solver.asked) == solved + 2
    programme = (await told(desk))[-1]
    assert asked not in {code for slot in programme.slots for code in people_of(slot)}


async def test_a_block_that_does_not_disturb_leaves_every_programme(desk: Desk, visit: UUID):
    first = await propose(desk, visit)
    idle = next(
        one.code for one in CENTRE.people if one.code not in {p for s in first.slots for p in people_of(s)}
    )
    _, hit = await block(desk, f"person:{idle}")
    await fire(desk)
    assert hit == ()
    assert len(await told(desk)) == 1


async def test_a_block_is_refused_for_what_the_centre_has_not_or_what_is_over(desk: Desk):
    with pytest.raises(orders.NotFound, match="person:nobody"):
        await block(desk, "person:nobody")
    with pytest.raises(orders.Unfit):
        await block(desk, "centre", Interval(NOW - timedelta(days=2), NOW))
    with pytest.raises(orders.Unfit):
        await block(desk, "centre", Interval(at(4, 0), at(4, 0)))
    with pytest.raises(orders.NotFound):
        await lift(desk, Block(uuid4(), "centre", WEEK, "", OFFICER))


async def test_the_reasons_of_past_blocks_are_forgotten(desk: Desk):
    await block(desk, "centre", Interval(at(3, 0), at(4, 0)))
    await block(later(desk, at(5, 0)), "centre", Interval(at(6, 0), at(7, 0)))
    rows = await desk.rows("SELECT lower(during) AS starts FROM block")
    assert [row["starts"] for row in rows] == [at(6, 0)]


async def amend(desk: Desk, visit: UUID, **changes: Any) -> None:
    await desk.hear(
        RequestAmended,
        visit,
        revision=2,
        changed=["/logistics"],
        needs_approval=False,
        needs=needs(**changes),
    )


async def test_a_late_flight_moves_what_it_misses(desk: Desk, visit: UUID):
    first = await firm(desk, visit)
    lands = first.slots[0].starts - timedelta(minutes=15)
    await amend(desk, visit, arrives=lands)
    await fire(desk)
    revised = (await told(desk))[-1]
    assert isinstance(revised, ProgrammeRevised)
    assert (revised.revision, revised.release) == (2, 3)
    assert min(slot.starts for slot in revised.slots) >= lands + timedelta(minutes=90)
    assert (await kept_releases(desk, visit))[-1].cause == "the delegation arrives later"


async def test_an_amendment_that_the_programme_fits_changes_nothing(desk: Desk, visit: UUID):
    first = await firm(desk, visit)
    await amend(desk, visit, arrives=first.slots[0].starts - timedelta(days=1))
    await fire(desk)
    assert [one.TYPE for one in await told(desk)] == [ProgrammeProposed.TYPE, ProgrammeReleased.TYPE]
    assert await desk.state(visit) == "released"


async def test_a_confirmation_that_arrives_before_a_replan_is_not_lost(desk: Desk, visit: UUID):
    first = await propose(desk, visit)
    await amend(desk, visit, arrives=first.slots[0].starts)
    await desk.hear(VisitConfirmed, visit, release=1)
    await fire(desk)
    kinds = [one.kind for one in await kept_releases(desk, visit)]
    assert kinds == ["proposed", "firm", "revised"]


def reload(desk: Desk, centre: Centre) -> Desk:
    return replace(desk, office=replace(desk.office, centre=centre))


async def load(desk: Desk) -> None:
    async with desk.transactions() as tx:
        await publish_catalogue(tx, desk.office.centre)
    await fire(desk)


async def test_changed_master_data_have_what_no_longer_fits_planned_anew(desk: Desk, visit: UUID):
    first = await firm(desk, visit)
    gone = first.slots[1].assignments[0].person
    without = CENTRE.model_copy(update={"people": tuple(one for one in CENTRE.people if one.code != gone)})
    await load(reload(desk, without))
    revised = (await told(desk))[-1]
    assert isinstance(revised, ProgrammeRevised)
    assert gone in revised.affected
    assert (await kept_releases(desk, visit))[-1].cause == f"{gone} has left the Centre"


async def test_a_start_with_the_same_master_data_changes_no_programme(desk: Desk, visit: UUID):
    await firm(desk, visit)
    await load(desk)
    assert len(await told(desk)) == 2


async def test_a_process_with_older_master_data_leaves_the_review_to_others(desk: Desk, visit: UUID):
    first = await firm(desk, visit)
    gone = first.slots[1].assignments[0].person
    without = CENTRE.model_copy(update={"people": tuple(one for one in CENTRE.people if one.code != gone)})
    async with desk.transactions() as tx:
        await publish_catalogue(tx, without)
    await fire(desk)
    assert len(await told(desk)) == 2
    await fire(later(reload(desk, without), NOW + timedelta(seconds=6)))
    assert isinstance((await told(desk))[-1], ProgrammeRevised)


async def move(desk: Desk, visit: UUID, release: int, wish: Wish) -> None:
    async with desk.transactions() as tx:
        await orders.move(desk.office, tx, visit, release, wish, OFFICER)


async def test_a_slot_is_moved_as_wished_and_stays_there(desk: Desk, visit: UUID):
    first = await firm(desk, visit)
    briefing = next(slot for slot in first.slots if slot.kind == "briefing")
    await move(desk, visit, 2, Wish(briefing.key, venue="hall"))
    revised = (await told(desk))[-1]
    assert next(slot for slot in revised.slots if slot.key == briefing.key).place.code == "hall"
    assert briefing.key in revised.changed
    assert len(revised.changed) <= 2, "only what is beside it may have to make way"
    assert (await desk.kept(visit)).pinned == {briefing.key}
    assert await desk.state(visit) == "proposed"


async def test_a_person_is_exchanged_as_wished(desk: Desk, visit: UUID):
    first = await propose(desk, visit)
    welcome = first.slots[0]
    host = next(one.person for one in welcome.assignments if one.role == "host")
    other = next(
        one.code
        for one in CENTRE.people
        if "host" in one.roles and one.code != host and one.rank.order <= 4  # type: ignore[union-attr]
    )
    await move(desk, visit, 1, Wish(welcome.key, person=other, instead_of=host))
    revised = (await told(desk))[-1]
    assert people_of(revised.slots[0]) == {other}


async def test_an_impossible_move_changes_nothing_and_says_why(desk: Desk, visit: UUID):
    first = await propose(desk, visit)
    before, timers = await desk.kept(visit), await desk.timers()
    night = first.slots[0].starts.replace(hour=20)
    with pytest.raises(orders.Impossible) as refused:
        await move(desk, visit, 1, Wish(first.slots[0].key, starts=night))
    assert refused.value.reasons
    assert await desk.kept(visit) == before
    assert await desk.timers() == timers
    assert len(await told(desk)) == 1


async def test_an_order_on_another_release_is_refused(desk: Desk, visit: UUID):
    first = await propose(desk, visit)
    key = first.slots[0].key
    with pytest.raises(orders.Stale, match="release 1, not 2"):
        await move(desk, visit, 2, Wish(key, venue="hall"))
    async with desk.transactions() as tx:
        with pytest.raises(orders.Stale):
            await orders.pin(tx, visit, 2, frozenset({key}), OFFICER)
        with pytest.raises(orders.NotFound):
            await orders.pin(tx, visit, 1, frozenset({"tea"}), OFFICER)
        with pytest.raises(orders.NotFound):
            await orders.pin(tx, uuid4(), 1, frozenset({key}), OFFICER)
    assert desk.solver.asked[1:] == []


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        (Wish("welcome"), orders.Unfit),
        (Wish("tea", venue="hall"), orders.NotFound),
        (Wish("welcome", venue="cellar"), orders.NotFound),
        (Wish("welcome", person="nobody"), orders.NotFound),
        (Wish("welcome", instead_of="host-01"), orders.Unfit),
        (Wish("welcome", person="host-01", instead_of="escort-04"), orders.NotFound),
        (Wish("welcome", starts=NOW), orders.Unfit),
    ],
)
async def test_a_wish_that_makes_no_sense_is_refused(
    desk: Desk, visit: UUID, wish: Wish, error: type[Exception]
):
    await propose(desk, visit)
    with pytest.raises(error):
        await move(desk, visit, 1, wish)


async def test_a_pinned_slot_stays_when_the_rest_is_planned_anew(desk: Desk, visit: UUID):
    first = await propose(desk, visit)
    ill = first.slots[1].assignments[0].person
    others = frozenset(slot.key for slot in first.slots if ill not in people_of(slot))
    async with desk.transactions() as tx:
        assert await orders.pin(tx, visit, 1, others, OFFICER) == others
    await block(desk, f"person:{ill}")
    await fire(desk)
    assert desk.solver.asked[-1].pinned == others
    revised = (await told(desk))[-1]
    before = {slot.key: slot for slot in first.slots}
    assert all(slot == before[slot.key] for slot in revised.slots if slot.key in others)
    async with desk.transactions() as tx:
        assert await orders.unpin(tx, visit, 2, others, OFFICER) == frozenset()


async def test_a_pin_gives_way_to_what_cannot_stay(desk: Desk, visit: UUID):
    first = await propose(desk, visit)
    hit = first.slots[1]
    async with desk.transactions() as tx:
        await orders.pin(tx, visit, 1, frozenset({hit.key}), OFFICER)
    await block(desk, f"person:{hit.assignments[0].person}")
    await fire(desk)
    assert isinstance((await told(desk))[-1], ProgrammeRevised)


async def test_every_release_is_kept_with_its_cause(desk: Desk, visit: UUID):
    first = await firm(desk, visit)
    await block(desk, f"person:{first.slots[1].assignments[0].person}")
    await fire(desk)
    await desk.hear(VisitConfirmed, visit, release=3)
    await desk.hear(RequestWithdrawn, visit, reason="Elections")
    kept = await kept_releases(desk, visit)
    assert [(one.release, one.kind) for one in kept] == [
        (1, "proposed"), (2, "firm"), (3, "revised"), (4, "firm"), (5, "cancelled"),
    ]  # fmt: skip
    assert [one.slots for one in kept] == [one.slots for one in (await told(desk))[:4]] + [()]
    assert kept[0].score == first.score == kept[1].score
    assert kept[2].cause.endswith(" is blocked"), "its reason may be an illness"
    assert kept[4].cause == "the request was withdrawn"


async def test_a_second_acceptance_is_news_only_to_those_whose_part_changed(desk: Desk, visit: UUID):
    first = await firm(desk, visit)
    await block(desk, f"person:{first.slots[1].assignments[0].person}")
    await fire(desk)
    revised = (await told(desk))[-1]
    await desk.hear(VisitConfirmed, visit, release=3)
    released = (await told(desk))[-1]
    assert isinstance(released, ProgrammeReleased)
    assert released.affected == revised.affected
    assert set(revised.affected) < {code for slot in first.slots for code in people_of(slot)} | set(
        revised.affected
    )


async def test_a_visit_in_progress_keeps_what_has_begun_and_needs_no_new_answer(desk: Desk, visit: UUID):
    first = await firm(desk, visit)
    during = later(desk, first.slots[1].starts)
    last = first.slots[-1]
    await block(during, f"person:{last.assignments[0].person}")
    await fire(during)
    revised = (await told(desk))[-1]
    assert isinstance(revised, ProgrammeRevised)
    assert [outline(slot) for slot in revised.slots[:2]] == [outline(slot) for slot in first.slots[:2]]
    assert last.key in revised.changed
    assert await desk.state(visit) == "released"


async def test_a_visit_in_progress_loses_only_what_cannot_stay(desk: Desk, visit: UUID):
    first = await firm(desk, visit)
    during = later(desk, first.slots[1].starts)
    await block(during, "centre", Interval(first.slots[2].starts, at(31, 0)))
    await fire(during)
    revised = (await told(desk))[-1]
    assert isinstance(revised, ProgrammeRevised)
    assert revised.removed == first.slots[2:]
    assert revised.slots == first.slots[:2]
    assert await desk.state(visit) == "released"


NARROW = [{"first": "2027-01-03", "last": "2027-01-04"}]


async def fill(desk: Desk) -> tuple[Block, list[UUID]]:
    """Three visits that wait for two closed days: routine QA, routine SA (which waits longer), urgent QA."""
    added, _ = await block(desk, "centre")
    visits = [uuid4() for _ in range(3)]
    wanted = (
        (visits[1], "SA", "routine"), (visits[0], "QA", "routine"), (visits[2], "QA", "urgent"),
    )  # fmt: skip
    for number, (id_, country, urgency) in enumerate(wanted):
        moment = later(desk, NOW + timedelta(minutes=number))
        await moment.hear(RequestApproved, id_, country=country, windows=NARROW, urgency=urgency)
        await fire(moment)
    return added, visits


async def test_the_waiting_list_is_in_the_order_of_urgency_and_of_who_has_had_least(desk: Desk):
    _, (routine, saudi, urgent) = await fill(desk)
    async with desk.transactions() as tx:
        assert [one.id for one in await waiting_list(tx.connection, CENTRE, NOW)] == [urgent, saudi, routine]
        assert await waiting_list(tx.connection, CENTRE, at(6, 0)) == ()
    given = uuid4()
    await desk.hear(
        RequestApproved, given, country="SA", windows=[{"first": "2027-02-01", "last": "2027-02-04"}]
    )
    await fire(desk)
    during = at(3, 0)  # the running year is that of the programme, now
    async with desk.transactions() as tx:
        assert [one.id for one in await waiting_list(tx.connection, CENTRE, during)] == [
            urgent, routine, saudi,
        ]  # fmt: skip


async def test_who_waits_is_tried_in_turn_and_only_once_for_what_was_given_back(desk: Desk):
    added, (routine, saudi, urgent) = await fill(desk)
    other, _ = await block(desk, "venue:shelter")  # keeps everybody from it
    asked = len(desk.solver.asked)
    await lift(desk, added)
    now = later(desk, NOW + timedelta(hours=1))
    await fire(now)
    assert [one.needs.urgency for one in desk.solver.asked[asked:]] == ["urgent", "routine", "routine"]
    assert [problem.country for problem in desk.solver.asked[asked:]] == ["QA", "SA", "QA"]
    await fire(now)
    assert len(desk.solver.asked) == asked + 3
    told_before = len(await told(desk))
    await lift(desk, other)
    await fire(now)
    proposed = (await told(desk))[told_before:]
    assert {type(one) for one in proposed} == {ProgrammeProposed}
    states = [await desk.state(one) for one in (urgent, saudi, routine)]
    assert states[0] == "proposed"
    assert len(desk.solver.asked) == asked + 6


async def test_a_waiting_visit_keeps_its_place_when_it_is_approved_again(desk: Desk, visit: UUID):
    await block(desk, "centre")
    await propose(desk, visit)
    again = later(desk, NOW + timedelta(days=1))
    await again.hear(RequestApproved, visit, revision=2)
    await fire(again)
    rows = await desk.rows("SELECT waiting_since FROM visit")
    assert rows[0]["waiting_since"] == NOW


async def test_what_is_withdrawn_is_given_to_who_waits(desk: Desk, visit: UUID):
    added, _ = await block(desk, "venue:shelter", Interval(at(5, 0), at(31, 0)))
    shelter_once = {"windows": NARROW, "size": 6}
    waiting = [uuid4() for _ in range(6)]
    for one in (visit, *waiting):
        await desk.hear(RequestApproved, one, **shelter_once)
    await fire(desk)
    left = [one for one in waiting if await desk.state(one) == "infeasible"]
    assert left, "the Centre has room for all"
    before = len(await told(desk))
    await desk.hear(RequestWithdrawn, visit, reason="No")
    await fire(desk)
    assert [type(one) for one in (await told(desk))[before:]] == [ProgrammeCancelled, ProgrammeProposed]
    assert added


async def test_an_officer_has_a_visit_planned_out_of_turn(desk: Desk, visit: UUID):
    await block(desk, "centre")
    await propose(desk, visit)
    before = len(await told(desk))
    async with desk.transactions() as tx:
        await orders.replan(tx, visit, "the minister asks", OFFICER)
    await fire(desk)
    assert [type(one) for one in (await told(desk))[before:]] == [ProgrammeInfeasible]


async def test_replanning_what_fits_tells_nobody(desk: Desk, visit: UUID):
    await firm(desk, visit)
    async with desk.transactions() as tx:
        await orders.replan(tx, visit, "to be sure", OFFICER)
    await fire(desk)
    assert len(await told(desk)) == 2
    assert await desk.state(visit) == "released"
    assert (await desk.kept(visit)).replan_because is None


async def test_other_days_after_an_approval_are_not_kept_from_the_held_programme(desk: Desk, visit: UUID):
    await propose(desk, visit)
    revised = await propose(desk, visit, revision=2, windows=[{"first": "2027-01-17", "last": "2027-01-21"}])
    assert isinstance(revised, ProgrammeRevised)
    assert min(slot.starts for slot in revised.slots) >= at(17, 0)


async def test_cancelling_several_visits_at_once_while_they_are_planned_does_not_deadlock(desk: Desk):
    visits = [uuid4() for _ in range(6)]
    for one in visits:
        await desk.hear(RequestApproved, one)
    await fire(desk)
    async with desk.transactions() as tx:
        for one in visits:
            await orders.replan(tx, one, "to be sure", OFFICER)

    async def withdraw(some: list[UUID]) -> None:
        for one in some:
            await desk.hear(RequestWithdrawn, one, reason="No")

    await asyncio.gather(fire(desk), withdraw(visits[:3]), fire(desk), withdraw(visits[3:]))
    await fire(desk)
    assert [await desk.state(one) for one in visits] == ["cancelled"] * 6
    failed = await desk.rows("SELECT last_error FROM timer WHERE last_error IS NOT NULL")
    assert failed == []


async def test_what_officers_order_is_accounted_for(desk: Desk, visit: UUID):
    await propose(desk, visit)
    added, _ = await block(desk, "venue:hall")
    await lift(desk, added)
    async with desk.transactions() as tx:
        await orders.pin(tx, visit, 1, frozenset({"welcome"}), OFFICER)
    acted = [one for one in await desk.emitted() if isinstance(one, OperatorActed)]
    assert [(one.action, one.target, one.people.operator) for one in acted] == [
        ("schedule block", "venue:hall", OFFICER),
        ("schedule unblock", "venue:hall", OFFICER),
        ("schedule pin", "V-2026-000017", OFFICER),
    ]


async def test_busy_times_include_blocks(desk: Desk):
    await block(desk, "person:host-01", Interval(at(3, 8), at(3, 9)))
    async with desk.transactions() as tx:
        busy = await store.busy(tx.connection, uuid4(), Interval(at(3, 0), at(4, 0)))
    assert busy == {"person:host-01": (Interval(at(3, 8), at(3, 9)),)}
    assert {type(span) for spans in busy.values() for span in spans} == {Interval}
    assert busy["person:host-01"][0].start.tzinfo == UTC


async def test_pins_give_way_when_there_would_be_no_programme_with_them(desk: Desk, visit: UUID):
    first = await firm(desk, visit)
    pinned, release = first.slots[0].key, (await desk.kept(visit)).release
    async with desk.transactions() as tx:
        await orders.pin(tx, visit, release, frozenset({pinned}), "officer")
    day = first.slots[-1].starts.astimezone(CENTRE.zone)
    begins = day.replace(hour=0, minute=0).astimezone(UTC)
    await block(desk, "centre", Interval(begins, begins + timedelta(days=1)))
    await fire(desk)
    revised = (await told(desk))[-1]
    assert isinstance(revised, ProgrammeRevised)
    assert all(slot.starts.astimezone(CENTRE.zone).date() != day.date() for slot in revised.slots)


async def test_a_waiting_visit_is_tried_again_when_it_is_amended(desk: Desk, visit: UUID):
    windows = [{"first": "2027-01-03", "last": "2027-01-04"}]
    await propose(desk, visit, windows=windows, arrives="2027-01-04T09:00:00Z")
    assert await desk.state(visit) == "infeasible"
    sooner = needs(windows=windows, arrives="2027-01-02T09:00:00Z")
    await desk.hear(
        RequestAmended, visit, revision=2, needs=sooner, changed=("/logistics",), needs_approval=False
    )
    await fire(desk)
    assert await desk.state(visit) == "proposed"


async def test_a_waiting_visit_that_cannot_be_planned_keeps_nobody_waiting(desk: Desk, monkeypatch):
    added, (routine, saudi, urgent) = await fill(desk)
    solved = desk.solver.solve

    async def stumble(problem: Problem) -> object:
        if problem.needs.urgency == "urgent":
            raise OverflowError("date value out of range")
        return await solved(problem)

    monkeypatch.setattr(desk.solver, "solve", stumble)
    await lift(desk, added)
    await fire(later(desk, NOW + timedelta(hours=1)))
    assert await desk.state(urgent) == "infeasible"
    assert await desk.state(saudi) == "proposed"
    assert routine
