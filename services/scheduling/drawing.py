"""Where everything of a timetable's picture stands, in pixels."""

from collections.abc import Iterator
from dataclasses import dataclass

from schemas.scheduling import Slot
from schemas.terms import NoticeLanguage
from services.scheduling.fitting import cut, first_lines
from services.scheduling.timetable import Box, Day, Pause, Timetable, days_of
from services.scheduling.words import clock, hijri, said, weekday, word

WIDTH = 1120
"""Of the picture; A4 in landscape has about so many pixels at 96 to the inch."""

MARGIN, GUTTER, TITLE, HEAD, GAP = 12, 52, 34, 46, 18
HOURS_HEIGHT = 676
"""Of the hours of a panel, so that it fits on the page."""

LEAST_HOUR, MOST_HOUR = 84, 112
"""Height of an hour: half of it holds a title, a place and the people, however long the day is."""

LANES = 7
"""Days stand beside each other as long as they have no more lanes than these together."""

WIDEST_LANE = 500
TEXT, LINE = 11.5, 12.5
INSET = 7.0
LEAST_HEIGHT = 11

_FILLS = {
    "welcome": "#e3ecf7",
    "closing": "#e3ecf7",
    "courtesy-call": "#e3ecf7",
    "briefing": "#e6f1e3",
    "workshop": "#e6f1e3",
    "bilateral": "#f6ecd9",
    "tour": "#f3e4ee",
    "lunch": "#f4f0d8",
}
_PLAIN = "#ececec"
_RLI, _PDI = "\u2067", "\u2069"


@dataclass(frozen=True)
class Line:
    """One line of text at its baseline; ``x`` is where it begins in its language."""

    x: float
    y: float
    text: str
    bold: bool = False
    size: float = TEXT


@dataclass(frozen=True)
class Shape:
    """A rectangle with lines of text in it; ``tip`` says everything, also what had no room."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    lines: tuple[Line, ...]
    tip: str
    key: str = ""


@dataclass(frozen=True)
class Panel:
    """Some days of a timetable beside each other, with a scale of hours."""

    y: float
    height: float
    left: float
    right: float
    hours: tuple[Line, ...]
    heads: tuple[Shape, ...]
    pauses: tuple[Shape, ...]
    slots: tuple[Shape, ...]


@dataclass(frozen=True)
class Picture:
    """A timetable as it is drawn in one language."""

    language: NoticeLanguage
    width: float
    height: float
    headline: Line
    panels: tuple[Panel, ...]


def picture(timetable: Timetable, language: NoticeLanguage, title: str = "") -> Picture:
    """Lay a timetable out: days run from right to left in Arabic, and groups within a day, too."""
    rows = tuple(_beside(days_of(timetable)))
    most = max(sum(day.lanes for day in days) for days in rows)
    lane = min(WIDEST_LANE, (WIDTH - 2 * MARGIN - GUTTER) / most)
    width = 2 * MARGIN + GUTTER + most * lane
    panels: list[Panel] = []
    for days in rows:
        y = panels[-1].y + panels[-1].height + GAP if panels else MARGIN + (TITLE if title else 0)
        panels.append(_Drawing(timetable, language, days, y, width, lane).panel())
    begin = width - MARGIN if language == "ar" else MARGIN
    headline = Line(begin, MARGIN + 16, _directed(language, cut(title, width - 2 * MARGIN, 15)), True, 15)
    return Picture(language, width, panels[-1].y + panels[-1].height + MARGIN, headline, tuple(panels))


def _directed(language: NoticeLanguage, text: str) -> str:
    """A line that runs as its language does, whatever letters, times and codes are in it."""
    return f"{_RLI}{text}{_PDI}" if language == "ar" else text


def _beside(days: tuple[Day, ...]) -> Iterator[tuple[Day, ...]]:
    row: list[Day] = []
    for day in days:
        if row and sum(one.lanes for one in row) + day.lanes > LANES:
            yield tuple(row)
            row = []
        row.append(day)
    yield tuple(row)


def _beside_ways(box: Box, day: Day) -> tuple[int, int]:
    """From when until when a pause is drawn: a break gives way to a way through it."""
    start, end = box.start, box.end
    for way in day.pauses:
        if box.what.kind == "break" and isinstance(way.what, Pause) and way.what.kind == "travel":
            start = way.end if way.start <= start < way.end else start
            end = way.start if start < way.start < end else end
    return start, end


@dataclass(frozen=True)
class _Drawing:
    timetable: Timetable
    language: NoticeLanguage
    days: tuple[Day, ...]
    y: float
    width: float
    lane: float

    @property
    def first(self) -> int:
        return min(box.start for day in self.days for box in day.slots) // 60 * 60

    @property
    def last(self) -> int:
        return -(-max(box.end for day in self.days for box in day.slots) // 60) * 60

    @property
    def top(self) -> float:
        return self.y + HEAD

    @property
    def hour(self) -> float:
        return min(MOST_HOUR, max(LEAST_HOUR, HOURS_HEIGHT * 60 / (self.last - self.first)))

    def panel(self) -> Panel:
        height = HEAD + (self.last - self.first) / 60 * self.hour
        wide = self.lane * sum(day.lanes for day in self.days)
        left, _ = self._across(0, wide)
        return Panel(
            y=self.y,
            height=height,
            left=left,
            right=left + wide,
            hours=tuple(self._hours()),
            heads=tuple(self._heads()),
            pauses=tuple(self._pauses()),
            slots=tuple(self._slots()),
        )

    def _across(self, offset: float, wide: float) -> tuple[float, float]:
        """Left edge and width of what begins so far behind the scale of hours."""
        begin = MARGIN + GUTTER + offset
        return (self.width - begin - wide if self.language == "ar" else begin), wide

    def _down(self, minute: int) -> float:
        return self.top + (minute - self.first) / 60 * self.hour

    def _hours(self) -> Iterator[Line]:
        x, _ = self._across(-GUTTER, 0)
        for minute in range(self.first, self.last + 1, 60):
            yield Line(x, self._down(minute), f"{minute // 60:02}:00", size=11)

    def _offsets(self) -> Iterator[tuple[Day, float]]:
        lanes = 0
        for day in self.days:
            yield day, lanes * self.lane
            lanes += day.lanes

    def _heads(self) -> Iterator[Shape]:
        for day, offset in self._offsets():
            x, wide = self._across(offset, day.lanes * self.lane)
            texts = [(weekday(self.language, day.date), True), (hijri(self.language, day.date), False)]
            lines = [
                Line(self._begin(x, wide), self.y + 18 + at * 17, self._cut(text, wide, bold=bold), bold)
                for at, (text, bold) in enumerate(texts)
            ]
            yield Shape(x, self.y, wide, HEAD, "#ffffff", tuple(lines), "")

    def _pauses(self) -> Iterator[Shape]:
        for day, offset in self._offsets():
            for box in day.pauses:
                start, end = _beside_ways(box, day)
                start, end = max(start, self.first), min(end, self.last)
                if start < end and isinstance(box.what, Pause):
                    name = said(self.language, box.what.name)
                    yield self._shape(box, offset, start, end, "", name)

    def _slots(self) -> Iterator[Shape]:
        for day, offset in self._offsets():
            for box in day.slots:
                if isinstance(box.what, Slot):
                    fill = _FILLS.get(box.what.kind, _PLAIN)
                    yield self._shape(box, offset, box.start, box.end, fill, "")

    def _shape(self, box: Box, offset: float, start: int, end: int, fill: str, name: str) -> Shape:
        x, wide = self._across(offset + box.lane * self.lane + 2, box.width * self.lane - 4)
        y, height = self._down(start) + 1, (end - start) / 60 * self.hour - 2
        rows = self._rows(box.what, wide, height) if isinstance(box.what, Slot) else [(name, False)]
        baseline = y + min(12, height / 2 + 4)
        lines = tuple(
            Line(self._begin(x, wide), baseline + at * LINE, self._cut(text, wide, bold=bold), bold)
            for at, (text, bold) in enumerate(rows)
            if height >= LEAST_HEIGHT
        )
        tip = self._tip(box.what) if isinstance(box.what, Slot) else name
        key = box.what.key if isinstance(box.what, Slot) else ""
        return Shape(x, y, wide, height, fill, lines, tip, key)

    def _begin(self, x: float, wide: float) -> float:
        return x + wide - INSET if self.language == "ar" else x + INSET

    def _cut(self, text: str, wide: float, *, bold: bool) -> str:
        return _directed(self.language, cut(text, wide - 2 * INSET, TEXT, bold=bold))

    def _rows(self, slot: Slot, wide: float, height: float) -> list[tuple[str, bool]]:
        """The lines of a session, the most important ones when there is no room for all."""
        room, count = wide - 2 * INSET, int((height - 1) // LINE)
        title, place = said(self.language, slot.title), said(self.language, slot.place.name)
        time, people = self._time(slot), self._people(slot)
        if count < 3:  # noqa: PLR2004 -- time and title share a line
            return [(f"{time} {title}", True), (place, False)][: max(count, 1)]
        if count == 3:  # noqa: PLR2004 -- time and place share a line
            return [(f"{time} · {place}", False), (title, True), (people, False)]
        titles = first_lines(title, count - 3, room, TEXT, bold=True)
        places = first_lines(place, max(count - 2 - len(titles), 1), room, TEXT)
        named = first_lines(people, max(count - 1 - len(titles) - len(places), 1), room, TEXT)
        return [(time, False), *((one, True) for one in titles), *((one, False) for one in (*places, *named))]

    def _time(self, slot: Slot) -> str:
        zone = self.timetable.zone
        span = f"\u2066{clock(slot.starts, zone)}–{clock(slot.ends, zone)}\u2069"
        if slot.group is None:
            return span
        size = f" ({slot.group_size})" if slot.group_size else ""
        return f"{span} · {word(self.language, 'group')} {slot.group}{size}"

    def _people(self, slot: Slot) -> str:
        names = [
            said(self.language, self.timetable.people[one.person])
            for one in slot.assignments
            if one.person in self.timetable.people
        ]
        return ("، " if self.language == "ar" else ", ").join(names)

    def _tip(self, slot: Slot) -> str:
        title, place = said(self.language, slot.title), said(self.language, slot.place.name)
        return " · ".join(part for part in (self._time(slot), title, place, self._people(slot)) if part)
