"""What is preferred, and what it costs: the prices that solver, greedy planner and score share.

One unit is a quarter of an hour that the delegation would rather not wait.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from schemas.scheduling import Goal, Score
from services.scheduling.candidates import Desk
from services.scheduling.problem import Problem, person_resource
from services.scheduling.sessions import Session

GoalName = Literal[
    "early-in-the-day",
    "balanced-days",
    "important-themes-first",
    "fair-load",
    "near-in-rank",
    "few-interpreters",
    "groups-together",
    "no-larger-room",
]

COST_OF_RANK = 8
"""For each rank that a host stands above the guest: the highest are spared."""
COST_OF_INTERPRETER = 12
COST_OF_LARGER_ROOM = 1
"""For each smaller room that would do: large rooms are kept for large delegations."""
COST_OF_IMBALANCE = 2
"""For each quarter that a day of the visit is shorter than an equal share of it."""
MOST_LOAD = 40
"""From so many sessions on, having more makes nobody less preferred."""


class HasSession(Protocol):
    """Whatever is about one session."""

    @property
    def session(self) -> Session:
        """The session."""


Grouped = TypeVar("Grouped", bound=HasSession)


@dataclass(frozen=True)
class Placed:
    """A session with its time, venue and people: who has each part, in their order, and who interprets."""

    session: Session
    start: int
    venue: str
    people: tuple[str, ...]
    interpreters: tuple[str, ...]

    @property
    def everybody(self) -> tuple[str, ...]:
        """All people of the Centre who take part."""
        return (*self.people, *self.interpreters)


class Prices:
    """What each single choice on a desk costs."""

    def __init__(self, problem: Problem, desk: Desk) -> None:
        self._centre, self._guest = problem.centre, problem.needs.head_rank.order
        self._openings = [desk.grid.opening(day) for day in desk.grid.days]
        self._days = [desk.grid.day_mask(day) for day in desk.grid.days]
        self._load = {resource: len(spans) for resource, spans in problem.busy.items()}
        themes = [choice.session.key for choice in desk.choices if choice.session.theme]
        self._importance = {key: len(themes) - place for place, key in enumerate(themes)}
        self._rooms = {
            choice.session.key: {one.code: place for place, one in enumerate(choice.venues)}
            for choice in desk.choices
        }
        self.share = fair_share(desk)

    def person(self, session: Session, number: int, code: str) -> Mapping[GoalName, int]:
        """Of giving the part of that number to a person: fair load, and a host near in rank."""
        cost: dict[GoalName, int] = {"fair-load": self._load_of(code)}
        if session.parts[number].role == "host":
            person = self._centre.person(code)
            rank = person.rank.order if person and person.rank else 0
            cost["near-in-rank"] = COST_OF_RANK * max(0, self._guest - rank)
        return cost

    def interpreter(self, code: str) -> Mapping[GoalName, int]:
        """Of having somebody interpret."""
        return {"fair-load": self._load_of(code), "few-interpreters": COST_OF_INTERPRETER}

    def venue(self, session: Session, code: str) -> Mapping[GoalName, int]:
        """Of a place: as many units as smaller ones would do."""
        return {"no-larger-room": COST_OF_LARGER_ROOM * self._rooms[session.key].get(code, 0)}

    def day(self, session: Session, number: int) -> Mapping[GoalName, int]:
        """Of the day of that number: the themes named first are treated on the earlier days."""
        return {"important-themes-first": self._importance.get(session.key, 0) * number}

    def wait(self, session: Session, day: int, start: int) -> Mapping[GoalName, int]:
        """Of a start on a day: as many units as quarters since the Centre opened."""
        return {"early-in-the-day": 0 if session.within else max(0, start - self._openings[day])}

    def opening(self, day: int) -> int:
        """The first quarter in which the Centre works on the day of that number."""
        return self._openings[day]

    def day_of(self, start: int) -> int:
        """The number of the day on which a quarter is."""
        return next(number for number, day in enumerate(self._days) if day >> start & 1)

    def _load_of(self, code: str) -> int:
        return min(self._load.get(person_resource(code), 0), MOST_LOAD)


def fair_share(desk: Desk) -> int:
    """Quarters of the sessions of a visit that an equal share of them on each day would be."""
    return sum(choice.length for choice in desk.choices) // len(desk.grid.days)


def split_tours(parts: Iterable[Grouped]) -> list[list[Grouped]]:
    """The tours of each site that a delegation makes in groups: those that share the key but its number."""
    sites: dict[str, list[Grouped]] = {}
    for part in parts:
        if part.session.group is not None:
            sites.setdefault(part.session.key.rpartition("-")[0], []).append(part)
    return list(sites.values())


def _spread(tours: list[Placed]) -> int:
    """Quarters from the first to the last start: nobody waits for long while the others are there."""
    starts = [tour.start for tour in tours]
    return max(starts) - min(starts)


def costs(prices: Prices, placed: Placed) -> Iterator[tuple[GoalName, int]]:
    """What one placed session costs, goal by goal."""
    session, day = placed.session, prices.day_of(placed.start)
    yield from prices.venue(session, placed.venue).items()
    yield from prices.day(session, day).items()
    yield from prices.wait(session, day, placed.start).items()
    for number, code in enumerate(placed.people):
        yield from prices.person(session, number, code).items()
    for code in placed.interpreters:
        yield from prices.interpreter(code).items()


def score(problem: Problem, desk: Desk, programme: tuple[Placed, ...]) -> Score:
    """What a whole programme costs by each goal; the goals in the order of their names."""
    prices = Prices(problem, desk)
    totals: dict[GoalName, int] = {}
    for placed in programme:
        for name, cost in costs(prices, placed):
            totals[name] = totals.get(name, 0) + cost
    lengths = [0] * len(desk.grid.days)
    for placed in programme:
        lengths[prices.day_of(placed.start)] += placed.session.minutes // 15
    short = sum(max(0, prices.share - length) for length in lengths)
    totals["balanced-days"] = COST_OF_IMBALANCE * short
    totals["groups-together"] = sum(_spread(tours) for tours in split_tours(programme))
    goals = tuple(Goal(name=name, cost=cost) for name, cost in sorted(totals.items()))
    return Score(cost=sum(totals.values()), goals=goals)
