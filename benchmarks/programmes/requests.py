"""A made-up year of requests for visits, as they come in."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from random import Random

from benchmarks.programmes.catalogue import THEMES
from schemas.visits import Needs
from services.scheduling.centre import Centre

FIRST_DAY = date(2026, 12, 1)
"""When the first requests come in, for visits from the new year on."""

DAYS = 330

_KINDS = ("courtesy", "courtesy", "study", "study", "study", "study", "study", "expert", "training")
_DAYS = {"courtesy": (1, 1, 1, 2), "study": (2, 3, 3, 4), "expert": (2, 2, 3), "training": (3, 4, 5)}
_LANGUAGES = (
    *([["ar"]] * 8), *([["en"]] * 6), *([["ar", "en"]] * 3), ["fr"], ["fr"], ["en", "fr"], ["es"], ["ru"]
)  # fmt: skip
_COUNTRIES = ("SA", "QA", "KW", "AE", "OM", "JO", "EG", "MA", "FR", "GB", "US", "ID", "PH", "LK", "ES")
_RANKS = ("minister", "ambassador", "director_general", "director", "director", "director", "officer")
_URGENCY = ("routine",) * 8 + ("urgent", "emergency")
_NOTICE = {"routine": (28, 90), "urgent": (10, 20), "emergency": (3, 8)}
"""Days from the request to its first window, at least and at most."""


@dataclass(frozen=True)
class Request:
    """One request: when it was approved (aware, UTC), whence, and what it needs."""

    at: datetime
    country: str
    needs: Needs


def year_of_requests(centre: Centre, visits: int, seed: int) -> tuple[Request, ...]:
    """So many requests over a year in the order of their approval."""
    dice = Random(f"requests {visits} {seed}")  # noqa: S311 -- made-up data
    moments = sorted(dice.randrange(DAYS * 24 * 60) for _ in range(visits))
    midnight = datetime.combine(FIRST_DAY, time(), centre.zone)
    return tuple(_request(dice, centre, midnight + timedelta(minutes=moment)) for moment in moments)


def typical(centre: Centre, at: datetime, number: int, seed: int) -> Request:
    """A typical visit of three days: six themes, a site, a dozen guests, two windows of two weeks."""
    dice = Random(f"typical {number} {seed}")  # noqa: S311 -- made-up data
    first = at.date() + timedelta(21 + dice.randrange(40))
    request = _request(dice, centre, at)
    windows = [_window(first, 14), _window(first + timedelta(21), 14)]
    needs = request.needs.model_copy(update={"arrives": None, "leaves": None}).model_dump()
    return Request(
        request.at,
        request.country,
        Needs.model_validate(
            needs
            | {
                "kind": "study",
                "days": 3,
                "size": dice.randrange(6, 16),
                "themes": dice.sample([theme["code"] for theme in THEMES], 6),
                "sites": needs["sites"][:1] or [_sites(centre)[0]],
                "windows": windows,
                "media": False,
                "confidentiality_signed": True,
                "languages": dice.choice((["ar"], ["en"], ["fr"])),
            }
        ),
    )


def _request(dice: Random, centre: Centre, at: datetime) -> Request:
    kind, urgency = dice.choice(_KINDS), dice.choice(_URGENCY)
    days = dice.choice(_DAYS[kind])
    first = at.date() + timedelta(dice.randint(*_NOTICE[urgency]))
    windows = list(_windows(dice, first, days))
    arrival = _travel_dates(dice, centre, windows[0]) if len(windows) == 1 else {}
    themes = dice.sample([theme["code"] for theme in THEMES], dice.randint(1, min(2 * days - 1, 6)))
    return Request(
        at,
        dice.choice(_COUNTRIES),
        Needs.model_validate(
            {
                "kind": kind,
                "urgency": urgency,
                "days": days,
                "themes": themes,
                "sites": dice.sample(_sites(centre), _tours(dice, days)),
                "windows": windows,
                "blackout_dates": [windows[0]["first"]] if dice.random() < 0.1 else [],  # noqa: PLR2004
                "size": _size(dice),
                "head_rank": dice.choice(_RANKS),
                "languages": dice.choice(_LANGUAGES),
                "access_needs": ["step-free"] if dice.random() < 0.08 else [],  # noqa: PLR2004
                "media": dice.random() < 0.05,  # noqa: PLR2004
                "confidentiality_signed": dice.random() < 0.93,  # noqa: PLR2004
                **arrival,
            }
        ),
    )


def _tours(dice: Random, days: int) -> int:
    """How many sites a delegation asks for: few of those that come for a half day ask for one."""
    return dice.choice((0, 0, 0, 1)) if days == 1 else dice.choice((0, 1, 1, 1, 2))


def _sites(centre: Centre) -> list[str]:
    return [venue.code for venue in centre.venues if venue.site]


def _size(dice: Random) -> int:
    """Most delegations are small; one in twelve needs the hall, and groups at the sites."""
    return dice.randrange(25, 45) if dice.random() < 1 / 12 else min(24, 3 + int(dice.expovariate(1 / 5)))


def _windows(dice: Random, first: date, days: int) -> Iterator[dict[str, date]]:
    for _ in range(dice.choice((1, 2, 2, 3))):
        length = days + 2 + dice.randrange(12)
        yield _window(first, length)
        first += timedelta(length + dice.randrange(10))


def _window(first: date, days: int) -> dict[str, date]:
    return {"first": first, "last": first + timedelta(days - 1)}


def _travel_dates(dice: Random, centre: Centre, window: dict[str, date]) -> dict[str, datetime]:
    """One in three of those with a single window has its flights booked."""
    if dice.random() > 1 / 3:
        return {}
    arrives = datetime.combine(window["first"], time(dice.choice((1, 5, 6))), centre.zone)
    leaves = datetime.combine(window["last"], time(dice.choice((18, 21, 23))), centre.zone)
    return {"arrives": arrives, "leaves": leaves}
