"""A programme as a timetable: days as columns, sessions in lanes side by side, pauses between them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import combinations
from typing import Literal
from zoneinfo import ZoneInfo

from schemas.scheduling import Score, Slot
from schemas.terms import Bilingual, PersonName
from services.scheduling.calendar import Interval, breaks_of
from services.scheduling.centre import Centre

MIDNIGHT = 24 * 60


@dataclass(frozen=True)
class Pause:
    """A time without a session, aware UTC: a break of the Centre, or a group's way to its next place."""

    kind: Literal["break", "travel"]
    starts: datetime
    ends: datetime
    name: Bilingual
    group: int | None = None


@dataclass(frozen=True)
class Timetable:
    """What is drawn: the slots of a programme, its people by code, and its pauses; shown in ``time_zone``."""

    slots: tuple[Slot, ...]
    people: Mapping[str, PersonName]
    pauses: tuple[Pause, ...]
    time_zone: str
    score: Score | None = None

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which it is shown."""
        return ZoneInfo(self.time_zone)


@dataclass(frozen=True)
class Box:
    """Where a slot or a pause stands: from one minute of the local day to another, in lanes of its day."""

    what: Slot | Pause
    start: int
    end: int
    lane: int
    width: int
    """How many lanes it takes."""


@dataclass(frozen=True)
class Day:
    """A column: a local day with its slots and, behind them, its pauses, side by side in so many lanes."""

    date: date
    lanes: int
    slots: tuple[Box, ...]
    pauses: tuple[Box, ...]


def days_of(timetable: Timetable) -> tuple[Day, ...]:
    """The columns in order of time; every slot stands in one of them, on the day on which it starts."""
    dates = sorted({_local(timetable, slot.starts).date() for slot in timetable.slots})
    return tuple(_day(timetable, day) for day in dates)


def pauses_of(centre: Centre, slots: Iterable[Slot]) -> tuple[Pause, ...]:
    """The Centre's breaks on the days of a programme, and the ways between its premises."""
    ordered = sorted(slots, key=lambda slot: (slot.starts, slot.group or 0))
    dates = sorted({slot.starts.astimezone(centre.zone).date() for slot in ordered})
    breaks = tuple(
        Pause("break", span.start, span.end, name) for day in dates for span, name in breaks_of(centre, day)
    )
    return (*breaks, *_ways(centre, ordered, breaks))


def _ways(centre: Centre, ordered: list[Slot], breaks: tuple[Pause, ...]) -> Iterator[Pause]:
    """The ways to sessions: right after the one before, or, where a break is, just in time."""
    for slot in ordered:
        before = [one for one in ordered if one.ends <= slot.starts and _meet(one, slot)]
        last = max(before, key=lambda one: one.ends, default=None)
        if last is None or (slot.starts - last.ends) > timedelta(hours=12):
            continue
        way = timedelta(minutes=_minutes_between(centre, last.place.code, slot.place.code))
        after, at_last = Interval(last.ends, last.ends + way), Interval(slot.starts - way, slot.starts)
        in_break = any(pause.starts < after.end and after.start < pause.ends for pause in breaks)
        if way:
            span, minutes = at_last if in_break else after, round(way.total_seconds() / 60)
            name = Bilingual(ar=f"تنقل {minutes} د", en=f"Travel {minutes} min")
            yield Pause("travel", span.start, span.end, name, slot.group)


def _meet(one: Slot, other: Slot) -> bool:
    """Whether some of the delegation are in both."""
    return one.group is None or other.group is None or one.group == other.group


def _minutes_between(centre: Centre, one: str, other: str) -> int:
    places = [venue.premises for code in (one, other) if (venue := centre.venue(code))]
    return next((way.minutes for way in centre.travel if sorted(way.between) == sorted(places)), 0)


def _day(timetable: Timetable, day: date) -> Day:
    slots = [slot for slot in timetable.slots if _local(timetable, slot.starts).date() == day]
    spans = [(slot, *_minutes(timetable, slot.starts, slot.ends)) for slot in slots]
    spans.sort(key=lambda span: (span[1], span[0].group or 0))
    boxes = _in_lanes(spans)
    lanes = max(box.lane + box.width for box in boxes)
    pauses = [pause for pause in timetable.pauses if _local(timetable, pause.starts).date() == day]
    return Day(day, lanes, boxes, tuple(_behind(timetable, pause, boxes, lanes) for pause in pauses))


Span = tuple[Slot, int, int]


def _in_lanes(spans: list[Span]) -> tuple[Box, ...]:
    """Side by side what overlaps: a lane for each group when that suffices, sessions of all across them."""
    if not _any_overlap(spans):
        return tuple(Box(*span, lane=0, width=1) for span in spans)
    groups = sorted({slot.group for slot, _, _ in spans if slot.group is not None})
    boxes = tuple(
        Box(*span, groups.index(span[0].group), 1) if span[0].group else Box(*span, 0, max(len(groups), 1))
        for span in spans
    )
    apart = all(
        one.lane + one.width <= other.lane or other.lane + other.width <= one.lane
        for one, other in combinations(boxes, 2)
        if one.start < other.end and other.start < one.end
    )
    return boxes if apart else tuple(_as_free(spans))


def _any_overlap(spans: list[Span]) -> bool:
    return any(one[1] < other[2] and other[1] < one[2] for one, other in combinations(spans, 2))


def _as_free(spans: list[Span]) -> Iterator[Box]:
    """Each in the first lane that is free."""
    ends: list[int] = []
    for slot, start, end in spans:
        lane = next((lane for lane, until in enumerate(ends) if until <= start), len(ends))
        ends[lane : lane + 1] = [end]
        yield Box(slot, start, end, lane, 1)


def _behind(timetable: Timetable, pause: Pause, boxes: tuple[Box, ...], lanes: int) -> Box:
    """A pause takes the day's width; a group's way only that of the group."""
    start, end = _minutes(timetable, pause.starts, pause.ends)
    own = [box for box in boxes if isinstance(box.what, Slot) and box.what.group == pause.group]
    if pause.group is None or not own:
        return Box(pause, start, end, 0, lanes)
    return Box(pause, start, end, own[0].lane, own[0].width)


def _minutes(timetable: Timetable, starts: datetime, ends: datetime) -> tuple[int, int]:
    """Minutes of the local day; what ends on a later one is shown until midnight."""
    first, last = _local(timetable, starts), _local(timetable, ends)
    start = first.hour * 60 + first.minute
    end = MIDNIGHT if last.date() > first.date() else last.hour * 60 + last.minute
    return start, max(end, start + 1)


def _local(timetable: Timetable, moment: datetime) -> datetime:
    return moment.astimezone(timetable.zone)
