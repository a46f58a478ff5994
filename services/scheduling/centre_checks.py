"""What is wrong between the entries of the Centre's master data, each of which may be right by itself."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from pydantic import TypeAdapter, ValidationError

from schemas.terms import VisitKind
from services.scheduling.catalogue import CATALOGUE, OUTLINES, Item
from services.scheduling.centre import (
    OfficialHoliday,
    OfficialRamadan,
    Person,
    PrayerBreak,
    Theme,
    Travel,
    Venue,
    WorkingDay,
)

Location = tuple[int | str, ...]
"""Keys and indexes from the root of the file to an entry."""

Found = Iterator[tuple[Location, str]]

LONGEST_KEY = 60
"""Letters that the key of a session may have, with the number of its group."""

OPENING = ("welcome", "courtesy-call")
ONCE = (*OPENING, "closing")

_SECTIONS: Mapping[str, TypeAdapter[Any]] = {
    "catalogue": TypeAdapter(Item),
    "themes": TypeAdapter(Theme),
    "venues": TypeAdapter(Venue),
    "people": TypeAdapter(Person),
}
_WEEK = ("ordinary", "ramadan")


def inconsistencies(raw: Any) -> Found:
    """Each fault with where it stands; ``raw`` is the file's root mapping as plain values."""
    for section in _SECTIONS:
        yield from _duplicate_codes(raw, section)
    yield from _about_venues(raw)
    yield from _about_people(raw)
    yield from _about_items(raw)
    yield from _about_outlines(raw)
    yield from _about_travel(raw)
    yield from _about_time(raw)


def _about_venues(raw: Any) -> Found:
    features, venues = _features(raw), _sound(raw, "venues", _SECTIONS["venues"])
    if venues and all(venue.kind == "site" for venue in venues.values()):
        yield ("venues",), "at least one venue must be a room and no site"
    for index, venue in venues.items():
        at: Location = ("venues", index)
        yield from _unknown((*at, "features"), venue.features, features, "feature")
        yield from _overlaps((*at, "closures"), venue.closures)


def _about_people(raw: Any) -> Found:
    themes, codes = _codes(raw, "themes"), _codes(raw, "venues")
    rooms = {one.code for one in _sound(raw, "venues", _SECTIONS["venues"]).values() if one.kind != "site"}
    for index, person in _sound(raw, "people", _SECTIONS["people"]).items():
        at: Location = ("people", index)
        yield from _unknown((*at, "themes"), person.themes, themes, "theme")
        yield from _unknown((*at, "sites"), person.sites, codes, "venue")
        for number, code in enumerate(person.sites):
            if code in rooms:
                yield (*at, "sites", number), f"the venue {code} is not a site"
        yield from _overlaps((*at, "absences"), person.absences)


def _about_items(raw: Any) -> Found:
    features = _features(raw)
    kinds = {venue.kind for venue in _sound(raw, "venues", _SECTIONS["venues"]).values()}
    longest = {
        "theme": max(map(len, _codes(raw, "themes")), default=0),
        "site": max(map(len, _codes(raw, "venues")), default=0) + len("-group-1"),
    }
    for index, item in _sound(raw, "catalogue", _SECTIONS["catalogue"]).items():
        at: Location = ("catalogue", index)
        yield from _unknown((*at, "features"), item.features, features, "feature")
        if item.kind in OPENING and item.after:
            yield (*at, "after"), f"a {item.kind} comes before everything else: leave the key after out"
        if item.kind in ONCE and item.each != "visit":
            yield (*at, "each"), f"a {item.kind} is held once a visit: leave the key each out"
        if "closing" in item.after:
            yield (*at, "after"), "nothing comes after a closing"
        if "interpreter" in item.roles:
            yield (*at, "roles"), "interpreters come where they are needed: leave the role interpreter out"
        if kinds and not kinds & {*item.venues}:
            yield (*at, "venues"), f"there is no venue of the kind {' or '.join(item.venues)}"
        if len(item.code) + 1 + longest.get(item.each, 0) > LONGEST_KEY:
            yield (
                (*at, "code"),
                f"with the code of a {item.each} it has over {LONGEST_KEY} letters: shorten one of them",
            )
        if item.hours and not _within_some_day(raw, item):
            yield (*at, "hours"), "the item is longer than these hours, or they lie outside the working hours"


def _within_some_day(raw: Any, item: Item) -> bool:
    days = list(_sound(raw.get("week"), None, TypeAdapter(WorkingDay), keys=_WEEK).values())
    hours = item.hours
    assert hours is not None  # noqa: S101 -- the caller looked
    length = (hours.end.hour - hours.start.hour) * 60 + hours.end.minute - hours.start.minute
    inside = [day for day in days if day.hours.start <= hours.start and hours.end <= day.hours.end]
    return length >= (item.minutes or 0) and (not days or bool(inside))


def _about_outlines(raw: Any) -> Found:
    outlines = raw.get("outlines") if "outlines" in raw else dict(OUTLINES)
    if not isinstance(outlines, dict):
        return
    for kind in VisitKind:
        if kind not in outlines:
            yield ("outlines",), f"the outline of the kind of visit {kind} is missing"
    for kind, codes in outlines.items():
        if isinstance(codes, list | tuple):
            at: Location = ("outlines", kind) if "outlines" in raw else ("catalogue",)
            yield from _about_outline(raw, at, codes)


def _about_outline(raw: Any, at: Location, codes: Sequence[Any]) -> Found:
    items = {item.code: item for item in _sound(raw, "catalogue", _SECTIONS["catalogue"]).values()}
    known = _codes(raw, "catalogue") if "catalogue" in raw else {item.code for item in CATALOGUE}
    for index, code in enumerate(codes):
        if code not in known:
            yield (*at, index), f"there is no item {code} in the catalogue"
        elif code in codes[:index]:
            yield (*at, index), f"the item {code} stands twice here"
    if not codes:
        yield at, "an outline needs one item at least"
    wanted = [items[code] for code in codes if code in items]
    kinds, possible = {item.kind for item in wanted}, set[str]()
    for _ in wanted:  # what comes after something possible becomes possible, turn by turn
        possible |= {item.kind for item in wanted if not item.after or possible & {*item.after}}
    for item in wanted:
        first = " or ".join(item.after)
        if item.after and not kinds & {*item.after}:
            yield at, f"the item {item.code} comes after a {first}, and the outline has none"
        elif item.after and not possible & {*item.after}:
            yield at, f"the item {item.code} comes after a {first} that itself comes after it"


def _about_travel(raw: Any) -> Found:
    premises = sorted({one.premises for one in _sound(raw, "venues", _SECTIONS["venues"]).values()})
    seen: set[frozenset[str]] = set()
    for index, travel in _sound(raw, "travel", TypeAdapter(Travel)).items():
        at: Location = ("travel", index, "between")
        yield from _unknown(at, travel.between, {*premises}, "premises")
        pair = frozenset(travel.between)
        if len(pair) == 1:
            yield at, f"from {travel.between[0]} to {travel.between[0]} there is no way"
        elif pair in seen:
            yield at, f"the way between {' and '.join(sorted(pair))} stands twice"
        seen.add(pair)
    for here, there in combinations(premises, 2):
        if {here, there} not in seen:
            yield ("travel",), f"the way between {here} and {there} is missing: say how many minutes it takes"


def _about_time(raw: Any) -> Found:
    for section, kind in (("official_holidays", OfficialHoliday), ("official_ramadan", OfficialRamadan)):
        spans = _sound(raw, section, TypeAdapter(kind))
        for index, span in spans.items():
            for other in (spans[number] for number in spans if number < index):
                if span.first <= other.last and other.first <= span.last:
                    yield (
                        (section, index),
                        f"{span.first} to {span.last} overlaps {other.first} to {other.last}",
                    )
    for day, working in _sound(raw.get("week"), None, TypeAdapter(WorkingDay), keys=_WEEK).items():
        prayers = [number for number, one in enumerate(working.breaks) if isinstance(one, PrayerBreak)]
        if prayers and not raw.get("position"):
            yield ("week", day, "breaks", prayers[0]), "a prayer's time needs the key position of the Centre"


def _features(raw: Any) -> set[str]:
    return set(raw.get("features") or ()) if isinstance(raw.get("features"), list | None) else set()


def _sound(
    raw: Any, section: str | None, kind: TypeAdapter[Any], keys: tuple[str, ...] = ()
) -> dict[Any, Any]:
    """The entries of a list, or under some keys, that are right by themselves."""
    entries = raw if section is None else _entries(raw, section)
    numbered = enumerate(entries) if isinstance(entries, list) else ()
    named = [(key, entries[key]) for key in keys if isinstance(entries, dict) and key in entries]
    sound = {}
    for index, entry in (*numbered, *named):
        try:
            sound[index] = kind.validate_python(entry)
        except ValidationError:
            continue
    return sound


def _entries(raw: Any, section: str) -> list[Any]:
    entries = raw.get(section)
    return entries if isinstance(entries, list) else []


def _codes(raw: Any, section: str) -> set[str]:
    entries = (entry.get("code") for entry in _entries(raw, section) if isinstance(entry, dict))
    return {code for code in entries if isinstance(code, str)}


def _duplicate_codes(raw: Any, section: str) -> Found:
    seen: set[str] = set()
    for index, entry in enumerate(_entries(raw, section)):
        code = entry.get("code") if isinstance(entry, dict) else None
        if isinstance(code, str) and code in seen:
            yield (section, index, "code"), f"the code {code} is already taken in {section}"
        elif isinstance(code, str):
            seen.add(code)


def _unknown(at: Location, wanted: tuple[str, ...], known: set[str], what: str) -> Found:
    for index, code in enumerate(wanted):
        if code not in known:
            yield (*at, index), f"there is no {what} {code}"


def _overlaps(at: Location, spans: tuple[Any, ...]) -> Found:
    for index, span in enumerate(spans):
        for other in spans[:index]:
            if span.first <= other.last and other.first <= span.last:
                yield (
                    (*at, index),
                    (f"{span.first} to {span.last} overlaps {other.first} to {other.last} of the same list"),
                )
