"""Whatever is asked of whatever Centre, the answer is right; ``WAFD_EXAMPLES`` looks at more, at random."""

import os
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.programmes.verifier import FACTS, complaints
from benchmarks.programmes.verifier.case import Case
from benchmarks.programmes.verifier.changes import differs
from benchmarks.programmes.verifier.days import opens
from schemas.scheduling import Alternative, Slot
from services.scheduling.calendar import Interval
from services.scheduling.explain import solve
from services.scheduling.problem import Infeasible, Problem, Solution, Wish
from services.scheduling.runs import days_of
from tests.unit.scheduling.strategies import problems

EXAMPLES = int(os.environ.get("WAFD_EXAMPLES", "0"))
"""None set: always the same few."""

thorough = settings(
    max_examples=EXAMPLES or 25,
    derandomize=not EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


def is_told_why(outcome: Infeasible) -> bool:
    return bool(outcome.reasons) and all(
        any("\u0600" <= letter <= "\u06ff" for letter in reason.ar) and reason.en
        for reason in outcome.reasons
    )


@thorough
@given(problems())
def test_every_answer_is_right(asked: Problem):
    outcome = solve(asked)
    if isinstance(outcome, Solution):
        assert complaints(asked, outcome.slots) == []
    else:
        assert is_told_why(outcome)
        assert len(outcome.alternatives) <= 3


@thorough
@given(problems())
def test_every_alternative_is_feasible(asked: Problem):
    outcome = solve(asked)
    if isinstance(outcome, Infeasible):
        for offer in outcome.alternatives:
            instead = taken_up(asked, offer)
            found = solve(instead)
            assert isinstance(found, Solution), offer
            assert complaints(instead, found.slots) == []


def taken_up(asked: Problem, offer: Alternative) -> Problem:
    """The problem of whoever asks for an alternative; its note names the sites that are left out."""
    left_out = offer.note.en.partition("without: ")[2].split(", ")
    days = sum(opens(Case(asked, (), FACTS), day) for day in days_of(offer.window))
    changes = {
        "windows": (offer.window,),
        "days": days,
        "themes": offer.themes,
        "sites": tuple(site for site in asked.needs.sites if site not in left_out),
        "size": offer.size or asked.needs.size,
    }
    return replace(asked, needs=asked.needs.model_copy(update=changes), seconds=20)


@st.composite
def disruptions(draw: st.DrawFn) -> tuple[Problem, tuple[Slot, ...]]:
    """A programme that was found, and what happens then: an illness or closure, pins, wishes, time passes."""
    asked = draw(problems())
    outcome = solve(asked)
    if not isinstance(outcome, Solution):
        return asked, ()
    slots = outcome.slots
    hit = draw(st.sampled_from(slots))
    lost = draw(
        st.sampled_from([f"venue:{hit.place.code}", *(f"person:{one.person}" for one in hit.assignments)])
    )
    busy = {**asked.busy, lost: (*asked.busy.get(lost, ()), Interval(hit.starts, hit.ends))}
    now = draw(st.sampled_from((asked.now, asked.now, slots[0].starts, slots[len(slots) // 2].starts)))
    pinned = draw(st.sampled_from([(), (hit.key,), (slots[0].key, slots[-1].key)]).map(frozenset))
    to_come = tuple(slot for slot in slots if slot.starts > now)
    wishes = tuple(draw(st.lists(_wishes(asked, to_come), max_size=1))) if to_come else ()
    return replace(asked, busy=busy, now=now, held=slots, pinned=pinned, wishes=wishes), slots


@st.composite
def _wishes(draw: st.DrawFn, asked: Problem, slots: tuple[Slot, ...]) -> Wish:
    slot = draw(st.sampled_from(slots))
    starts = st.sampled_from([None, *(one.starts for one in slots), *(one.ends for one in slots)])
    venues = st.sampled_from([None, *(venue.code for venue in asked.centre.venues)])
    people = st.sampled_from([None, *(person.code for person in asked.centre.people)])
    person = draw(people)
    others = [one.person for one in slot.assignments if one.person != person]
    instead_of = draw(st.sampled_from([None, *others])) if person else None
    return Wish(slot.key, draw(starts), draw(venues), person, instead_of)


@thorough
@given(disruptions())
def test_a_programme_planned_again_keeps_what_has_to_stay(case: tuple[Problem, tuple[Slot, ...]]):
    asked, held = case
    if held:
        outcome = solve(asked)
        if isinstance(outcome, Solution):
            assert complaints(asked, outcome.slots) == []
        else:
            assert is_told_why(outcome)


@thorough
@given(disruptions())
def test_the_fewest_slots_change(case: tuple[Problem, tuple[Slot, ...]]):
    asked, held = case
    if not held:
        return
    asked = replace(asked, pinned=frozenset(), wishes=(), now=min(asked.now, held[0].starts))
    near, anew = solve(asked), solve(replace(asked, held=()))
    if isinstance(near, Solution) and isinstance(anew, Solution):
        assert changed(held, near) <= changed(held, anew)


@thorough
@given(problems())
def test_nothing_changes_when_nothing_happened(asked: Problem):
    outcome = solve(asked)
    if isinstance(outcome, Solution):
        again = solve(replace(asked, held=outcome.slots))
        assert isinstance(again, Solution), again
        assert changed(outcome.slots, again) == 0


def changed(held: tuple[Slot, ...], found: Solution) -> int:
    now = {slot.key: slot for slot in found.slots}
    return sum(slot.key not in now or differs(slot, now[slot.key]) for slot in held)
