"""Made-up Centres of any size: premises with ways between them, sites with caps, people with absences."""

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any

from benchmarks.programmes.catalogue import CATALOGUE, OUTLINES, THEMES
from services.scheduling.centre import Centre

YEAR = 2027
MOST_PEOPLE, MOST_VENUES = 300, 40

_WEEK = {
    "weekend": ["friday", "saturday"],
    "ordinary": {
        "hours": {"start": "08:00", "end": "15:00"},
        "breaks": [
            {"prayer": "dhuhr", "minutes": 30, "name": {"ar": "صلاة الظهر", "en": "Dhuhr prayer"}},
            {"start": "12:30", "end": "13:30", "name": {"ar": "استراحة الغداء", "en": "Lunch"}},
        ],
    },
    "ramadan": {
        "hours": {"start": "08:00", "end": "14:00"},
        "breaks": [{"prayer": "dhuhr", "minutes": 30, "name": {"ar": "صلاة الظهر", "en": "Dhuhr prayer"}}],
    },
}
_OFFICIAL = {
    "official_holidays": [
        {
            "replaces": "eid-al-fitr",
            "name": {"ar": "عيد الفطر", "en": "Eid al-Fitr"},
            "first": "2027-03-10",
            "last": "2027-03-13",
        }
    ],
    "official_ramadan": [{"year": 1448, "first": "2027-02-08", "last": "2027-03-09"}],
}
_PAIRS = (("ar", "en"), ("ar", "en"), ("ar", "fr"), ("en", "fr"), ("en", "es"), ("ar", "es"), ("en", "ru"))
_RANKS = ("director", "officer", "director_general", "director", "ambassador", "deputy_minister")
_FEATURES = ("step-free", "projector", "interpretation-booth", "hearing-loop")


def centre_for(visits: int, seed: int) -> Centre:
    """A Centre that can take about so many visits a year: up to 300 people and 40 venues."""
    dice = Random(f"centre {visits} {seed}")  # noqa: S311 -- made-up data
    venues = list(_venues(dice, min(MOST_VENUES, 9 + visits // 60)))
    sites = [venue["code"] for venue in venues if venue["kind"] == "site"]
    return Centre.model_validate(
        {
            "name": {"ar": "مركز للقياس", "en": "A Centre to measure"},
            "time_zone": "Asia/Bahrain",
            "position": {"latitude": 26.2, "longitude": 50.5},
            "week": _WEEK,
            **_OFFICIAL,
            "features": _FEATURES,
            "catalogue": CATALOGUE,
            "outlines": OUTLINES,
            "themes": THEMES,
            "travel": list(_travel(dice, sorted({venue["premises"] for venue in venues}))),
            "venues": venues,
            "people": list(_people(dice, min(MOST_PEOPLE, 26 + visits // 7), sites)),
        }
    )


def _venues(dice: Random, count: int) -> Iterator[dict[str, Any]]:
    """A quarter are sites on premises of their own, one in eight serve meals, the rest are rooms."""
    sites, dining = max(2, count // 4), max(1, count // 8)
    for number in range(count):
        if number < sites:
            yield _site(dice, number + 1)
        elif number < sites + dining:
            yield _room(dice, f"dining-{number - sites + 1}", "dining", dice.choice((40, 60, 80)))
        elif number == count - 1:
            yield _room(dice, "hall", "hall", 120, step_free=True)
        else:
            seats = (10, 12, 16, 20, 30)[number % 5]
            yield _room(dice, f"room-{number - sites - dining + 1}", "meeting", seats)


def _room(dice: Random, code: str, kind: str, seats: int, *, step_free: bool = False) -> dict[str, Any]:
    offered = {feature for feature in _FEATURES if dice.random() < 0.7}  # noqa: PLR2004
    return {
        "code": code,
        "name": {"ar": f"قاعة {code}", "en": code},
        "address": {"ar": "المركز", "en": "The Centre"},
        "kind": kind,
        "premises": "annex" if kind == "meeting" and dice.random() < 0.25 else "centre",  # noqa: PLR2004
        "capacity": seats,
        "features": sorted(offered | ({"step-free"} if step_free or kind == "dining" else set())),
        "closures": list(_spans(dice, dice.choice((0, 0, 1)), 5)),
    }


def _site(dice: Random, number: int) -> dict[str, Any]:
    cap = dice.choice((8, 10, 12, 15, 20))
    shut = [{"start": "12:00", "end": "13:30"}] if dice.random() < 0.3 else []  # noqa: PLR2004
    return {
        **_room(dice, f"site-{number}", "site", cap + 2, step_free=number == 1),
        "premises": f"site-{number}",
        "site": {
            "group_cap": cap,
            "tour_minutes": dice.choice((30, 45, 60, 60, 90)),
            "escort_gender": dice.choice((None, None, "female")),
            "media_allowed": dice.random() < 0.3,  # noqa: PLR2004
            "confidentiality_required": dice.random() < 0.5,  # noqa: PLR2004
            "after_briefing": dice.random() < 0.6,  # noqa: PLR2004
            "blackout_hours": shut,
        },
    }


def _travel(dice: Random, premises: list[str]) -> Iterator[dict[str, Any]]:
    for number, one in enumerate(premises):
        for other in premises[:number]:
            yield {"between": [other, one], "minutes": dice.choice((10, 15, 20, 25, 30, 40))}


def _people(dice: Random, count: int, sites: list[str]) -> Iterator[dict[str, Any]]:
    """A sixth are hosts, two fifths experts, a fifth interpreters, the rest escorts."""
    for number in range(count):
        role = ("host", "expert", "expert", "interpreter", "escort", "expert")[number % 6]
        if number % 30 == 29:  # noqa: PLR2004
            role = "host"
        yield {
            "code": f"{role}-{number + 1:03}",
            "name": {"latin": f"Person {number + 1}", "arabic": f"شخص {number + 1}"},
            "gender": dice.choice(("female", "male")) if number % 12 != 4 else "female",  # noqa: PLR2004
            "language": dice.choice(("ar", "en")),
            "roles": [role],
            **_skills(dice, role, number, sites),
            "country": "FR" if number % 25 == 9 else None,  # noqa: PLR2004
            "days_off": [dice.choice(("sunday", "monday", "thursday"))] if dice.random() < 0.1 else [],  # noqa: PLR2004
            "absences": list(_spans(dice, dice.choice((0, 1, 1, 2)), 14)),
        }


def _skills(dice: Random, role: str, number: int, sites: list[str]) -> dict[str, Any]:
    spoken = dice.choice((["ar"], ["ar", "en"], ["ar", "en"], ["ar", "en", "fr"], ["en", "fr"]))
    match role:
        case "host":
            return {"languages": sorted({"ar", *spoken}), "rank": _RANKS[number // 6 % len(_RANKS)]}
        case "expert":
            codes = [theme["code"] for theme in THEMES]
            known = {codes[number % len(codes)], *dice.sample(codes, 2)}
            return {
                "languages": spoken,
                "themes": sorted(known),
                "max_sessions_a_day": dice.choice((3, 4, 4)),
            }
        case "interpreter":
            pairs = {_PAIRS[number // 6 % len(_PAIRS)], dice.choice(_PAIRS)}
            spoken = sorted({language for pair in pairs for language in pair})
            return {"languages": spoken, "pairs": sorted(pairs), "max_sessions_a_day": 5}
        case _:
            led = {sites[number // 6 % len(sites)], *dice.sample(sites, min(len(sites), 2))}
            return {"languages": sorted({"ar", *spoken}), "sites": sorted(led)}


def _spans(dice: Random, count: int, longest: int) -> Iterator[dict[str, str]]:
    """Spans of days of the year, each in a part of it of its own, so that they do not overlap."""
    for part in range(count):
        first = date(YEAR, 1, 1) + timedelta(part * 180 + dice.randrange(150))
        last = first + timedelta(dice.randrange(longest))
        yield {"first": first.isoformat(), "last": last.isoformat()}
