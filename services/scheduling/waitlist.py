"""Decides in which order visits on the waiting list are tried again."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

_URGENCY = ("emergency", "urgent", "routine")


@dataclass(frozen=True)
class Waiting:
    """A visit that waits since an instant (aware) for a programme that could end on ``last_day``.

    ``tried`` is the number of giving back when it was last tried in vain.
    """

    id: UUID
    reference: str
    country: str
    urgency: Literal["routine", "urgent", "emergency"]
    last_day: date
    since: datetime
    tried: int


def in_turn(waiting: Iterable[Waiting], held: Mapping[str, int], today: date) -> tuple[Waiting, ...]:
    """Those whose last window is not past: the urgent first, then whoever has had least, then the longest.

    ``held`` counts the programmes of the running year by country.
    """
    return tuple(
        sorted(
            (one for one in waiting if one.last_day >= today),
            key=lambda one: (_URGENCY.index(one.urgency), held.get(one.country, 0), one.since, one.id),
        )
    )


def next_in_turn(turn: Iterable[Waiting], given_back: int) -> Waiting | None:
    """The first who was not tried since something was given back for the last time."""
    return next((one for one in turn if one.tried < given_back), None)
