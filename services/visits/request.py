"""The body of a visit request: every field a ministry can fill, and what may leave the service of it."""

from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from runtime.bodies import pointer_part
from schemas.event import Frozen
from schemas.terms import Code, Contact, DateWindow, LanguageTag, Line, Text, VisitKind
from schemas.visits import DelegationPeople, Guest, MinistryPeople, Needs
from services.visits.people import Leg, Member, Role

PERSONAL_FIELDS = ("focal_point", "alternates", "members")
"""The fields that hold personal data; they are stored apart from the others."""

Reference = Annotated[str, StringConstraints(pattern=r"^V-[0-9]{4}-[0-9]{6,}$")]


class LocalText(Frozen):
    """A text in Arabic, in English, or in both."""

    ar: Text | None = None
    en: Text | None = None

    @model_validator(mode="after")
    def _in_one_language_at_least(self) -> Self:
        if self.ar is None and self.en is None:
            raise ValueError("give the text in Arabic (ar), in English (en) or in both")
        return self


class NoteVerbale(Frozen):
    """The diplomatic note that the request comes with."""

    number: Line
    date: date


class Invitation(Frozen):
    """By whom and with which letter the ministry was invited."""

    invited_by: Line
    letter: Line | None = None


class Recurrence(Frozen):
    """How a recurring visit is repeated."""

    every_months: int = Field(ge=1, le=12)
    times: int = Field(ge=2, le=12)


class Urgency(Frozen):
    """How soon the visit has to be decided."""

    level: Literal["routine", "urgent", "emergency"] = "routine"
    reason: Text | None = Field(default=None, description="Wanted unless the level is routine.")


class Funding(Frozen):
    """Who pays."""

    by: Literal["sender", "host", "international_organisation", "shared"] = "sender"
    organisation: Line | None = None
    note: Text | None = None


class PreviousVisit(Frozen):
    """An earlier visit of the ministry to the Centre."""

    year: int = Field(ge=2000, le=2100)
    subject: Line
    reference: Reference | None = None


class Hotel(Frozen):
    """Where the delegation stays."""

    name: Line
    first_night: date | None = None
    nights: int | None = Field(default=None, ge=1, le=60)


class Vehicle(Frozen):
    """A kind of vehicle the delegation needs."""

    kind: Literal["car", "van", "bus", "protocol_car"]
    count: int = Field(default=1, ge=1, le=20)


class Logistics(Frozen):
    """Travel, lodging and courtesies of the delegation as a whole."""

    arrival: Leg | None = None
    departure: Leg | None = None
    hotel: Hotel | None = None
    pickup: bool = False
    vehicles: Annotated[tuple[Vehicle, ...], Field(max_length=10)] = ()
    flag: bool = Field(default=False, description="The flag is flown at the reception.")
    gifts: Line | None = Field(default=None, description="Gifts to be exchanged.")
    security_escort: bool = False
    remarks: Text | None = None


class VisitRequest(Frozen):
    """What a ministry asks for. `services.visits.intake` reads it and checks how the fields agree."""

    sender_reference: Line = Field(description="The ministry's own reference, one for each request.")
    note_verbale: NoteVerbale
    ministry: Line = Field(description="The requesting ministry or mission.")
    focal_point: Contact
    alternates: Annotated[tuple[Contact, ...], Field(max_length=10)] = ()
    kind: VisitKind
    type: Literal["one_time", "recurring"] = "one_time"
    recurrence: Recurrence | None = None
    invitation: Invitation | None = Field(default=None, description="None: on the ministry's own initiative.")
    subject: Line
    themes: Annotated[tuple[Code, ...], Field(max_length=20)] = Field(
        default=(), description="Codes of the catalogue, the most important first."
    )
    sites: Annotated[tuple[Code, ...], Field(max_length=20)] = ()
    objectives: LocalText | None = Field(
        default=None, description="Wanted unless the visit is a courtesy visit."
    )
    expected_results: LocalText | None = None
    windows: Annotated[tuple[DateWindow, ...], Field(min_length=1, max_length=10)] = Field(
        description="Spans of days in the Centre's time zone, the best first."
    )
    days: int = Field(ge=1, le=10, description="Working days; a half day counts 1.")
    blackout_dates: Annotated[tuple[date, ...], Field(max_length=366)] = ()
    size: int = Field(ge=1, le=200)
    members: Annotated[tuple[Member, ...], Field(min_length=1, max_length=200)]
    languages: Annotated[tuple[LanguageTag, ...], Field(min_length=1, max_length=10)] = Field(
        description="Languages the delegation works in."
    )
    urgency: Urgency = Urgency()
    funding: Funding = Funding()
    previous_visits: Annotated[tuple[PreviousVisit, ...], Field(max_length=50)] = ()
    parent_request: Reference | None = Field(default=None, description="The visit that this one continues.")
    logistics: Logistics = Logistics()
    access_needs: Annotated[tuple[Code, ...], Field(max_length=20)] = Field(
        default=(), examples=[["step-free"]]
    )
    media: bool = Field(default=False, description="Media accompany the delegation.")
    media_details: Text | None = None
    confidentiality_signed: bool = False
    remarks: Text | None = None

    @property
    def head(self) -> Member:
        """The head of the delegation. Raises `StopIteration` on a request that was never checked."""
        return next(member for member in self.members if member.role is Role.HEAD)


def needs_of(request: VisitRequest) -> Needs:
    """Tell what a programme has to satisfy."""
    return Needs(
        kind=request.kind,
        themes=request.themes,
        sites=request.sites,
        windows=request.windows,
        days=request.days,
        blackout_dates=request.blackout_dates,
        size=request.size,
        head_rank=request.head.rank,
        languages=request.languages,
        access_needs=request.access_needs,
        media=request.media,
        confidentiality_signed=request.confidentiality_signed,
        arrives=request.logistics.arrival.at if request.logistics.arrival else None,
        leaves=request.logistics.departure.at if request.logistics.departure else None,
        urgency=request.urgency.level,
    )


LIGHT = frozenset(
    {
        "sender_reference",
        "focal_point",
        "alternates",
        "previous_visits",
        "logistics",
        "media_details",
        "remarks",
    }
)
"""Fields that may change without a new approval."""

LIGHT_OF_MEMBERS = frozenset(
    {
        "title", "protocol_order", "passport", "visa_needed", "languages", "interpretation_into", "diet",
        "accessibility", "medical", "emergency_contact", "arrival", "departure", "consent",
    }
)  # fmt: skip
"""Fields of a member that may change without a new approval; who comes, and as what, is none of them."""


def approved_part(request: VisitRequest) -> dict[str, Any]:
    """Tell what an approval is about: everything but what is listed as light."""
    light: dict[str, Any] = dict.fromkeys(LIGHT, True)
    return request.model_dump(exclude={**light, "members": {"__all__": set(LIGHT_OF_MEMBERS)}})


def contacts_of(request: VisitRequest) -> tuple[Contact, ...]:
    """Tell whom to write to, the focal point first."""
    return (request.focal_point, *request.alternates)


def ministry_people(request: VisitRequest) -> MinistryPeople:
    """Tell whom to write to."""
    return MinistryPeople(focal_points=contacts_of(request))


def delegation_people(request: VisitRequest) -> DelegationPeople:
    """Tell whom to write to, who comes and what for; documents, health and travel stay behind."""
    return DelegationPeople(
        focal_points=contacts_of(request),
        subject=request.subject,
        guests=tuple(
            Guest(
                name=member.name,
                role=member.role.value,
                rank=member.rank,
                position=member.position,
                interpretation_into=member.interpretation_into,
            )
            for member in request.members
        ),
    )


def to_json(request: VisitRequest) -> dict[str, Any]:
    """Write the request as the ministry sent it, without the defaults it left to us."""
    return request.model_dump(mode="json", exclude_unset=True)


def changed_pointers(old: Any, new: Any, at: str = "") -> tuple[str, ...]:
    """List JSON pointers of what differs between two JSON values; a list of another length is one change."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*old, *(key for key in new if key not in old)]
        inner = [(pointer_part(key), old.get(key), new.get(key)) for key in keys]
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        inner = [(str(place), *pair) for place, pair in enumerate(zip(old, new, strict=True))]
    else:
        return () if old == new else (at,)
    return tuple(pointer for key, a, b in inner for pointer in changed_pointers(a, b, f"{at}/{key}"))
