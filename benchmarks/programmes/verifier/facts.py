"""Public holidays and Ramadan of some years, entered by hand from the Umm al-Qura calendar."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from services.scheduling.centre import Centre, IslamicHoliday

Span = tuple[date, date]
Feast = IslamicHoliday | None

_LASTS: Mapping[IslamicHoliday, int] = {
    "eid-al-fitr": 3,
    "eid-al-adha": 3,
    "islamic-new-year": 1,
    "ashura": 2,
    "prophets-birthday": 1,
}
_FIRST_DAYS: Mapping[IslamicHoliday, tuple[str, ...]] = {
    "eid-al-fitr": ("2026-03-20", "2027-03-09", "2028-02-26", "2033-01-02", "2033-12-23"),
    "eid-al-adha": ("2026-05-27", "2027-05-16", "2028-05-05", "2033-03-11"),
    "islamic-new-year": ("2026-06-16", "2027-06-06", "2028-05-25", "2033-04-01"),
    "ashura": ("2026-06-25", "2027-06-14", "2028-06-02", "2033-04-09"),
    "prophets-birthday": ("2026-08-25", "2027-08-14", "2028-08-03", "2033-06-09"),
}
_FIXED = ("01-01", "05-01", "12-16", "12-17")
"""New Year, Labour Day, and the two days of the National Day."""

YEARS = (2026, 2027, 2028, 2033)
"""The years whose feasts are entered, 2033 with two Eid al-Fitr; the fixed days are there until 2034."""

_AS_FAR_AS = timedelta(days=20)


@dataclass(frozen=True)
class Facts:
    """The holidays by date with the Islamic feast that each is of, Ramadan by Hijri year, holidays abroad."""

    holidays: Mapping[date, Feast]
    ramadans: Mapping[int, Span]
    abroad: Mapping[str, frozenset[date]] = field(default_factory=dict)

    def is_holiday(self, centre: Centre, day: date) -> bool:
        """Whether a date is a holiday, those announced by the Centre considered."""
        official = centre.official_holidays
        if any(one.first <= day <= one.last for one in official):
            return True
        if day not in self.holidays:
            return False
        feast = self.holidays[day]
        return not any(
            feast and one.replaces == feast and one.first - _AS_FAR_AS <= day <= one.last + _AS_FAR_AS
            for one in official
        )

    def is_ramadan(self, centre: Centre, day: date) -> bool:
        """Whether a date is in Ramadan, as announced or else as calculated."""
        announced = {one.year: (one.first, one.last) for one in centre.official_ramadan}
        spans = {**self.ramadans, **announced}
        return any(first <= day <= last for first, last in spans.values())


def _feasts() -> dict[date, Feast]:
    found: dict[date, Feast] = {
        date.fromisoformat(f"{year}-{day}"): None for year in range(2026, 2035) for day in _FIXED
    }
    for name, first_days in _FIRST_DAYS.items():
        for text in first_days:
            for number in range(_LASTS[name]):
                day = date.fromisoformat(text) + timedelta(number)
                found[day] = found.get(day, name)
    return found


def _span(first: str, last: str) -> Span:
    return date.fromisoformat(first), date.fromisoformat(last)


FACTS = Facts(
    holidays=_feasts(),
    ramadans={
        1447: _span("2026-02-18", "2026-03-19"),
        1448: _span("2027-02-08", "2027-03-08"),
        1449: _span("2028-01-28", "2028-02-25"),
        1454: _span("2032-12-04", "2033-01-01"),
        1455: _span("2033-11-23", "2033-12-22"),
    },
    abroad={
        "FR": frozenset(
            date.fromisoformat(f"2027-{day}")
            for day in (
                "01-01", "03-29", "05-01", "05-06", "05-08", "05-17", "07-14", "08-15", "11-01", "11-11",
                "12-25",
            )
        )
    },
)  # fmt: skip
"""Bahrain's holidays of `YEARS`, and those of France in 2027."""
