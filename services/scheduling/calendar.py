"""When the Centre works: working days, holidays, Ramadan and the free intervals of a day."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache

from hijridate import Gregorian
from holidays import HolidayBase, country_holidays, list_supported_countries
from holidays.countries.bahrain import Bahrain

from schemas.terms import Bilingual, DateWindow
from services.scheduling.centre import Break, Centre, OfficialHoliday, PrayerBreak, Weekday, WorkingDay
from services.scheduling.prayer import prayer_time

RAMADAN = 9
_KNOWN_COUNTRIES = frozenset(list_supported_countries())
_ENGLISH = {
    "eid-al-fitr": "Eid al-Fitr",
    "eid-al-adha": "Eid al-Adha",
    "islamic-new-year": "Islamic New Year",
    "ashura": "Ashura",
    "prophets-birthday": "Prophet's Birthday",
}
_SAME_FEAST = timedelta(days=20)
"""An announced feast overrules the computed one nearby; a Gregorian year can hold the same feast twice."""
_WEEKEND = Bilingual(ar="عطلة نهاية الأسبوع", en="the weekend")


@dataclass(frozen=True, order=True)
class Interval:
    """A half-open span of time between two aware UTC instants."""

    start: datetime
    end: datetime


@dataclass(frozen=True, order=True)
class Booked(Interval):
    """A span in which a resource has a part in another visit's session, in the venue of that code."""

    venue: str


def closed_because(centre: Centre, day: date) -> Bilingual | None:
    """Why the Centre does not work on a date, by name of the holiday; nothing when it works."""
    for official in centre.official_holidays:
        if official.first <= day <= official.last:
            return official.name
    for name in _computed_holidays(day.year).get(day, ()):
        if not any(_overrules(official, name.en, day) for official in centre.official_holidays):
            return name
    return _WEEKEND if Weekday.of(day) in centre.week.weekend else None


def in_ramadan(centre: Centre, day: date) -> bool:
    """Whether Ramadan hours hold on a date; announced dates win over computed ones."""
    if any(ramadan.first <= day <= ramadan.last for ramadan in centre.official_ramadan):
        return True
    try:
        hijri = Gregorian(day.year, day.month, day.day).to_hijri()
    except OverflowError:  # the calculation ends in 2077: ordinary hours are the best guess
        return False
    announced = {ramadan.year for ramadan in centre.official_ramadan}
    return bool(hijri.month == RAMADAN) and hijri.year not in announced


def free_intervals(centre: Centre, day: date) -> tuple[Interval, ...]:
    """The working time of a date without its breaks, as aware UTC intervals in order; none when closed."""
    if closed_because(centre, day) is not None:
        return ()
    return tuple(_without_breaks(centre, day, _working_day(centre, day)))


def prayers(centre: Centre, day: date) -> tuple[Interval, ...]:
    """The breaks of a date that are prayers, computed, as aware UTC intervals; also of a closed day."""
    breaks = _working_day(centre, day).breaks
    return tuple(_span(centre, day, one) for one in breaks if isinstance(one, PrayerBreak))


def _working_day(centre: Centre, day: date) -> WorkingDay:
    return centre.week.ramadan if in_ramadan(centre, day) else centre.week.ordinary


def without(spans: Iterable[Interval], taken: Iterable[Interval]) -> tuple[Interval, ...]:
    """What is left of the spans outside of what is taken, in order."""
    left = sorted(spans)
    for gone in taken:
        left = [
            Interval(start, end)
            for span in left
            for start, end in (
                (span.start, min(span.end, gone.start)),
                (max(span.start, gone.end), span.end),
            )
            if start < end
        ]
    return tuple(left)


def days_off_abroad(country: str | None, days: Iterable[Iterable[date]]) -> frozenset[date]:
    """Which of the days are weekend or public holiday in a country (ISO 3166); none when it is not known."""
    wanted = {day for run in days for day in run}
    if country is None or country not in _KNOWN_COUNTRIES:
        return frozenset()
    found = set[date]()
    for day in wanted:
        there = _holidays_of(country, day.year)
        if day in there or day.weekday() in there.weekend:
            found.add(day)
    return frozenset(found)


def is_holiday_in(country: str, day: date) -> bool:
    """Whether a date is a public holiday in a country (ISO 3166); never when it is not known."""
    return country in _KNOWN_COUNTRIES and day in _holidays_of(country, day.year)


@cache
def _holidays_of(country: str, year: int) -> HolidayBase:
    return country_holidays(country, years=year)


def local(centre: Centre, day: date, moment: time) -> datetime:
    """The UTC instant of a local time of day on a date."""
    return datetime.combine(day, moment, centre.zone).astimezone(UTC)


def _without_breaks(centre: Centre, day: date, working: WorkingDay) -> Iterator[Interval]:
    free_from, closing = (local(centre, day, moment) for moment in (working.hours.start, working.hours.end))
    for pause in sorted(_span(centre, day, one) for one in working.breaks):
        until = min(pause.start, closing)
        if free_from < until:
            yield Interval(free_from, until)
        free_from = max(free_from, pause.end)
    if free_from < closing:
        yield Interval(free_from, closing)


def _span(centre: Centre, day: date, pause: Break | PrayerBreak) -> Interval:
    if isinstance(pause, Break):
        return Interval(local(centre, day, pause.start), local(centre, day, pause.end))
    assert centre.position is not None  # noqa: S101 -- the master data were refused otherwise
    start = prayer_time(pause.prayer, centre.position, day)
    return Interval(start, start + timedelta(minutes=pause.minutes))


def _overrules(official: OfficialHoliday, computed_name: str, day: date) -> bool:
    if official.replaces is None or _ENGLISH[official.replaces] != computed_name:
        return False
    return official.first - _SAME_FEAST <= day <= official.last + _SAME_FEAST


@cache
def _computed_holidays(year: int) -> dict[date, tuple[Bilingual, ...]]:
    english = Bahrain(years=year, language="en_US", islamic_show_estimated=False)
    arabic = Bahrain(years=year, language="ar", islamic_show_estimated=False)
    return {
        day: tuple(
            Bilingual(ar=ar, en=en)
            for ar, en in zip(arabic.get_list(day), english.get_list(day), strict=True)
        )
        for day in english
    }


def span_of(centre: Centre, window: DateWindow) -> Interval:
    """A window of local days as one UTC interval, from midnight to midnight."""
    return Interval(
        local(centre, window.first, time()), local(centre, window.last + timedelta(days=1), time())
    )


def breaks_of(centre: Centre, day: date) -> tuple[tuple[Interval, Bilingual], ...]:
    """The breaks of a date, as aware UTC intervals in order, each with its name; none when closed."""
    if closed_because(centre, day) is not None:
        return ()
    breaks = ((_span(centre, day, one), one.name) for one in _working_day(centre, day).breaks)
    return tuple(sorted(breaks, key=lambda named: named[0]))
