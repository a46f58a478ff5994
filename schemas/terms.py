"""Terms that the events of several services share: texts, names, dates, ranks."""

import re
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    EmailStr,
    Field,
    StringConstraints,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from schemas.event import Frozen


def _without_encoded_words(text: str) -> str:
    if "=?" in text:  # RFC 2047: a mail header would decode it, line breaks included
        raise ValueError("the characters =? are not allowed")
    return text


_CONTROL_CHARACTERS = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f]")
"""Unicode's category Cc without tab and line feed."""


def _without_control_characters(text: str) -> str:
    if _CONTROL_CHARACTERS.search(text):
        raise ValueError("control characters are not allowed")
    return text


Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=4000),
    AfterValidator(_without_control_characters),
]
Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=300, pattern=r"^[^\r\n]*$"),
    AfterValidator(_without_control_characters),
    AfterValidator(_without_encoded_words),
]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
LanguageTag = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
NoticeLanguage = Literal["ar", "en"]


_addresses: dict[str, str] = {}


def _once(text: object, validate: ValidatorFunctionWrapHandler) -> str:
    """Validate an address once: it comes in every event of a visit, and a look costs some 40 µs."""
    if not isinstance(text, str):
        return str(validate(text))
    if text not in _addresses:
        address = validate(text)
        if len(_addresses) >= 10_000:  # noqa: PLR2004
            _addresses.clear()
        _addresses[text] = address
    return _addresses[text]


Email = Annotated[EmailStr, WrapValidator(_once)]


def _in_our_time(instant: datetime) -> datetime:
    if not 2000 <= instant.year < 2100:  # noqa: PLR2004 -- arithmetic with it stays within the calendar
        raise ValueError("the year has to be between 2000 and 2099")
    return instant


Instant = Annotated[AwareDatetime, AfterValidator(_in_our_time)]
"""An instant that people name: with its offset, in the years 2000 to 2099."""


class VisitKind(StrEnum):
    """What kind of visit is asked for."""

    COURTESY = "courtesy"
    STUDY = "study"
    EXPERT = "expert"
    TRAINING = "training"


class Rank(StrEnum):
    """Protocol rank of a guest or host, highest first."""

    MINISTER = "minister"
    DEPUTY_MINISTER = "deputy_minister"
    AMBASSADOR = "ambassador"
    DIRECTOR_GENERAL = "director_general"
    DIRECTOR = "director"
    OFFICER = "officer"

    @property
    def order(self) -> int:
        """0 for the highest rank, rising downwards."""
        return list(Rank).index(self)


class Bilingual(Frozen):
    """One text in Arabic and English."""

    ar: Text
    en: Text


class PersonName(Frozen):
    """A person's name in both scripts, as in the passport."""

    latin: Line
    arabic: Line


class DateWindow(Frozen):
    """A span of days, both ends included, in the Centre's time zone."""

    first: date
    last: date

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last < self.first:
            raise ValueError(f"the window ends on {self.last} before it begins on {self.first}")
        return self


class Contact(Frozen):
    """Somebody at a ministry or mission whom notices about a visit reach."""

    name: PersonName
    email: Annotated[Email, AfterValidator(_without_encoded_words)] = Field(max_length=254)
    phone: Annotated[str, StringConstraints(pattern=r"^\+?[0-9 ()-]{5,30}$")] | None = None
    language: NoticeLanguage = "en"
