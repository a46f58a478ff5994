"""A programme by hand, as a planner with pencil and paper makes it: the baseline, and the fall-back."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import combinations, islice, product

from services.scheduling.candidates import Choice, Desk, Option
from services.scheduling.domain import HALF_DAY_MINUTES, is_half_day
from services.scheduling.goals import GoalName, Placed, Prices, costs
from services.scheduling.grid import bits, quarters
from services.scheduling.problem import Problem

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
    parts = [
        _by_price(options, partial(prices.person, choice.session, at))
        for at, options in enumerate(choice.parts)
    ]
    interpreters = _by_price(choice.interpreters, prices.interpreter)
    for start in bits(choice.starts):
        for venue in (one.code for one in choice.venues if one.starts >> start & 1):
            bare = Placed(choice.session, start, venue, (), ())
            if (best and _cost(prices, bare) >= best[0]) or not (
                choice.fixed or _has_time(desk, bare, programme)
            ):
                continue
            for placed in _manned(choice, bare, desk, parts, interpreters):
                cost = _cost(prices, placed)
                if (best is None or cost < best[0]) and _fits(problem, desk, placed, programme, choice):
                    best = cost, placed
    return best[1] if best else None


def _cost(prices: Prices, placed: Placed) -> int:
    return sum(price for _, price in costs(prices, placed))


def _by_price(options: tuple[Option, ...], price: Callable[[str], Mapping[GoalName, int]]) -> list[Option]:
    return sorted(options, key=lambda option: sum(price(option.code).values()))


def _has_time(desk: Desk, bare: Placed, programme: list[Placed]) -> bool:
    """Whether the delegation and the venue are free, whoever of the Centre takes part."""
    return all(_apart(desk, bare, other) for other in programme)


def _manned(
    choice: Choice, bare: Placed, desk: Desk, parts: list[list[Option]], interpreters: list[Option]
) -> Iterator[Placed]:
    """The ways to give the parts of a session at a time and place, the cheapest people of each."""
    home = desk.ways.premises(bare.venue)
    groups = [_present(options, home, bare.start) for options in parts]
    free = _present(interpreters, home, bare.start)
    for people in product(*groups):
        if len({*people}) == len(people):
            yield from _interpreted(choice, bare.start, bare.venue, people, free)


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


def _present(options: list[Option], home: str, start: int) -> list[str]:
    present = (one.code for one in options if one.elsewhere.get(home, one.starts) >> start & 1)
    return list(islice(present, TRIED))


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
    gap = desk.ways.between(first.venue, second.venue)
    return second.start >= _end(first) + gap


def _is_prepared(placed: Placed, programme: list[Placed]) -> bool:
    session = placed.session
    over = {
        other.session.kind
        for other in programme
        if session.meets(other.session) and _end(other) <= placed.start
    }
    return not any(over.isdisjoint(kinds) for kinds in session.after)


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
