"""Finds up to three visits that would be possible instead of an infeasible one, each of them solved."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import islice

from schemas.scheduling import Alternative
from schemas.terms import Bilingual, DateWindow
from schemas.visits import Needs
from services.scheduling.budget import Budget
from services.scheduling.domain import MOST_GROUPS, visitors_at_once
from services.scheduling.problem import Problem, Solution
from services.scheduling.reasons import Fault, standing_faults
from services.scheduling.runs import horizon, runs_of_days
from services.scheduling.sessions import sessions_wanted
from services.scheduling.solver import place, search, versions

MOST_ALTERNATIVES = 3
LATER_WINDOWS = 2
"""Alternatives that keep everything but the dates; the rest are left to longer visits and fewer themes."""

KINDS = 4
"""Without what can never be had, on later days, longer, with fewer themes."""

MORE_DAYS = (1, 2)
LONGEST_STAY = 10
"""Working days that a request may ask for."""


def alternatives(problem: Problem, faults: tuple[Fault, ...], budget: Budget) -> tuple[Alternative, ...]:
    """Up to three alternatives, the nearest to the request first.

    Each kind has a share of the time: what is too much for a day is so on every later day, too, and
    would leave nothing to the others.
    """
    needs = _without(problem.needs, faults)
    if standing_faults(needs, problem.centre):
        return tuple(islice(_offers(problem.needs, _smaller(problem, budget)), 1))
    possible, asked = replace(problem, needs=needs), problem.needs
    found: list[Alternative] = []
    if needs != asked and isinstance(bare := search(possible, budget.share(KINDS)), Solution):
        found.append(_alternative(asked, needs, bare))
    later = [
        _alternative(asked, needs, solution)
        for solution in islice(_later(possible, budget.share(KINDS - 1)), LATER_WINDOWS)
    ]
    found += later
    if not later:  # no other days will do either: the request may be too much for so few
        found += islice(_offers(asked, _longer(possible, budget.share(KINDS - 2))), 1)
    if len(found) < MOST_ALTERNATIVES:
        found += islice(_offers(asked, _with_fewer_themes(possible, budget)), 1)
    return tuple(found)


def _without(needs: Needs, faults: tuple[Fault, ...]) -> Needs:
    """The needs without the themes and sites that can never be had."""
    themes, sites = {fault.theme for fault in faults}, {fault.site for fault in faults}
    return needs.model_copy(
        update={
            "themes": tuple(code for code in needs.themes if code not in themes),
            "sites": tuple(code for code in needs.sites if code not in sites),
        }
    )


def _smaller(problem: Problem, budget: Budget) -> Iterator[tuple[Needs, Solution]]:
    """The whole programme for as many as the largest room and the sites asked for can take."""
    needs, centre = problem.needs, problem.centre
    rooms = [venue.capacity for venue in centre.venues if {*needs.access_needs} <= {*venue.features}]
    sites = [
        MOST_GROUPS * visitors_at_once(site, site.site)
        for code in needs.sites
        if (site := centre.venue(code)) and site.site
    ]
    for size in sorted({size for size in (*rooms, *sites) if size < needs.size}, reverse=True):
        fewer = needs.model_copy(update={"size": size})
        if not standing_faults(fewer, centre):
            found = search(replace(problem, needs=fewer), budget)
            if isinstance(found, Solution):
                yield fewer, found
            return


def _later(problem: Problem, budget: Budget) -> Iterator[Solution]:
    """Programmes on runs of days outside the windows asked for, one a week, the earliest first."""
    if budget.is_spent:
        return
    span = horizon(problem.needs, problem.now, problem.centre)
    runs = runs_of_days(problem, span)
    unbroken = [days for days in runs if days[-1] - days[0] == runs[0][-1] - runs[0][0]]
    not_before = span.first
    for days in unbroken:
        asked = any(one.first <= days[0] and days[-1] <= one.last for one in problem.needs.windows)
        if asked or days[0] < not_before:
            continue
        for version in versions(problem, sessions_wanted(problem.needs, problem.centre, days)):
            if budget.is_spent:
                return
            if solution := place(problem, version, days, budget):
                yield solution
                not_before = days[0] + timedelta(days=7)
                break


def _longer(problem: Problem, budget: Budget) -> Iterator[tuple[Needs, Solution]]:
    """Programmes in the windows asked for that take a day or two more."""
    for tried, more in enumerate(MORE_DAYS):
        days = problem.needs.days + more
        if days > LONGEST_STAY:
            return
        longer = problem.needs.model_copy(update={"days": days})
        found = search(replace(problem, needs=longer), budget.share(len(MORE_DAYS) - tried))
        if isinstance(found, Solution):
            yield longer, found


def _with_fewer_themes(problem: Problem, budget: Budget) -> Iterator[tuple[Needs, Solution]]:
    """Programmes in the windows asked for, the last themes left out one by one."""
    for count in range(len(problem.needs.themes) - 1, 0, -1):
        fewer = problem.needs.model_copy(update={"themes": problem.needs.themes[:count]})
        found = search(replace(problem, needs=fewer), budget.share(count))
        if isinstance(found, Solution):
            yield fewer, found


def _offers(asked: Needs, found: Iterator[tuple[Needs, Solution]]) -> Iterator[Alternative]:
    return (_alternative(asked, offered, solution) for offered, solution in found)


def _alternative(asked: Needs, offered: Needs, solution: Solution) -> Alternative:
    first, last = solution.days[0], solution.days[-1]
    ar, en = f"من {first} إلى {last}", f"From {first} to {last}"
    if offered.days != asked.days:
        ar += f"، وعدد أيام العمل {offered.days} بدلا من {asked.days}"
        en += f", takes {offered.days} working days instead of {asked.days}"
    if offered.size != asked.size:
        ar, en = (
            f"{ar}، لوفد من {offered.size} شخصا",
            f"{en}, for {offered.size} people instead of {asked.size}",
        )
    missing = [code for code in asked.themes if code not in solution.themes]
    missing += [code for code in asked.sites if code not in offered.sites]
    if missing:
        left_out = ", ".join(missing)
        ar, en = f"{ar}، دون: {left_out}", f"{en}, without: {left_out}"
    return Alternative(
        window=DateWindow(first=first, last=last),
        first_day=first,
        themes=solution.themes,
        size=offered.size if offered.size != asked.size else None,
        note=Bilingual(ar=ar, en=en),
    )
