"""The personal part of a request: whom to write to and who comes, identity documents included."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.event import Frozen
from schemas.terms import Country, Instant, LanguageTag, Line, PersonName, Rank, Text

Phone = Annotated[str, StringConstraints(pattern=r"^\+?[0-9 ()-]{5,30}$")]


class Role(StrEnum):
    """The part of a member in the delegation."""

    HEAD = "head"
    DEPUTY = "deputy"
    MEMBER = "member"
    SUPPORT = "support"
    MEDIA = "media"
    SECURITY = "security"


class Level(StrEnum):
    """How well somebody speaks a language (CEFR)."""

    BASIC = "A2"
    INDEPENDENT = "B1"
    UPPER = "B2"
    ADVANCED = "C1"
    PROFICIENT = "C2"
    NATIVE = "native"


class LanguageSkill(Frozen):
    """A language that a member speaks."""

    language: LanguageTag
    level: Level


class Passport(Frozen):
    """The identity document that a member travels with; it never leaves this service."""

    type: Literal["ordinary", "official", "service", "diplomatic", "laissez_passer"]
    number: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{5,20}$")] = Field(examples=["X0000001"])
    issued_by: Country
    expires: date


class EmergencyContact(Frozen):
    """Whom to call when something happens to a member."""

    name: Line
    relation: Line | None = None
    phone: Phone


class Leg(Frozen):
    """An arrival in, or a departure from, the host country."""

    at: Instant = Field(description="The instant, with its offset.", examples=["2027-02-14T08:05:00+03:00"])
    flight: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2}[0-9]{1,4}$")] | None = Field(
        default=None, examples=["GF0535"]
    )
    place: Line | None = Field(default=None, description="Airport, causeway or port.")


class Replacement(Frozen):
    """Who comes instead if the member cannot."""

    name: PersonName
    rank: Rank
    position: Line


class Member(Frozen):
    """One person of the delegation."""

    name: PersonName
    role: Role = Role.MEMBER
    rank: Rank
    position: Line
    title: Line | None = Field(default=None, examples=["H.E."])
    organisation: Line | None = Field(default=None, description="None: the requesting ministry.")
    protocol_order: int | None = Field(default=None, ge=1, le=200)
    nationality: Country | None = None
    date_of_birth: date | None = None
    sex: Literal["female", "male"] | None = None
    passport: Passport | None = None
    visa_needed: bool = False
    languages: Annotated[tuple[LanguageSkill, ...], Field(max_length=10)] = ()
    interpretation_into: LanguageTag | None = Field(
        default=None, description="The language the member needs interpretation into; none when not set."
    )
    diet: Line | None = None
    accessibility: Line | None = None
    medical: Text | None = None
    emergency_contact: EmergencyContact | None = None
    arrival: Leg | None = Field(default=None, description="When it differs from the delegation's.")
    departure: Leg | None = Field(default=None, description="When it differs from the delegation's.")
    replacement: Replacement | None = None
    consent: bool = Field(default=False, description="Agrees that the data about health and diet are used.")
