"""The sessions of a programme: all that were asked for, no others, of the right length."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from benchmarks.programmes.verifier.case import Case
from benchmarks.programmes.verifier.days import working_days
from schemas.scheduling import Slot
from services.scheduling.catalogue import Item


def right_sessions(case: Case) -> Iterator[str]:
    """Every complaint about missing, additional and cut sessions and about the groups."""
    twice = [key for key, count in Counter(slot.key for slot in case.slots).items() if count > 1]
    if twice:
        yield f"a key stands twice: {', '.join(twice)}"
    keys, wanted = {slot.key for slot in case.slots}, set(_wanted(case))
    if surplus := keys - wanted:
        yield f"not asked for: {', '.join(sorted(surplus))}"
    if missing := wanted - keys - set(_left_out(case, keys)):
        yield f"missing: {', '.join(sorted(missing))}"
    for slot in case.new:
        item = case.item(slot)
        if item and slot.ends - slot.starts != timedelta(minutes=_minutes(case, item, slot)):
            yield f"{slot.key} has a wrong length"
    yield from _groups(case)


def _wanted(case: Case) -> Iterator[str]:
    for code in case.centre.outlines[case.needs.kind]:
        item = next(item for item in case.centre.catalogue if item.code == code)
        match item.each:
            case "visit":
                yield code
            case "theme":
                yield from (f"{code}-{theme}" for theme in case.needs.themes)
            case "day":
                yield from (f"{code}-{number}" for number in _numbers_of_days(case, item))
            case "site":
                for site in case.needs.sites:
                    yield from _tours(case, f"{code}-{site}", site)


def _numbers_of_days(case: Case, item: Item) -> Iterator[int]:
    """Days on which an item of each day is held: all, but no lunch in Ramadan."""
    for number, day in enumerate(working_days(case), start=1):
        if item.kind != "lunch" or not case.facts.is_ramadan(case.centre, day):
            yield number


def _tours(case: Case, key: str, site: str) -> Iterator[str]:
    venue = next(venue for venue in case.centre.venues if venue.code == site)
    cap = min(venue.site.group_cap if venue.site else 0, venue.capacity)
    if case.needs.size <= cap:
        yield key
        return
    numbers = {slot.group for slot in case.slots if slot.group}
    yield from (f"{key}-group-{number}" for number in numbers or {1})


def _left_out(case: Case, keys: set[str]) -> Iterator[str]:
    """On a half day the last themes may be missing: those after the last one that is treated."""
    if case.needs.kind != "courtesy" or case.needs.days != 1:
        return
    outline = case.centre.outlines[case.needs.kind]
    items = [item.code for item in case.centre.catalogue if item.code in outline and item.each == "theme"]
    treated = [any(f"{item}-{theme}" in keys for item in items) for theme in case.needs.themes]
    count = len(treated) - treated[::-1].index(True) if True in treated else 0
    for theme in case.needs.themes[count:]:
        yield from (f"{item}-{theme}" for item in items)


def _minutes(case: Case, item: Item, slot: Slot) -> int:
    if item.minutes:
        return item.minutes
    subject = case.subject(slot)
    if item.each == "theme":
        return next((theme.minutes for theme in case.centre.themes if theme.code == subject), 0)
    sites = {venue.code: venue.site.tour_minutes for venue in case.centre.venues if venue.site}
    return sites.get(subject, 0)


def _groups(case: Case) -> Iterator[str]:
    sizes: dict[int, set[int | None]] = {}
    for slot in case.slots:
        if slot.group:
            sizes.setdefault(slot.group, set()).add(slot.group_size)
        elif slot.group_size is not None:
            yield f"{slot.key} has a size and no group"
    if not sizes:
        return
    if any(len(group) > 1 or None in group for group in sizes.values()):
        yield "a group has not the same size everywhere"
    total = sum(size or 0 for group in sizes.values() for size in group)
    if set(sizes) != set(range(1, len(sizes) + 1)) or total != case.needs.size:
        yield f"the groups make {total} of {case.needs.size} guests"
