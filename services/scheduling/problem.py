"""What the planner is asked and what it answers: plain values that travel to the worker process."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from schemas.scheduling import Alternative, Slot
from schemas.terms import Bilingual
from schemas.visits import Needs
from services.scheduling.calendar import Interval
from services.scheduling.centre import Centre


@dataclass(frozen=True)
class Problem:
    """One programme to find.

    ``busy`` tells, for each resource (``person:host-01``, ``venue:hall``), when it is taken by other
    visits; ``now`` is aware, UTC; ``seconds`` bounds the search.
    """

    centre: Centre
    needs: Needs
    busy: Mapping[str, tuple[Interval, ...]]
    now: datetime
    seconds: float


@dataclass(frozen=True)
class Solution:
    """A programme: its slots in the order of time, on these working days, about these themes."""

    slots: tuple[Slot, ...]
    days: tuple[date, ...]
    themes: tuple[str, ...]


@dataclass(frozen=True)
class Infeasible:
    """No programme as asked: why, in words, and what would be possible instead."""

    reasons: tuple[Bilingual, ...]
    alternatives: tuple[Alternative, ...]


def person_resource(code: str) -> str:
    """The booking resource of a person."""
    return f"person:{code}"


def venue_resource(code: str) -> str:
    """The booking resource of a venue."""
    return f"venue:{code}"


def visit_resource(visit: object) -> str:
    """The booking resource of a delegation, which can be in one place only."""
    return f"visit:{visit}"
