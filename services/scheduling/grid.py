"""A run of days as quarters of an hour in bit masks: bit n stands for the n-th quarter of the run."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from services.scheduling.calendar import Interval, free_intervals, prayers
from services.scheduling.catalogue import QUARTER, Hours
from services.scheduling.centre import Centre

_STEP = timedelta(minutes=QUARTER)


def quarters(minutes: int) -> int:
    """Minutes as quarters of an hour; they must be whole."""
    return minutes // QUARTER


@dataclass(frozen=True)
class Grid:
    """The working days of a run; quarter 0 begins at ``origin``, an aware UTC instant."""

    centre: Centre
    days: tuple[date, ...]
    origin: datetime
    open: int
    """The quarters in which the Centre works."""
    working: int
    """Those and its breaks but for prayers: a lunch or the like may take place in them."""

    @classmethod
    def over(cls, centre: Centre, days: tuple[date, ...], now: datetime, *, breaks: bool = True) -> "Grid":
        """Lay the grid over a run of days; what is before ``now`` is closed."""
        origin = datetime.combine(days[0], time(), centre.zone).astimezone(UTC)
        bare = cls(centre, days, origin, 0, 0)
        free = [free_intervals(centre, day) for day in days]
        past = bare.mask([Interval(origin, now)]) if now > origin else 0
        joined = bare.free_mask(span for day in free for span in _joined(day))
        working = joined & ~past & ~bare.mask(span for day in days for span in prayers(centre, day))
        open_ = bare.free_mask(span for day in free for span in day) & ~past
        return cls(centre, days, origin, open_ if breaks else working, working)

    @property
    def length(self) -> int:
        """Quarters from ``origin`` until the end of the run's last day."""
        return self._quarter_at_local_midnight(self.days[-1] + timedelta(days=1))

    def without(self, shut: int) -> "Grid":
        """The grid with these quarters closed."""
        return replace(self, open=self.open & ~shut, working=self.working & ~shut)

    def free_mask(self, spans: Iterable[Interval]) -> int:
        """The quarters that lie wholly within one of the spans."""
        bits = 0
        for span in spans:
            first = max(0, -((self.origin - span.start) // _STEP))
            last = min(self.length, (span.end - self.origin) // _STEP)
            if first < last:
                bits |= (1 << last) - (1 << first)
        return bits

    def quarter(self, instant: datetime) -> int:
        """The number of the quarter in which an instant lies; below 0 before the run."""
        return (instant - self.origin) // _STEP

    def mask(self, spans: Iterable[Interval]) -> int:
        """The quarters that the spans touch, as far as they belong to the run's days."""
        end = self.length
        bits = 0
        for span in spans:
            first = max(0, (span.start - self.origin) // _STEP)
            last = min(end, -((self.origin - span.end) // _STEP))
            if first < last:
                bits |= (1 << last) - (1 << first)
        return bits

    def day_mask(self, day: date) -> int:
        """All quarters of one local day."""
        first = self._quarter_at_local_midnight(day)
        return (1 << self._quarter_at_local_midnight(day + timedelta(days=1))) - (1 << first)

    def daily_mask(self, hours: Iterable[Hours]) -> int:
        """The quarters of some hours on every day of the run."""
        wanted = tuple(hours)
        return self.mask(
            Interval(self._instant(day, span.start), self._instant(day, span.end))
            for day in self.days
            for span in wanted
        )

    def opening(self, day: date) -> int:
        """The first quarter in which the Centre works on a day."""
        return lowest(self.open & self.day_mask(day))

    def instant(self, quarter: int) -> datetime:
        """When a quarter begins, aware UTC."""
        return self.origin + quarter * _STEP

    def _instant(self, day: date, moment: time) -> datetime:
        return datetime.combine(day, moment, self.centre.zone).astimezone(UTC)

    def _quarter_at_local_midnight(self, day: date) -> int:
        return (self._instant(day, time()) - self.origin) // _STEP


def starts(free: int, length: int) -> int:
    """The quarters at which ``length`` free quarters in a row begin."""
    begins = free
    for _ in range(length - 1):
        free >>= 1
        begins &= free
    return begins


def bits(mask: int) -> Iterator[int]:
    """The numbers of the bits that are set, rising."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def lowest(mask: int) -> int:
    """The number of the lowest bit that is set, 0 when none is."""
    return (mask & -mask).bit_length() - 1 if mask else 0


def _joined(day: tuple[Interval, ...]) -> tuple[Interval, ...]:
    return (Interval(day[0].start, day[-1].end),) if day else ()
