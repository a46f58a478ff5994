"""On which days the Centre works."""

from datetime import date, datetime

from benchmarks.programmes.verifier.case import Case
from benchmarks.programmes.verifier.sun import begins
from services.scheduling.centre import Break, WorkingDay


def working_days(case: Case) -> list[date]:
    """The working days from the first slot to the last; a day on which a slot has begun is one."""
    begun = {case.local(slot.starts).date() for slot in case.slots if case.has_begun(slot)}
    return [day for day in case.days if day in begun or opens(case, day)]


def opens(case: Case, day: date) -> bool:
    """Whether a date is a working day on which the Centre is not blocked as a whole."""
    return works(case, day) and not _is_shut(case, day)


def works(case: Case, day: date) -> bool:
    """Whether a date is a working day."""
    weekend = {str(one) for one in case.centre.week.weekend}
    return f"{day:%A}".lower() not in weekend and not case.facts.is_holiday(case.centre, day)


def hours_of(case: Case, day: date) -> WorkingDay:
    """The hours and breaks of a date, those of Ramadan in Ramadan."""
    week = case.centre.week
    return week.ramadan if case.facts.is_ramadan(case.centre, day) else week.ordinary


def _is_shut(case: Case, day: date) -> bool:
    """Whether the Centre as a whole is blocked during all hours of a date, breaks not counted."""
    working, zone = hours_of(case, day), case.centre.zone
    breaks = [one for one in working.breaks if isinstance(one, Break)]
    start = datetime.combine(day, working.hours.start, zone).timestamp()
    end = datetime.combine(day, working.hours.end, zone).timestamp()
    shut = [(span.start.timestamp(), span.end.timestamp()) for span in case.problem.busy.get("centre", ())]
    shut += [
        (
            datetime.combine(day, one.start, zone).timestamp(),
            datetime.combine(day, one.end, zone).timestamp(),
        )
        for one in breaks
    ]
    if case.centre.position:
        for one in working.breaks:
            if not isinstance(one, Break):
                pause = begins(one.prayer, case.centre.position, day).timestamp()
                shut.append((pause, pause + 60 * one.minutes))
    moment = start
    while moment < end and any(first <= moment < last for first, last in shut):
        moment = max(last for first, last in shut if first <= moment < last)
    return bool(case.problem.busy.get("centre")) and moment >= end
