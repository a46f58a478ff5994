"""A programme as a timetable: days as columns, sessions in lanes side by side, pauses between them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from schemas.scheduling import Score, Slot
from schemas.terms import Bilingual, PersonName
from services.scheduling.calendar import breaks_of
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
    breaks = (
        Pause("break", span.start, span.end, name) for day in dates for span, name in breaks_of(centre, day)
    )
    return (*breaks, *_ways(centre, ordered))


def _ways(centre: Centre, ordered: list[Slot]) -> Iterator[Pause]:
    for at, slot in enumerate(ordered):
        before = [one for one in ordered[:at] if one.ends <= slot.starts and _meet(one, slot)]
        if before and before[-1].starts.date() == slot.starts.date():
            minutes = _minutes_between(centre, before[-1].place.code, slot.place.code)
            name = Bilingual(ar=f"تنقل {minutes} د", en=f"Travel {minutes} min")
            if minutes:
                yield Pause("travel", slot.starts - timedelta(minutes=minutes), slot.starts, name, slot.group)


def _meet(one: Slot, other: Slot) -> bool:
    """Whether some of the delegation are in both."""
    return one.group is None or other.group is None or one.group == other.group


def _minutes_between(centre: Centre, one: str, other: str) -> int:
    places = [venue.premises for code in (one, other) if (venue := centre.venue(code))]
    return next((way.minutes for way in centre.travel if sorted(way.between) == sorted(places)), 0)


def _day(timetable: Timetable, day: date) -> Day:
    slots = [slot for slot in timetable.slots if _local(timetable, slot.starts).date() == day]
    boxes = tuple(_in_lanes(timetable, sorted(slots, key=lambda slot: (slot.starts, slot.group or 0))))
    lanes = max(box.lane + box.width for box in boxes)
    pauses = [pause for pause in timetable.pauses if _local(timetable, pause.starts).date() == day]
    return Day(day, lanes, boxes, tuple(_behind(timetable, pause, boxes, lanes) for pause in pauses))


def _in_lanes(timetable: Timetable, slots: list[Slot]) -> Iterator[Box]:
    """Slots that overlap, directly or through others, share the day's width in as many lanes as needed."""
    spans = [(slot, *_minutes(timetable, slot.starts, slot.ends)) for slot in slots]
    widest = max(len(_lanes(cluster)) for cluster in _clusters(spans))
    for cluster in _clusters(spans):
        lanes = _lanes(cluster)
        for lane, members in enumerate(lanes):
            first, last = lane * widest // len(lanes), (lane + 1) * widest // len(lanes)
            for slot, start, end in members:
                yield Box(slot, start, end, first, last - first)


Span = tuple[Slot, int, int]


def _clusters(spans: list[Span]) -> Iterator[list[Span]]:
    cluster: list[Span] = []
    for span in spans:
        if cluster and span[1] >= max(end for _, _, end in cluster):
            yield cluster
            cluster = []
        cluster.append(span)
    yield cluster


def _lanes(cluster: list[Span]) -> list[list[Span]]:
    """Lanes without overlaps: a group stays in its own as far as that is free."""
    lanes: list[list[Span]] = []
    for span in cluster:
        free = [lane for lane in lanes if lane[-1][2] <= span[1]]
        own = [lane for lane in free if lane[-1][0].group == span[0].group]
        if free:
            (own or free)[0].append(span)
        else:
            lanes.append([span])
    return sorted(lanes, key=lambda lane: (lane[0][0].group or 0, lane[0][1]))


def _behind(timetable: Timetable, pause: Pause, boxes: tuple[Box, ...], lanes: int) -> Box:
    """A pause takes the day's width; a group's way to its next place only that of the place's slot."""
    start, end = _minutes(timetable, pause.starts, pause.ends)
    ahead = [box for box in boxes if isinstance(box.what, Slot) and box.what.group == pause.group]
    to = next((box for box in ahead if box.start == end), None) if pause.kind == "travel" else None
    return Box(pause, start, end, to.lane if to else 0, to.width if to else lanes)


def _minutes(timetable: Timetable, starts: datetime, ends: datetime) -> tuple[int, int]:
    """Minutes of the local day; what ends on a later one is shown until midnight."""
    first, last = _local(timetable, starts), _local(timetable, ends)
    start = first.hour * 60 + first.minute
    end = MIDNIGHT if last.date() > first.date() else last.hour * 60 + last.minute
    return start, max(end, start + 1)


def _local(timetable: Timetable, moment: datetime) -> datetime:
    return moment.astimezone(timetable.zone)
