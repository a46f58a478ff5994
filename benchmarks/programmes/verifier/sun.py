"""Prayer times by Spencer's series for the sun (1971): another way than the service's, within two minutes."""

from datetime import UTC, date, datetime, time, timedelta
from math import acos, atan, cos, pi, radians, sin, tan

from services.scheduling.centre import Position, Prayer

TOLERANCE = timedelta(minutes=2)


def begins(prayer: Prayer, position: Position, day: date) -> datetime:
    """When a prayer's time begins, aware UTC: Dhuhr at the sun's transit, Asr by a shadow's own length."""
    noon = datetime.combine(day, time(12), UTC) - timedelta(minutes=4 * position.longitude)
    turn = 2 * pi * (noon.timetuple().tm_yday - 1 + (noon.hour - 12) / 24) / 365
    transit = noon - timedelta(minutes=_sundial_ahead(turn))
    if prayer == "dhuhr":
        return transit
    latitude, declination = radians(position.latitude), _declination(turn)
    height = atan(1 / (1 + tan(abs(latitude - declination))))
    hour_angle = acos((sin(height) - sin(latitude) * sin(declination)) / (cos(latitude) * cos(declination)))
    return transit + timedelta(hours=12 * hour_angle / pi)


def _declination(turn: float) -> float:
    return (
        0.006918
        - 0.399912 * cos(turn)
        + 0.070257 * sin(turn)
        - 0.006758 * cos(2 * turn)
        + 0.000907 * sin(2 * turn)
        - 0.002697 * cos(3 * turn)
        + 0.00148 * sin(3 * turn)
    )


def _sundial_ahead(turn: float) -> float:
    """Minutes."""
    return 229.18 * (
        0.000075
        + 0.001868 * cos(turn)
        - 0.032077 * sin(turn)
        - 0.014615 * cos(2 * turn)
        - 0.040849 * sin(2 * turn)
    )
