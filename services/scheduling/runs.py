"""On which days a visit may be: runs of consecutive working days."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

from schemas.scheduling import Slot
from schemas.terms import DateWindow
from schemas.visits import Needs
from services.scheduling.calendar import days_off_abroad, free_intervals, without
from services.scheduling.centre import Centre
from services.scheduling.problem import CENTRE_RESOURCE, Problem

Run = tuple[date, ...]

ALTERNATIVES_WITHIN = timedelta(weeks=8)


def runs_of_days(problem: Problem, window: DateWindow) -> tuple[Run, ...]:
    """All runs of ``needs.days`` consecutive working days of the window that are still to come.

    A run may stretch over a weekend or holiday, but not over a blackout date. Runs that do not stretch
    come first, then those with the fewest days on which the delegation's own country does not work,
    then the earliest.
    """
    needs = problem.needs
    begun = days_begun(problem)
    days = [day for day in days_of(recent(problem, window)) if day in begun or _is_open(problem, day)]
    runs = [tuple(days[at : at + needs.days]) for at in range(len(days) - needs.days + 1)]
    usable = [run for run in runs if not any(run[0] <= day <= run[-1] for day in needs.blackout_dates)]
    off = days_off_abroad(problem.country, usable)
    return tuple(sorted(usable, key=lambda run: (run[-1] - run[0], len(off & {*run}), run[0])))


def runs_near(problem: Problem) -> tuple[Run, ...]:
    """The runs for a programme that is to change as little as possible, the most alike first.

    A day on which a held slot has begun keeps its place in the run; one with a pinned slot is in it.
    """
    zone = problem.centre.zone
    held = {slot.key: slot.starts.astimezone(zone).date() for slot in problem.held}
    first, last, begun = min(held.values()), max(held.values()), days_begun(problem)
    fixed = begun | {day for key, day in held.items() if key in problem.pinned}
    windows = (*problem.needs.windows, DateWindow(first=first, last=last))
    runs = {
        run: None
        for window in windows
        for run in runs_of_days(problem, window)
        if fixed <= {*run} and (not begun or run[0] == first)
    }
    return tuple(sorted(runs, key=lambda run: (-len({*held.values()} & {*run}), abs(run[0] - first))))


def days_begun(problem: Problem) -> frozenset[date]:
    """The days on which slots of the held programme have begun."""
    begun = (slot.starts for slot in problem.held if slot.starts <= problem.now)
    return frozenset(starts.astimezone(problem.centre.zone).date() for starts in begun)


def recent(problem: Problem, window: DateWindow) -> DateWindow:
    """A window without most of what is past: it may begin in the year 1, and every day is looked at."""
    today = problem.now.astimezone(problem.centre.zone).date()
    first = max(window.first, min([window.last, today - timedelta(days=7), *days_begun(problem)]))
    return DateWindow(first=first, last=window.last)


def days_of(window: DateWindow) -> Iterator[date]:
    """Every date of a window, in order."""
    for offset in range((window.last - window.first).days + 1):
        yield window.first + timedelta(days=offset)


def _is_open(problem: Problem, day: date) -> bool:
    """Whether a day is still to come and the Centre works on it, if only for a part."""
    free = free_intervals(problem.centre, day)
    if not free or free[0].start <= problem.now:
        return False
    return bool(without(free, problem.busy.get(CENTRE_RESOURCE, ())))


def horizon(needs: Needs, now: datetime, centre: Centre, held: Iterable[Slot] = ()) -> DateWindow:
    """The local days that a search may look at: the windows, and eight weeks on from the first of them."""
    today = now.astimezone(centre.zone).date()
    known = [slot.starts.astimezone(centre.zone).date() for slot in held]
    first = max(today, min(window.first for window in needs.windows))
    last = max(window.last for window in needs.windows)
    return DateWindow(
        first=min(first, *known) if known else first, last=max(first + ALTERNATIVES_WITHIN, last, *known)
    )
