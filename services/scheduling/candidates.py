"""What is left for each session of a programme on a run of days, as values; and what may be set aside."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Literal

from schemas.scheduling import Slot
from services.scheduling.grid import Grid, quarters
from services.scheduling.sessions import Session
from services.scheduling.ways import Ways


class Rule(StrEnum):
    """What can stand in the way of a programme, and may be set aside to see whether it does."""

    WANTED = "wanted"
    BREAKS = "breaks"
    CLOSURE = "closure"
    TRAVEL_DATES = "travel_dates"
    TAKEN = "taken"
    ABSENCE = "absence"
    DAILY_LIMIT = "daily_limit"
    SITE_HOURS = "site_hours"
    ORDER = "order"
    SPELL = "spell"
    WAY = "way"
    HALF_DAY = "half_day"
    PIN = "pin"
    WISH = "wish"


@dataclass(frozen=True, order=True)
class Cause:
    """One rule as it holds for one subject: a resource such as ``person:x``, a session's key, or all."""

    rule: Rule
    subject: str = ""


Aside = frozenset[Cause]
"""Causes that do not hold, to see what would be possible without them."""

NOTHING: Aside = frozenset()


@dataclass(frozen=True)
class Option:
    """A venue or person that a session may have, with the starts at which it is free long enough.

    ``elsewhere`` narrows the starts when the session is on premises from or to which the person has a way.
    """

    code: str
    starts: int
    elsewhere: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Choice:
    """A session with what is left for it on the run; there is at least one start, venue and person a part.

    ``parts`` are in the order of the session's own; ``must`` is an interpreter who has to be among those
    chosen; ``fixed`` is the held slot that it has to be.
    """

    session: Session
    starts: int
    venues: tuple[Option, ...]
    parts: tuple[tuple[Option, ...], ...]
    interpreters: tuple[Option, ...]
    fixed: Slot | None = None
    must: str | None = None

    @property
    def length(self) -> int:
        """Quarters that the session takes."""
        return quarters(self.session.minutes)


@dataclass(frozen=True)
class Blocked:
    """A session for which nothing is left on the run: no time, venue, person for a part, or interpreter."""

    session: Session
    lacks: Literal[
        "time",
        "venue",
        "lead",
        "interpreter",
        "pin",
        "wish",
        "grid",
        "time_wanted",
        "venue_wanted",
        "person_wanted",
    ]


@dataclass(frozen=True)
class Desk:
    """The choices of one run, how many sessions people may still take on each day, and what is set aside."""

    grid: Grid
    choices: tuple[Choice, ...]
    left: Mapping[str, Mapping[date, int]]
    ways: Ways
    aside: Aside = NOTHING

    def holds(self, rule: Rule, subject: str = "") -> bool:
        """Whether a rule holds for a subject."""
        return holds(self.aside, rule, subject)


def holds(aside: Aside, rule: Rule, subject: str = "") -> bool:
    """Whether a rule holds for a subject, with some set aside."""
    return Cause(rule, subject) not in aside and Cause(rule) not in aside


def union(options: Iterable[Option]) -> int:
    """The starts at which at least one of the options is free."""
    mask = 0
    for option in options:
        mask |= option.starts
    return mask
