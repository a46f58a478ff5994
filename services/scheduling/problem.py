"""What the planner is asked and what it answers: plain values that travel to the worker process."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from schemas.scheduling import Alternative, Score, Slot
from schemas.terms import Bilingual
from schemas.visits import Needs
from services.scheduling.calendar import Interval
from services.scheduling.centre import Centre


@dataclass(frozen=True)
class Wish:
    """What an officer wants of one slot: another start (aware, UTC), venue, or person instead of another."""

    key: str
    starts: datetime | None = None
    venue: str | None = None
    person: str | None = None
    instead_of: str | None = None


@dataclass(frozen=True)
class Problem:
    """One programme to find.

    ``busy`` tells, for each resource (``person:host-01``, ``venue:hall``), when it is taken: by other
    visits (`Booked`), or because it is blocked (a plain interval: an illness, a repair). ``centre`` as
    a resource is taken when the whole Centre is closed. ``now`` is aware, UTC; ``seconds`` bounds the
    search; ``country`` is the delegation's.

    With ``held``, a programme is changed as little as possible: slots that have begun and those whose
    keys are ``pinned`` stay as they are, and ``wishes`` says which slots shall be otherwise.
    """

    centre: Centre
    needs: Needs
    busy: Mapping[str, tuple[Interval, ...]]
    now: datetime
    seconds: float
    country: str | None = None
    held: tuple[Slot, ...] = ()
    pinned: frozenset[str] = frozenset()
    wishes: tuple[Wish, ...] = ()


@dataclass(frozen=True)
class Solution:
    """A programme: its slots in the order of time, on these working days, about these themes."""

    slots: tuple[Slot, ...]
    days: tuple[date, ...]
    themes: tuple[str, ...]
    score: Score | None = None


@dataclass(frozen=True)
class Infeasible:
    """No programme as asked: why, in words, and what would be possible instead."""

    reasons: tuple[Bilingual, ...]
    alternatives: tuple[Alternative, ...]


CENTRE_RESOURCE = "centre"
"""The resource that is taken when the whole Centre is closed."""


def person_resource(code: str) -> str:
    """The booking resource of a person."""
    return f"person:{code}"


def venue_resource(code: str) -> str:
    """The booking resource of a venue."""
    return f"venue:{code}"


def visit_resource(visit: object) -> str:
    """The booking resource of a delegation, which can be in one place only."""
    return f"visit:{visit}"
