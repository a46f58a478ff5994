"""The Centre's working days and hours."""

from datetime import UTC, date, datetime

import pytest

from schemas.terms import Bilingual, DateWindow
from services.scheduling.calendar import Interval, closed_because, free_intervals, in_ramadan, span_of
from services.scheduling.centre import OfficialHoliday, OfficialRamadan
from tests.unit.scheduling.factories import CENTRE

BARE = CENTRE.model_copy(update={"official_holidays": (), "official_ramadan": ()})


def utc(day: int, hour: int, minute: int = 0, month: int = 1) -> datetime:
    return datetime(2027, month, day, hour, minute, tzinfo=UTC)


def test_an_ordinary_day_is_open_around_prayer_and_lunch_in_utc():
    assert free_intervals(CENTRE, date(2027, 1, 3)) == (
        Interval(utc(3, 5), utc(3, 8, 30)),
        Interval(utc(3, 10), utc(3, 12)),
    )


@pytest.mark.parametrize("day", [date(2027, 1, 8), date(2027, 1, 9)])
def test_friday_and_saturday_are_the_weekend(day: date):
    assert free_intervals(CENTRE, day) == ()
    reason = closed_because(CENTRE, day)
    assert reason is not None
    assert reason.en == "the weekend"


def test_sunday_is_a_working_day():
    assert closed_because(CENTRE, date(2027, 1, 10)) is None


def test_public_holidays_are_named_in_both_languages():
    assert closed_because(BARE, date(2026, 12, 16)) == Bilingual(ar="العيد الوطني", en="National Day")


def test_a_computed_eid_closes_the_centre():
    reason = closed_because(BARE, date(2027, 3, 9))
    assert reason is not None
    assert reason.en == "Eid al-Fitr"


def test_an_announced_eid_wins_over_the_computed_one():
    announced = OfficialHoliday(
        replaces="eid-al-fitr",
        name=Bilingual(ar="عيد", en="Eid"),
        first=date(2027, 3, 10),
        last=date(2027, 3, 11),
    )
    centre = BARE.model_copy(update={"official_holidays": (announced,)})
    assert closed_because(centre, date(2027, 3, 9)) is None
    assert closed_because(centre, date(2027, 3, 11)) == announced.name


def test_an_announced_eid_leaves_other_feasts_alone():
    announced = OfficialHoliday(
        replaces="eid-al-fitr",
        name=Bilingual(ar="عيد", en="Eid"),
        first=date(2027, 3, 10),
        last=date(2027, 3, 11),
    )
    centre = BARE.model_copy(update={"official_holidays": (announced,)})
    reason = closed_because(centre, date(2027, 5, 17))
    assert reason is not None
    assert reason.en == "Eid al-Adha"


def test_ramadan_days_are_shorter_and_have_no_lunch_break():
    assert free_intervals(CENTRE, date(2027, 2, 14)) == (
        Interval(utc(14, 5, month=2), utc(14, 8, 30, month=2)),
        Interval(utc(14, 9, month=2), utc(14, 11, month=2)),
    )


def test_an_announced_ramadan_wins_over_the_computed_one():
    late = OfficialRamadan(year=1448, first=date(2027, 2, 9), last=date(2027, 3, 9))
    centre = BARE.model_copy(update={"official_ramadan": (late,)})
    assert in_ramadan(BARE, date(2027, 2, 8))
    assert not in_ramadan(centre, date(2027, 2, 8))
    assert in_ramadan(centre, date(2027, 2, 9))


def test_beyond_the_tables_of_the_hijri_calendar_ordinary_hours_hold():
    assert not in_ramadan(CENTRE, date(2090, 1, 2))


def test_a_window_spans_local_midnights():
    span = span_of(CENTRE, DateWindow(first=date(2027, 1, 3), last=date(2027, 1, 4)))
    assert span == Interval(utc(2, 21), utc(4, 21))
