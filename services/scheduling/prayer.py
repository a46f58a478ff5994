"""Prayer times within working hours, computed for a place and a date."""

from datetime import UTC, date, datetime, time, timedelta
from math import acos, asin, atan, atan2, cos, degrees, radians, sin, tan

from services.scheduling.centre import Position, Prayer

_J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)


def prayer_time(prayer: Prayer, position: Position, day: date) -> datetime:
    """When the time of a prayer begins on a date, aware UTC, to about a minute.

    Dhuhr begins when the sun has crossed the meridian; Asr when a shadow is longer than at noon by the
    height of what casts it (the rule of all schools but the Hanafi). The sun's place is the
    low-precision formula of the Astronomical Almanac (1950 to 2050 within 0.01 degrees).
    """
    noon = datetime.combine(day, time(12), UTC) - timedelta(hours=position.longitude / 15)
    declination, equation = _sun(noon)
    transit = noon - equation
    if prayer == "dhuhr":
        return transit
    latitude = radians(position.latitude)
    altitude = atan(1 / (1 + tan(abs(latitude - declination))))
    cosine = (sin(altitude) - sin(latitude) * sin(declination)) / (cos(latitude) * cos(declination))
    return transit + timedelta(hours=degrees(acos(cosine)) / 15)


def _sun(instant: datetime) -> tuple[float, timedelta]:
    """The sun's declination in radians, and by how much a sundial is ahead of the clock."""
    days = (instant - _J2000) / timedelta(days=1)
    anomaly = radians(357.529 + 0.98560028 * days)
    mean_longitude = 280.459 + 0.98564736 * days
    longitude = radians(mean_longitude + 1.915 * sin(anomaly) + 0.020 * sin(2 * anomaly))
    obliquity = radians(23.439 - 0.00000036 * days)
    ascension = degrees(atan2(cos(obliquity) * sin(longitude), cos(longitude)))
    ahead = (mean_longitude - ascension + 180) % 360 - 180
    return asin(sin(obliquity) * sin(longitude)), timedelta(hours=ahead / 15)
