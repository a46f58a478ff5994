"""What a programme can be made of: the catalogue of items and, for each kind of visit, its outline."""

from collections.abc import Mapping
from datetime import time
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from schemas.event import Frozen
from schemas.terms import Bilingual, Code, VisitKind

QUARTER = 15
"""Minutes of one step of the time grid."""

Role = Literal["host", "expert", "interpreter", "escort"]
Kind = Literal["welcome", "courtesy-call", "briefing", "workshop", "bilateral", "tour", "lunch", "closing"]


def _on_the_grid(moment: time) -> time:
    if moment.minute % QUARTER or moment.second or moment.microsecond or moment.tzinfo:
        raise ValueError(f"{moment} is not a local time of day on a quarter of an hour")
    return moment


QuarterTime = Annotated[time, AfterValidator(_on_the_grid)]
Minutes = Annotated[int, Field(multiple_of=QUARTER)]


class Hours(Frozen):
    """A span of one local day, from `start` until just before `end`."""

    start: QuarterTime
    end: QuarterTime

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end <= self.start:
            raise ValueError(f"the hours end at {self.end:%H:%M}, not after they start at {self.start:%H:%M}")
        return self


class Item(Frozen):
    """One kind of session in the catalogue, held once, for each theme, or for each site asked for.

    In the title of an item for a theme or site, ``{}`` stands for that theme's or site's own title.
    A theme's item takes its minutes from the theme, and a site's from the site, unless it has its own.
    """

    code: Code
    kind: Kind
    title: Bilingual
    each: Literal["visit", "day", "theme", "site"] = "visit"
    minutes: Minutes | None = Field(default=None, ge=15, le=480)
    roles: tuple[Role, ...] = Field(default=(), description="Who leads it; experts know the theme.")
    venues: tuple[Literal["meeting", "hall", "dining", "site"], ...] = ("meeting", "hall")
    features: tuple[Code, ...] = Field(default=(), description="What its venue has to offer.")
    after: tuple[Kind, ...] = Field(default=(), description="Kinds of which one has to be over before.")
    hours: Hours | None = Field(default=None, description="Held within these hours, through breaks.")

    @model_validator(mode="after")
    def _has_a_length(self) -> Self:
        if self.minutes is None and self.each in {"visit", "day"}:
            raise ValueError("an item that is for no theme or site needs the key minutes")
        if (self.each == "site") != (self.kind == "tour"):
            raise ValueError("an item of the kind tour, and no other, is for each site")
        return self


CATALOGUE = (
    Item(
        code="welcome", kind="welcome", minutes=30, roles=("host",),
        title=Bilingual(ar="استقبال الوفد", en="Welcome of the delegation"),
    ),
    Item(
        code="briefing", kind="briefing", each="theme", roles=("expert",), title=Bilingual(ar="{}", en="{}")
    ),
    Item(
        code="tour", kind="tour", each="site", roles=("escort",), venues=("site",),
        title=Bilingual(ar="جولة: {}", en="Tour: {}"),
    ),
    Item(
        code="closing", kind="closing", minutes=30, roles=("host",),
        title=Bilingual(ar="الجلسة الختامية", en="Closing session"),
    ),
)  # fmt: skip
"""The items of a Centre that names none of its own."""

OUTLINES: Mapping[VisitKind, tuple[Code, ...]] = dict.fromkeys(
    VisitKind, ("welcome", "briefing", "tour", "closing")
)
