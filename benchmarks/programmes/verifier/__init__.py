"""An independent check of programmes: shares no code with model, calendar, domain or candidates."""

from collections.abc import Iterator

from benchmarks.programmes.verifier.case import Case
from benchmarks.programmes.verifier.changes import kept_and_wished
from benchmarks.programmes.verifier.facts import FACTS, Facts
from benchmarks.programmes.verifier.hours import within_hours
from benchmarks.programmes.verifier.order import in_order
from benchmarks.programmes.verifier.people import fitting_people
from benchmarks.programmes.verifier.places import fitting_places
from benchmarks.programmes.verifier.spells import rested_interpreters
from benchmarks.programmes.verifier.timelines import nobody_twice
from benchmarks.programmes.verifier.wanted import right_sessions
from schemas.scheduling import Slot
from services.scheduling.problem import Problem

__all__ = ["FACTS", "Facts", "complaints"]


def complaints(problem: Problem, slots: tuple[Slot, ...], facts: Facts = FACTS) -> list[str]:
    """Everything that is wrong with a programme for a problem, in words; empty when it is right.

    ``facts`` tells the public holidays by date; the official dates of the Centre overrule them here.
    """
    return list(_complaints(Case(problem, slots, facts))) if slots else ["there are no slots"]


def _complaints(case: Case) -> Iterator[str]:
    yield from right_sessions(case)
    if unknown := [slot.key for slot in case.slots if case.item(slot) is None]:
        yield f"no item of the outline for {', '.join(unknown)}"
        return
    for check in (
        within_hours, fitting_places, fitting_people, rested_interpreters, nobody_twice, in_order,
        kept_and_wished,
    ):  # fmt: skip
        yield from check(case)
