"""What is to be scheduled on a forum day, and what came of it."""

from dataclasses import dataclass
from enum import StrEnum

MOST_APART = 2
"""The numbers of breaks of any two participants differ by at most so many."""


class Session(StrEnum):
    """The part of the day that a meeting asks for."""

    MORNING = "morning"
    AFTERNOON = "afternoon"
    ANY = "any"


@dataclass(frozen=True)
class Meeting:
    """A meeting of two participants; participants, meetings and slots are numbered from 0."""

    pair: tuple[int, int]
    session: Session = Session.ANY
    fixed: int | None = None
    """The slot that it must have."""
    after: frozenset[int] = frozenset()
    """The meetings that take place before it."""


@dataclass(frozen=True)
class Problem:
    """A day of ``slots`` slots, the first ``morning`` of them the morning, and ``tables`` meetings a slot.

    A break is a longest run of idle slots between the first and the last meeting of a participant,
    over lunch and slots of absence as well. The fewest breaks in all are sought.
    """

    slots: int
    morning: int
    tables: int
    absent: tuple[frozenset[int], ...]
    """For each participant, the slots without her."""
    meetings: tuple[Meeting, ...]

    @property
    def participants(self) -> range:
        """The participants' numbers."""
        return range(len(self.absent))

    def meetings_of(self, participant: int) -> tuple[int, ...]:
        """The numbers of a participant's meetings."""
        return tuple(number for number, meeting in enumerate(self.meetings) if participant in meeting.pair)


class Status(StrEnum):
    """What is known at the end."""

    OPTIMAL = "OPTIMAL"
    """There is an answer, and no better one."""
    FEASIBLE = "FEASIBLE"
    """There is an answer; whether there is a better one is not known."""
    UNSAT = "UNSAT"
    """There is no answer."""
    UNKNOWN = "UNKNOWN"
    """Whether there is an answer is not known."""


@dataclass(frozen=True)
class Answer:
    """The slot of each meeting, if an answer was found, with its number of breaks."""

    status: Status
    slots: tuple[int, ...] | None
    breaks: int | None
    bound: int | None
    """No answer has fewer breaks; None when there is no answer."""
    seconds: float
