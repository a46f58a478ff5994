"""An independent check of solved programmes: no code of the model, dates of early 2027 by hand."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from schemas.scheduling import Slot
from schemas.visits import Needs
from services.scheduling.calendar import Interval
from services.scheduling.centre import Centre

BAHRAIN = ZoneInfo("Asia/Bahrain")
CLOSED = {date(2027, 1, 1), *(date(2027, 3, day) for day in (10, 11, 12, 13))}
RAMADAN = (date(2027, 2, 8), date(2027, 3, 9))
RANKS = ["minister", "deputy_minister", "ambassador", "director_general", "director", "officer"]
DURATIONS = {"welcome": 30, "closing": 30}


def complaints(
    centre: Centre,
    needs: Needs,
    slots: tuple[Slot, ...],
    busy: Mapping[str, tuple[Interval, ...]],
    now: datetime,
) -> list[str]:
    """Everything that is wrong with a programme; empty when it is right."""
    checks = (_sessions, _times, _places, _people, _languages, _order, _tours, _days)
    found = [complaint for check in checks for complaint in check(centre, needs, slots)]
    return [*found, *_clashes(slots, busy), *_limits(centre, slots, busy), *_past(slots, now)]


def _sessions(centre: Centre, needs: Needs, slots: tuple[Slot, ...]) -> Iterator[str]:
    keys = [slot.key for slot in slots]
    courtesy = needs.kind == "courtesy" and needs.days == 1
    wanted = {"welcome", "closing", *(f"tour-{site}" for site in needs.sites)}
    briefings = {f"briefing-{theme}" for theme in needs.themes}
    if len(keys) != len(set(keys)):
        yield "a key stands twice"
    if not wanted <= set(keys) or not set(keys) <= wanted | briefings:
        yield f"wrong sessions: {keys}"
    if not courtesy and not briefings <= set(keys):
        yield "a theme is missing"
    minutes = {f"briefing-{one.code}": one.minutes for one in centre.themes}
    minutes |= {f"tour-{one.code}": one.site.tour_minutes for one in centre.venues if one.site} | DURATIONS
    for slot in slots:
        if slot.ends - slot.starts != timedelta(minutes=minutes[slot.key]):
            yield f"{slot.key} has a wrong length"


def _times(_centre: Centre, _needs: Needs, slots: tuple[Slot, ...]) -> Iterator[str]:
    for slot in slots:
        starts, ends = slot.starts.astimezone(BAHRAIN), slot.ends.astimezone(BAHRAIN)
        day, begin, end = starts.date(), starts.time(), ends.time()
        ramadan = RAMADAN[0] <= day <= RAMADAN[1]
        closing, pause_end = (time(14), time(12)) if ramadan else (time(15), time(13))
        if day in CLOSED or day.strftime("%a") in {"Fri", "Sat"}:
            yield f"{slot.key} is on a closed day"
        if begin < time(8) or end > closing or ends.date() != day:
            yield f"{slot.key} is outside working hours"
        if begin < pause_end and end > time(11, 30):
            yield f"{slot.key} is in a break"
        if begin.minute % 15:
            yield f"{slot.key} is off the grid"


def _places(centre: Centre, needs: Needs, slots: tuple[Slot, ...]) -> Iterator[str]:
    venues = {venue.code: venue for venue in centre.venues}
    for slot in slots:
        venue = venues[slot.place.code]
        if venue.capacity < needs.size:
            yield f"{slot.key} does not fit into {venue.code}"
        if not set(needs.access_needs) <= set(venue.features):
            yield f"{venue.code} does not meet the access needs"
        if (slot.kind == "tour") != (venue.kind == "site"):
            yield f"{slot.key} is in a venue of the wrong kind"
        day = slot.starts.astimezone(BAHRAIN).date()
        if any(closure.first <= day <= closure.last for closure in venue.closures):
            yield f"{venue.code} is closed"


def _people(centre: Centre, needs: Needs, slots: tuple[Slot, ...]) -> Iterator[str]:
    people = {person.code: person for person in centre.people}
    roles = {"welcome": "host", "closing": "host", "briefing": "expert", "tour": "escort"}
    best = min(RANKS.index(one.rank) for one in centre.people if "host" in one.roles and one.rank)
    for slot in slots:
        leads = [one for one in slot.assignments if one.role != "interpreter"]
        if [one.role for one in leads] != [roles[slot.kind]]:
            yield f"{slot.key} has the wrong roles"
        day = slot.starts.astimezone(BAHRAIN).date()
        for one in slot.assignments:
            person = people[one.person]
            if one.role not in person.roles:
                yield f"{person.code} is no {one.role}"
            if any(away.first <= day <= away.last for away in person.absences):
                yield f"{person.code} is absent"
            if day.strftime("%A").lower() in person.days_off:
                yield f"{person.code} has a day off"
            if one.role == "expert" and slot.key.removeprefix("briefing-") not in person.themes:
                yield f"{person.code} does not know {slot.key}"
            rank = RANKS.index(person.rank or RANKS[-1])
            if one.role == "host" and rank > max(best, RANKS.index(needs.head_rank)):
                yield f"{person.code} is too low in rank"


def _languages(centre: Centre, needs: Needs, slots: tuple[Slot, ...]) -> Iterator[str]:
    people = {person.code: person for person in centre.people}
    for slot in slots:
        lead = next(people[one.person] for one in slot.assignments if one.role != "interpreter")
        helpers = [people[one.person] for one in slot.assignments if one.role == "interpreter"]
        shared = set(lead.languages) & set(needs.languages)
        if shared and helpers:
            yield f"{slot.key} has an interpreter whom nobody needs"
        if shared:
            continue
        pairs = {frozenset(pair) for helper in helpers for pair in helper.pairs}
        if not any(frozenset((a, b)) in pairs for a in lead.languages for b in needs.languages):
            yield f"{slot.key} cannot be understood"
        if len(helpers) != 1 or helpers[0].code == lead.code:
            yield f"{slot.key} has the wrong interpreters"


def _order(_centre: Centre, _needs: Needs, slots: tuple[Slot, ...]) -> Iterator[str]:
    if list(slots) != sorted(slots, key=lambda slot: slot.starts):
        yield "the slots are not in the order of time"
    if slots[0].key != "welcome" or slots[-1].key != "closing":
        yield "the welcome is not first or the closing not last"
    for one, following in pairwise(slots):
        gap = following.starts - one.ends
        if gap < timedelta(minutes=0 if one.place.code == following.place.code else 15):
            yield f"no time to go from {one.key} to {following.key}"


def _tours(centre: Centre, needs: Needs, slots: tuple[Slot, ...]) -> Iterator[str]:
    first_briefing = min((slot.ends for slot in slots if slot.kind == "briefing"), default=None)
    for slot in slots:
        site = next((venue for venue in centre.venues if slot.key == f"tour-{venue.code}"), None)
        if site is None or site.site is None:
            continue
        rules = site.site
        begin, end = (moment.astimezone(BAHRAIN).time() for moment in (slot.starts, slot.ends))
        early = first_briefing is None or slot.starts < first_briefing
        broken = {
            "is somewhere else": slot.place.code != site.code,
            "admits fewer": needs.size > rules.group_cap,
            "admits no media": needs.media and not rules.media_allowed,
            "needs confidentiality": rules.confidentiality_required and not needs.confidentiality_signed,
            "is before any briefing": rules.after_briefing and early,
            "has blackout hours": any(begin < one.end and end > one.start for one in rules.blackout_hours),
        }
        yield from (f"{slot.key} {what}" for what, is_so in broken.items() if is_so)
        yield from _escorts(centre, slot, site.code, rules.escort_gender)


def _escorts(centre: Centre, slot: Slot, site: str, gender: str | None) -> Iterator[str]:
    people = {person.code: person for person in centre.people}
    for one in slot.assignments:
        if one.role == "escort" and site not in people[one.person].sites:
            yield f"{one.person} is not cleared for {site}"
        if one.role == "escort" and gender not in {None, people[one.person].gender}:
            yield f"{one.person} may not escort at {site}"


def _days(_centre: Centre, needs: Needs, slots: tuple[Slot, ...]) -> Iterator[str]:
    days = sorted({slot.starts.astimezone(BAHRAIN).date() for slot in slots})
    if not any(window.first <= days[0] and days[-1] <= window.last for window in needs.windows):
        yield "outside the windows"
    if any(days[0] <= day <= days[-1] for day in needs.blackout_dates):
        yield "over a blackout date"
    between = (days[0] + timedelta(days=number) for number in range((days[-1] - days[0]).days + 1))
    working = [day for day in between if day not in CLOSED and day.strftime("%a") not in {"Fri", "Sat"}]
    if len(working) != needs.days:
        yield f"{len(working)} working days instead of {needs.days}"
    if needs.kind == "courtesy" and needs.days == 1 and slots[-1].ends - slots[0].starts > timedelta(hours=4):
        yield "longer than half a day"


def _clashes(slots: tuple[Slot, ...], busy: Mapping[str, tuple[Interval, ...]]) -> Iterator[str]:
    for slot in slots:
        resources = [f"venue:{slot.place.code}", *(f"person:{one.person}" for one in slot.assignments)]
        for resource in resources:
            for taken in busy.get(resource, ()):
                if slot.starts < taken.end and taken.start < slot.ends:
                    yield f"{resource} is taken during {slot.key}"
    for one, other in ((a, b) for a in slots for b in slots if a.key < b.key):
        if one.starts < other.ends and other.starts < one.ends:
            yield f"{one.key} and {other.key} overlap"


def _limits(
    centre: Centre, slots: tuple[Slot, ...], busy: Mapping[str, tuple[Interval, ...]]
) -> Iterator[str]:
    for person in centre.people:
        mine = [slot.starts for slot in slots if person.code in {one.person for one in slot.assignments}]
        others = [taken.start for taken in busy.get(f"person:{person.code}", ())]
        for day in {starts.astimezone(BAHRAIN).date() for starts in mine}:
            count = sum(starts.astimezone(BAHRAIN).date() == day for starts in (*mine, *others))
            if count > person.max_sessions_a_day:
                yield f"{person.code} has {count} sessions on {day}"


def _past(slots: tuple[Slot, ...], now: datetime) -> Iterator[str]:
    if slots[0].starts <= now:
        yield "begins in the past"
