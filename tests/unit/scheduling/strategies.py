"""Random small Centres and requests for them, hostile corners included."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from hypothesis import strategies as st

from benchmarks.programmes.catalogue import CATALOGUE as RICH
from benchmarks.programmes.catalogue import OUTLINES as RICH_OUTLINES
from schemas.visits import Needs
from services.scheduling.calendar import Booked, Interval
from services.scheduling.centre import Centre
from services.scheduling.problem import Problem

SECONDS = 2.0

PLACES = (
    ("Asia/Bahrain", 26.2, 50.5),
    ("Europe/Paris", 48.9, 2.3),
    ("America/New_York", 40.7, -74.0),
    ("Asia/Beirut", 33.9, 35.5),
)
"""Time zones, the last one with a spring change at midnight, and where they are."""

CORNERS = (
    date(2027, 1, 3),
    date(2027, 2, 6),  # Ramadan begins
    date(2027, 3, 7),  # Eid al-Fitr; America/New_York changes on the 14th
    date(2027, 3, 25),  # Europe/Paris and Asia/Beirut change on the 28th
    date(2027, 5, 13),  # Eid al-Adha
    date(2027, 10, 28),  # Europe/Paris changes on the 31st
    date(2027, 11, 4),  # America/New_York changes on the 7th
    date(2032, 12, 28),  # Ramadan of 1454 ends, Eid al-Fitr, first of the year
    date(2033, 12, 18),  # and the second
)
THEMES = ("law", "data", "shelters")
RANKS = ("minister", "ambassador", "director", "officer")
OPTIONS = st.booleans()


def subset(of: tuple[str, ...], least: int = 0) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(of), min_size=least, unique=True).map(sorted)


languages = st.sampled_from((["ar", "en"], ["ar"], ["en"], ["fr"], ["en", "fr"]))
seldom = st.sampled_from([*[False] * 15, True])


@st.composite
def centres(draw: st.DrawFn) -> Centre:
    zone, latitude, longitude = draw(st.sampled_from(PLACES))
    rooms = [_room(draw, f"room-{n}", "meeting") for n in range(draw(st.integers(1, 3)))]
    rooms += (
        [{**_room(draw, "dining", "dining"), "capacity": 25}]
        if draw(st.sampled_from((True, True, False)))
        else []
    )
    sites = [_site(draw, f"site-{n}") for n in range(draw(st.integers(1, 2)))]
    premises = sorted({one["premises"] for one in (*rooms, *sites)})
    ways = [(one, other) for number, one in enumerate(premises) for other in premises[:number]]
    return Centre.model_validate(
        {
            "name": _named("Centre"),
            "time_zone": zone,
            "position": {"latitude": latitude, "longitude": longitude},
            "week": _week(draw),
            "features": ["step-free", "projector"],
            "interpreting": {
                "longest_spell": draw(st.sampled_from((45, 60, 90))),
                "rest": draw(st.sampled_from((15, 30))),
            },
            "themes": [
                {"code": code, "title": _named(code), "minutes": draw(st.sampled_from((60, 75, 90)))}
                for code in THEMES
            ],
            "travel": [{"between": way, "minutes": draw(st.sampled_from((5, 20, 45, 100)))} for way in ways],
            "venues": [*rooms, *sites],
            "people": _people(draw, [site["code"] for site in sites]),
            **_catalogue(draw, rich=any(room["kind"] == "dining" for room in rooms)),
        }
    )


def _catalogue(draw: st.DrawFn, *, rich: bool) -> dict[str, Any]:
    if not rich:
        return {}
    items: list[dict[str, Any]] = [{**item} for item in RICH]
    tour = next(item for item in items if item["code"] == "tour")
    tour["after"] = draw(st.sampled_from(([], ["welcome"], ["briefing", "workshop"])))
    lunch = next(item for item in items if item["code"] == "lunch")
    lunch["roles"] = draw(st.sampled_from(([], ["host"])))
    return {"catalogue": items, "outlines": RICH_OUTLINES}


def _week(draw: st.DrawFn) -> dict[str, Any]:
    prayer = {"prayer": "dhuhr", "minutes": draw(st.sampled_from((20, 30))), "name": _named("Dhuhr")}
    asr = {"prayer": "asr", "minutes": 20, "name": _named("Asr")}
    lunch = {"start": "12:30", "end": "13:30", "name": _named("Lunch")}
    ways: tuple[list[Any], ...] = ([lunch], [prayer], [prayer, lunch], [prayer, lunch, asr])
    breaks = draw(st.sampled_from(ways))
    return {
        "weekend": draw(st.sampled_from((["friday", "saturday"], ["saturday", "sunday"]))),
        "ordinary": {
            "hours": {"start": "08:00", "end": draw(st.sampled_from(("14:30", "17:00")))},
            "breaks": breaks,
        },
        "ramadan": {"hours": {"start": "09:00", "end": "14:00"}, "breaks": breaks[:1]},
    }


def _room(draw: st.DrawFn, code: str, kind: str) -> dict[str, Any]:
    return {
        "code": code,
        "name": _named(code),
        "address": _named("address"),
        "kind": kind,
        "premises": draw(st.sampled_from(("main", "main", "annex"))),
        "capacity": draw(st.sampled_from((25, 10, 25, 4))),
        "features": draw(st.sampled_from((["projector", "step-free"], ["projector"], []))),
        "closures": [{"first": "2027-01-04", "last": "2027-01-05"}] if draw(seldom) else [],
    }


def _site(draw: st.DrawFn, code: str) -> dict[str, Any]:
    rules: dict[str, Any] = {
        "group_cap": draw(st.sampled_from((20, 5, 3))),
        "tour_minutes": draw(st.sampled_from((30, 60, 120))),
        "escort_required": not draw(seldom),
        "escort_gender": draw(st.sampled_from((None, None, "female"))),
        "media_allowed": draw(OPTIONS),
        "confidentiality_required": draw(seldom),
        "after_briefing": draw(OPTIONS),
        "blackout_hours": draw(st.sampled_from(([], [{"start": "08:00", "end": "11:00"}]))),
    }
    return {**_room(draw, code, "site"), "premises": draw(st.sampled_from(("main", code))), "site": rules}


def _people(draw: st.DrawFn, sites: list[str]) -> list[dict[str, Any]]:
    counts = {"host": (1, 3), "expert": (2, 4), "interpreter": (1, 5), "escort": (1, 4)}
    return [
        _person(draw, role, f"{role}-{number}", sites)
        for role, (least, most) in counts.items()
        for number in range(draw(st.integers(least, most)))
    ]


def _person(draw: st.DrawFn, role: str, code: str, sites: list[str]) -> dict[str, Any]:
    pairs = st.lists(st.sampled_from((("ar", "en"), ("ar", "fr"), ("en", "fr"))), min_size=1, max_size=2)
    skills: dict[str, dict[str, Any]] = {
        "host": {"rank": draw(st.sampled_from(RANKS))},
        "expert": {"themes": draw(subset(THEMES, 2))},
        "interpreter": {"pairs": draw(pairs)},
        "escort": {"sites": draw(subset(tuple(sites), 1))},
    }
    roles = [role, "escort"] if role == "expert" and draw(seldom) else [role]
    return {
        "code": code,
        "name": {"latin": code, "arabic": code},
        "gender": draw(st.sampled_from(("female", "male"))),
        "language": "ar",
        "roles": roles,
        "languages": draw(languages),
        **({"sites": sites} if "escort" in roles and role != "escort" else {}),
        **skills[role],
        "country": "FR" if draw(seldom) else None,
        "days_off": ["monday"] if draw(seldom) else [],
        "absences": [{"first": "2027-02-08", "last": "2027-02-09"}] if draw(seldom) else [],
        "max_sessions_a_day": draw(st.integers(2, 6)),
    }


def _named(text: str) -> dict[str, str]:
    return {"ar": f"اسم {text}", "en": text}


@st.composite
def requests(draw: st.DrawFn, centre: Centre) -> Needs:
    first = draw(st.sampled_from(CORNERS)) + timedelta(draw(st.integers(0, 4)))
    days = draw(st.integers(1, 3))
    windows = [(first, first + timedelta(draw(st.sampled_from((days + 4, days + 6, days + 2, days - 1)))))]
    if draw(OPTIONS):
        windows.append((first + timedelta(10), first + timedelta(10 + days)))
    sites = tuple(venue.code for venue in centre.venues if venue.site)
    flights = draw(seldom)
    return Needs.model_validate(
        {
            "kind": draw(st.sampled_from(("courtesy", "study", "expert", "training"))),
            "themes": draw(subset(THEMES)) + (["alchemy"] if draw(seldom) and draw(seldom) else []),
            "sites": draw(subset(sites)),
            "windows": [{"first": one, "last": other} for one, other in windows],
            "days": days,
            "blackout_dates": [first + timedelta(1)] if draw(seldom) else [],
            "size": draw(st.sampled_from((4, 7, 2, 10, 4, 24))),
            "head_rank": draw(st.sampled_from(RANKS)),
            "languages": draw(languages),
            "access_needs": ["step-free"] if draw(seldom) else [],
            "media": draw(seldom),
            "confidentiality_signed": not draw(seldom),
            "arrives": _instant(centre, first, 9) if flights else None,
            "leaves": _instant(centre, first + timedelta(days), 16) if flights else None,
        }
    )


def _instant(centre: Centre, day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour, 10), centre.zone).astimezone(UTC)


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    centre = draw(centres())
    needs = draw(requests(centre))
    first = min(window.first for window in needs.windows)
    now = _instant(centre, first, 0) - timedelta(hours=draw(st.sampled_from((-34, 3, 500))))
    country = draw(st.sampled_from((None, "FR", "SA")))
    return Problem(centre, needs, draw(calendars(centre, first)), now, SECONDS, country=country)


@st.composite
def calendars(draw: st.DrawFn, centre: Centre, first: date) -> dict[str, tuple[Interval, ...]]:
    """Bookings and blocks; now and then everybody is busy for days."""
    everything = [f"person:{one.code}" for one in centre.people]
    everything += [f"venue:{one.code}" for one in centre.venues]
    midnight = datetime.combine(first, time(), UTC)
    if draw(seldom) and draw(seldom):
        return dict.fromkeys(everything, (Interval(midnight, midnight + timedelta(days=4)),))
    spans = st.lists(_spans(centre, midnight), max_size=4).map(tuple)
    taken = draw(st.dictionaries(st.sampled_from([*everything, "centre"]), spans, max_size=8))
    blocks = tuple(Interval(span.start, span.end) for span in taken.get("centre", ()))
    if draw(st.sampled_from((False, False, False, True))):  # experts come late: what follows them waits
        late = Interval(midnight, midnight + timedelta(hours=draw(st.sampled_from((8, 11, 36)))))
        taken |= {f"person:{one.code}": (late,) for one in centre.in_role("expert")}
    return {**taken, **({"centre": blocks} if blocks else {})}


def _spans(centre: Centre, midnight: datetime) -> st.SearchStrategy[Interval]:
    venues = st.sampled_from([None, *(venue.code for venue in centre.venues)])
    starts = st.integers(0, 6 * 96).map(lambda quarter: midnight + timedelta(minutes=15 * quarter))
    return st.builds(_span, starts, st.integers(1, 12), venues)


def _span(start: datetime, quarters: int, venue: str | None) -> Interval:
    end = start + timedelta(minutes=15 * quarters)
    return Interval(start, end) if venue is None else Booked(start, end, venue)
