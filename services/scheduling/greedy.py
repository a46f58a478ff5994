"""A programme by hand, as a planner with pencil and paper makes it: the baseline, and the fall-back."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import combinations, product

from services.scheduling.candidates import Choice, Desk, Option
from services.scheduling.domain import HALF_DAY_MINUTES, is_half_day
from services.scheduling.goals import GoalName, Placed, Prices, costs
from services.scheduling.grid import bits, quarters
from services.scheduling.problem import Problem
from services.scheduling.ways import premises, way

TRIED = 4
"""Of each part, the people tried at one start: the cheapest."""


def greedy(problem: Problem, desk: Desk) -> tuple[Placed, ...] | None:
    """Place one session after the other where it is cheapest, the closing last; None when one finds no place.

    Nothing that was placed is moved again, so that it may fail where a programme is possible.
    """
    prices = Prices(problem, desk)
    programme: list[Placed] = []
    for choice in sorted(desk.choices, key=_in_turn):
        found = _cheapest(problem, desk, prices, choice, programme)
        if found is None:
            return None
        programme.append(found)
    return tuple(sorted(programme, key=lambda one: (one.start, one.session.key)))


def _in_turn(choice: Choice) -> tuple[int, int, int]:
    """What has begun or is pinned, then by stage, and what prepares before what is prepared."""
    return (0 if choice.fixed else 1, choice.session.stage, 1 if choice.session.after else 0)


def _cheapest(
    problem: Problem, desk: Desk, prices: Prices, choice: Choice, programme: list[Placed]
) -> Placed | None:
    best: tuple[int, Placed] | None = None
    for start in bits(choice.starts):
        waiting = sum(prices.wait(choice.session, prices.day_of(start), start).values())
        if best and waiting >= best[0]:
            continue
        for placed in _at(choice, start, prices, desk):
            cost = sum(price for _, price in costs(prices, placed))
            if (best is None or cost < best[0]) and _fits(problem, desk, placed, programme, choice):
                best = cost, placed
    return best[1] if best else None


def _at(choice: Choice, start: int, prices: Prices, desk: Desk) -> Iterator[Placed]:
    """The ways to hold a session at a start: venues by size, the cheapest people of each part."""
    session = choice.session
    for venue in (one for one in choice.venues if one.starts >> start & 1):
        home = premises(desk.grid.centre, venue.code)
        groups = [
            _cheapest_of(_present(options, home, start), partial(prices.person, session, number))
            for number, options in enumerate(choice.parts)
        ]
        free = _cheapest_of(_present(choice.interpreters, home, start), prices.interpreter)
        for people in product(*groups):
            if len({*people}) == len(people):
                yield from _interpreted(choice, start, venue.code, people, free)


def _interpreted(
    choice: Choice, start: int, venue: str, people: tuple[str, ...], free: list[str]
) -> Iterator[Placed]:
    session = choice.session
    if choice.fixed:
        yield Placed(session, start, venue, people, tuple(one.code for one in choice.interpreters))
        return
    helped = [session.interpreters[person] for person in people if person in session.interpreters]
    if not helped:
        if not choice.must:
            yield Placed(session, start, venue, people, ())
        return
    for team in combinations([code for code in free if code not in people], session.teams):
        understood = all({*team} <= {*helpers} for helpers in helped)
        if understood and (choice.must is None or choice.must in team):
            yield Placed(session, start, venue, people, team)


def _cheapest_of(codes: list[str], price: Callable[[str], Mapping[GoalName, int]]) -> list[str]:
    return sorted(codes, key=lambda code: sum(price(code).values()))[:TRIED]


def _present(options: tuple[Option, ...], home: str, start: int) -> list[str]:
    return [one.code for one in options if one.elsewhere.get(home, one.starts) >> start & 1]


def _fits(problem: Problem, desk: Desk, placed: Placed, programme: list[Placed], choice: Choice) -> bool:
    """Whether a session keeps every rule beside those that are placed already."""
    if choice.fixed:
        return True
    return (
        all(_apart(desk, placed, other) for other in programme)
        and _is_prepared(placed, programme)
        and _within_limits(desk, placed, programme)
        and _rests(desk, placed, programme)
        and (not is_half_day(problem.needs) or _is_short(placed, programme))
    )


def _apart(desk: Desk, one: Placed, other: Placed) -> bool:
    meet = one.session.meets(other.session)
    if not meet and one.venue != other.venue and not {*one.everybody} & {*other.everybody}:
        return True
    first, second = sorted((one, other), key=lambda placed: placed.start)
    if meet and first.session.stage > second.session.stage:
        return False
    gap = way(desk.grid.centre, first.venue, second.venue)
    return second.start >= _end(first) + gap


def _is_prepared(placed: Placed, programme: list[Placed]) -> bool:
    session = placed.session
    return not session.after or any(
        other.session.kind in session.after and session.meets(other.session) and _end(other) <= placed.start
        for other in programme
    )


def _within_limits(desk: Desk, placed: Placed, programme: list[Placed]) -> bool:
    day = next(one for one in desk.grid.days if desk.grid.day_mask(one) >> placed.start & 1)
    mask = desk.grid.day_mask(day)
    return all(
        1 + sum(code in other.everybody and mask >> other.start & 1 for other in programme)
        <= desk.left[code][day]
        for code in placed.everybody
    )


def _rests(desk: Desk, placed: Placed, programme: list[Placed]) -> bool:
    """Whether no interpreter works longer than the longest spell without a rest."""
    rules = desk.grid.centre.interpreting
    longest, rest = 2 * quarters(rules.longest_spell), quarters(rules.rest)
    for code in placed.interpreters:
        turns = sorted(
            (one for one in (*programme, placed) if code in one.interpreters), key=lambda one: one.start
        )
        strain, over = 0, -rest
        for turn in turns:
            own = quarters(turn.session.minutes) * (2 if turn.session.teams == 1 else 1)
            strain = own if turn.start - over >= rest else strain + own
            over = _end(turn)
            if strain > max(longest, own):
                return False
    return True


def _is_short(placed: Placed, programme: list[Placed]) -> bool:
    both = (*programme, placed)
    return max(map(_end, both)) - min(one.start for one in both) <= quarters(HALF_DAY_MINUTES)


def _end(placed: Placed) -> int:
    return placed.start + quarters(placed.session.minutes)
