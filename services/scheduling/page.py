"""The timetable as a page: the picture, and below it every session in words; no script, ready for print."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from markupsafe import Markup

from schemas.scheduling import Slot
from schemas.terms import NoticeLanguage
from services.scheduling.drawing import picture
from services.scheduling.picture import ENVIRONMENT, svg
from services.scheduling.timetable import Timetable
from services.scheduling.words import clock, country, hijri, place_of, said, weekday, word

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-store",
}
"""With which the page is served."""


@dataclass(frozen=True)
class Heading:
    """What a page is about: a programme that is held, or, without a release, a preview of some."""

    reference: str | None = None
    ministry: str | None = None
    country: str | None = None
    release: int | None = None


@dataclass(frozen=True)
class _Sheet:
    timetable: Timetable
    drawing: Markup
    days: list[tuple[object, list[Slot]]]


def page(heading: Heading, timetables: Sequence[Timetable], language: NoticeLanguage) -> str:
    """The page of one or several timetables of a visit as HTML, every text escaped."""
    sheets = [_sheet(each, language, number) for number, each in enumerate(timetables, 1)]
    return ENVIRONMENT.get_template("timetable.html.j2").render(
        heading=heading,
        sheets=sheets,
        language=language,
        zone=place_of(language, timetables[0].zone),
        word=partial(word, language),
        said=partial(said, language),
        weekday=partial(weekday, language),
        hijri=partial(hijri, language),
        country=partial(country, language),
        clock=clock,
    )


def _sheet(timetable: Timetable, language: NoticeLanguage, number: int) -> _Sheet:
    drawing = Markup(svg(picture(timetable, language), f"t{number}-"))  # noqa: S704 -- escaped by its template
    ordered = sorted(timetable.slots, key=lambda slot: (slot.starts, slot.group or 0))
    days = groupby(ordered, key=lambda slot: slot.starts.astimezone(timetable.zone).date())
    return _Sheet(timetable, drawing, [(day, list(slots)) for day, slots in days])
