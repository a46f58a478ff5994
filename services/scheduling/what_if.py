"""What-if: a visit request as far as planning looks at it, and up to three programmes for it, none booked."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Annotated, Any, Literal, Protocol

from pydantic import ConfigDict, Field
from pydantic_core import from_json, to_json

from runtime.bodies import MalformedJson, Problem, Refused, read_body
from schemas.event import Frozen
from schemas.terms import Code, Country, DateWindow, Instant, LanguageTag, Rank, VisitKind
from schemas.visits import Needs
from services.scheduling import problem as planning
from services.scheduling.problem import Infeasible, Solution

HORIZON = timedelta(days=730)
"""How far ahead a visit can be asked for."""

NOT_LOOKED_AT = frozenset(
    {
        "sender_reference", "note_verbale", "ministry", "focal_point", "alternates", "type", "recurrence",
        "invitation", "subject", "objectives", "expected_results", "funding", "previous_visits",
        "parent_request", "media_details", "remarks",
    }
)  # fmt: skip
"""Fields of a visit request that planning does not need; they are dropped unread."""

Codes = Annotated[tuple[Code, ...], Field(max_length=20)]


class Attending(Frozen):
    """A member of the delegation: of a request's fields only these are looked at."""

    role: Literal["head", "deputy", "member", "support", "media", "security"] = "member"
    rank: Rank


class Leg(Frozen):
    """An arrival or a departure."""

    at: Instant = Field(description="The instant, with its offset.")


class Travelling(Frozen):
    """When the delegation comes and goes, as far as that is known."""

    arrival: Leg | None = None
    departure: Leg | None = None


class Pressing(Frozen):
    """How soon the visit has to be decided."""

    level: Literal["routine", "urgent", "emergency"] = "routine"


class WhatIf(Frozen):
    """A visit request, or the part of it that planning needs; nothing personal has to stand in it."""

    model_config = ConfigDict(extra="forbid")

    country: Country | None = Field(default=None, description="The delegation's, whose weekend is kept.")
    kind: VisitKind
    themes: Codes = Field(default=(), description="Codes of the catalogue, the most important first.")
    sites: Codes = ()
    windows: Annotated[tuple[DateWindow, ...], Field(min_length=1, max_length=10)] = Field(
        description="Spans of days in the Centre's time zone, the best first."
    )
    days: int = Field(ge=1, le=10, description="Working days; a half day counts 1.")
    blackout_dates: Annotated[tuple[date, ...], Field(max_length=366)] = ()
    size: int = Field(ge=1, le=200)
    members: Annotated[tuple[Attending, ...], Field(min_length=1, max_length=200)] = Field(
        description="One of them is the head; only roles and ranks are looked at."
    )
    languages: Annotated[tuple[LanguageTag, ...], Field(min_length=1, max_length=10)]
    urgency: Pressing = Pressing()
    logistics: Travelling = Travelling()
    access_needs: Codes = ()
    media: bool = False
    confidentiality_signed: bool = False


def read_what_if(raw: bytes, today: date) -> WhatIf:
    """Read a request, or its part, on ``today`` at the Centre.

    Raises `MalformedJson`, or `Refused` with every wrong field.
    """
    try:
        document: Any = from_json(raw)
    except ValueError:
        raise MalformedJson("the body is not JSON in UTF-8") from None
    if isinstance(document, dict):
        document = {name: value for name, value in document.items() if name not in NOT_LOOKED_AT}
    asked = read_body(WhatIf, to_json(document), extra=None)
    if found := tuple(_contradictions(asked, today)):
        raise Refused(found)
    return asked


def _contradictions(asked: WhatIf, today: date) -> Iterator[Problem]:
    heads = sum(member.role == "head" for member in asked.members)
    if heads != 1:
        yield Problem("/members", f"one member has to be the head of the delegation, not {heads}")
    for name, codes in (("themes", asked.themes), ("sites", asked.sites)):
        for place, code in enumerate(codes):
            if code in codes[:place]:
                yield Problem(f"/{name}/{place}", f"{code} is named twice")
    for place, window in enumerate(asked.windows):
        if window.last < today:
            yield Problem(f"/windows/{place}", f"the window ended on {window.last}, before today ({today})")
        elif window.last > today + HORIZON:
            yield Problem(f"/windows/{place}", f"the window ends after {today + HORIZON}, two years ahead")


def needs_of(asked: WhatIf, today: date) -> Needs:
    """What a programme has to satisfy; of windows that have begun, what is left of them."""
    arrival, departure = asked.logistics.arrival, asked.logistics.departure
    return Needs(
        kind=asked.kind,
        themes=asked.themes,
        sites=asked.sites,
        windows=tuple(DateWindow(first=max(one.first, today), last=one.last) for one in asked.windows),
        days=asked.days,
        blackout_dates=asked.blackout_dates,
        size=asked.size,
        head_rank=next(member.rank for member in asked.members if member.role == "head"),
        languages=asked.languages,
        access_needs=asked.access_needs,
        media=asked.media,
        confidentiality_signed=asked.confidentiality_signed,
        arrives=arrival.at if arrival else None,
        leaves=departure.at if departure else None,
        urgency=asked.urgency.level,
    )


class Offering(Protocol):
    """Whoever finds several programmes to choose from."""

    async def offer(self, problem: planning.Problem) -> tuple[Solution, ...] | Infeasible:
        """Find up to three programmes of one visit."""


class Busy(Exception):
    """As many previews as are allowed wait already."""


@dataclass
class Previews:
    """Finds programmes one preview after the other, so that they keep no core from planning."""

    solver: Offering
    most: int = 4
    _one: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    _waiting: int = 0

    async def offer(self, problem: planning.Problem) -> tuple[Solution, ...] | Infeasible:
        """Up to three programmes, or why there is none. Raises `Busy`."""
        if self._waiting >= self.most:
            raise Busy
        self._waiting += 1
        try:
            async with self._one:
                return await self.solver.offer(problem)
        finally:
            self._waiting -= 1
