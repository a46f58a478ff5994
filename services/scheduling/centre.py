"""The Centre's master data as frozen models: its themes, venues, people, working week and feasts."""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, EmailStr, Field, model_validator

from schemas.event import Frozen
from schemas.terms import (
    Bilingual,
    Code,
    Country,
    DateWindow,
    LanguageTag,
    NoticeLanguage,
    PersonName,
    Rank,
    VisitKind,
)
from services.scheduling.catalogue import CATALOGUE, OUTLINES, Hours, Item, Minutes, Role

Gender = Literal["female", "male"]
Prayer = Literal["dhuhr", "asr"]
IslamicHoliday = Literal["eid-al-fitr", "eid-al-adha", "islamic-new-year", "ashura", "prophets-birthday"]


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{name!r} is not a time zone of the IANA database") from error
    return name


class Weekday(StrEnum):
    """A day of the week, in the order of `datetime.date.weekday`."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"

    @classmethod
    def of(cls, day: date) -> Self:
        """The weekday of a date."""
        return list(cls)[day.weekday()]


class Break(Hours):
    """A pause of the working day in which no session takes place."""

    name: Bilingual


class PrayerBreak(Frozen):
    """A pause that begins with a prayer time, computed for the Centre's position and the date."""

    prayer: Prayer
    minutes: int = Field(default=30, ge=5, le=90)
    name: Bilingual


class WorkingDay(Frozen):
    """Opening hours of one kind of day and its breaks."""

    hours: Hours
    breaks: tuple[Break | PrayerBreak, ...] = ()


class Position(Frozen):
    """A place on earth in decimal degrees, north and east positive."""

    latitude: float = Field(ge=-65, le=65, description="Nearer to a pole not every prayer has its time.")
    longitude: float = Field(ge=-180, le=180)


class WorkingWeek(Frozen):
    """When the Centre works, in its own time zone."""

    weekend: tuple[Weekday, ...]
    ordinary: WorkingDay
    ramadan: WorkingDay


class OfficialHoliday(DateWindow):
    """A holiday as announced; `replaces` names the Islamic holiday whose computed dates it overrules."""

    name: Bilingual
    replaces: IslamicHoliday | None = None


class OfficialRamadan(DateWindow):
    """The first and last day of a Ramadan as announced; overrules the computed ones of its Hijri year."""

    year: int = Field(ge=1343, le=1500, description="Hijri year.")


class Theme(Frozen):
    """A subject on which the Centre briefs delegations."""

    code: Code
    title: Bilingual
    minutes: Minutes = Field(default=75, ge=60, le=90)


class SiteRules(Frozen):
    """What a visit to a site has to respect."""

    group_cap: int = Field(ge=1, description="Visitors at one time.")
    tour_minutes: Minutes = Field(default=60, ge=30, le=180)
    escort_required: bool = True
    escort_gender: Gender | None = None
    media_allowed: bool = False
    confidentiality_required: bool = False
    after_briefing: bool = Field(default=True, description="Shown only after at least one briefing.")
    blackout_hours: tuple[Hours, ...] = Field(default=(), description="Closed to visitors every day.")


class Venue(Frozen):
    """A room or site; `capacity` counts guests, the Centre's own people come on top."""

    code: Code
    name: Bilingual
    address: Bilingual
    kind: Literal["meeting", "hall", "dining", "site"]
    premises: Code = Field(
        default="centre", description="Where it is; `travel` tells how far they are apart."
    )
    capacity: int = Field(ge=1)
    features: tuple[Code, ...] = ()
    closures: tuple[DateWindow, ...] = ()
    site: SiteRules | None = None

    @model_validator(mode="after")
    def _site_has_rules(self) -> Self:
        if (self.kind == "site") != (self.site is not None):
            raise ValueError("a venue of the kind site, and no other, has site rules under the key site")
        return self


class Person(Frozen):
    """Somebody of the Centre who may have a part in a programme; the code must not tell the name."""

    code: Code
    name: PersonName
    gender: Gender
    email: EmailStr | None = None
    language: NoticeLanguage
    roles: tuple[Role, ...] = Field(min_length=1)
    languages: tuple[LanguageTag, ...] = Field(min_length=1)
    rank: Rank | None = None
    themes: tuple[Code, ...] = Field(default=(), description="What an expert speaks about.")
    pairs: tuple[tuple[LanguageTag, LanguageTag], ...] = Field(
        default=(), description="Languages between which an interpreter works, both ways."
    )
    sites: tuple[Code, ...] = Field(default=(), description="Sites an escort may lead to.")
    country: Country | None = Field(
        default=None, description="Whose public holidays this person keeps; none: the Centre's only."
    )
    days_off: tuple[Weekday, ...] = ()
    absences: tuple[DateWindow, ...] = ()
    max_sessions_a_day: int = Field(default=4, ge=1, le=12)

    @model_validator(mode="after")
    def _has_what_the_roles_need(self) -> Self:
        needed = {"host": self.rank, "expert": self.themes, "interpreter": self.pairs, "escort": self.sites}
        keys = {"host": "rank", "expert": "themes", "interpreter": "pairs", "escort": "sites"}
        for role in self.roles:
            if not needed[role]:
                raise ValueError(f"the role {role} needs the key {keys[role]}")
        return self


class Interpreting(Frozen):
    """How long somebody may interpret alone; a longer session has two who take turns."""

    longest_spell: Minutes = Field(default=90, ge=15, le=240)
    rest: Minutes = Field(
        default=15, ge=15, le=120, description="Between two spells that are longer together."
    )


class Travel(Frozen):
    """How long the way between two premises takes, in both directions."""

    between: tuple[Code, Code]
    minutes: int = Field(ge=1, le=480)


class Centre(Frozen):
    """All master data of the Centre."""

    name: Bilingual
    time_zone: Annotated[str, AfterValidator(_known_zone)]
    position: Position | None = Field(default=None, description="Needed where a break is a prayer.")
    week: WorkingWeek
    official_holidays: tuple[OfficialHoliday, ...] = ()
    official_ramadan: tuple[OfficialRamadan, ...] = ()
    features: tuple[Code, ...] = Field(default=(), description="What venues may offer.")
    catalogue: tuple[Item, ...] = Field(default=CATALOGUE, min_length=1)
    outlines: Mapping[VisitKind, tuple[Code, ...]] = Field(
        default=OUTLINES, description="The items of each kind of visit, by code."
    )
    interpreting: Interpreting = Interpreting()
    travel: tuple[Travel, ...] = ()
    themes: tuple[Theme, ...] = Field(min_length=1)
    venues: tuple[Venue, ...] = Field(min_length=1)
    people: tuple[Person, ...] = Field(min_length=1)

    @property
    def zone(self) -> ZoneInfo:
        """The Centre's time zone."""
        return ZoneInfo(self.time_zone)

    @property
    def content_hash(self) -> str:
        """Tells two states of the master data apart, whatever the file's comments and layout."""
        return sha256(self.model_dump_json().encode()).hexdigest()

    def theme(self, code: str) -> Theme | None:
        """The theme of that code."""
        return next((theme for theme in self.themes if theme.code == code), None)

    def venue(self, code: str) -> Venue | None:
        """The venue of that code."""
        return next((venue for venue in self.venues if venue.code == code), None)

    def person(self, code: str) -> Person | None:
        """The person of that code."""
        return next((person for person in self.people if person.code == code), None)

    def in_role(self, role: Role) -> tuple[Person, ...]:
        """Everybody who has that role."""
        return tuple(person for person in self.people if role in person.roles)
