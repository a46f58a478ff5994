"""The CP-SAT model of one programme on one run of working days: what is decided, and what is preferred."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ortools.sat.python import cp_model

from schemas.scheduling import Slot
from services.scheduling.candidates import Choice, Desk, Option
from services.scheduling.goals import COST_OF_IMBALANCE, GoalName, Placed, Prices, split_tours
from services.scheduling.grid import bits
from services.scheduling.problem import Problem
from services.scheduling.sessions import Session
from services.scheduling.ways import premises

QUARTERS_A_DAY = 96


@dataclass
class Variables:
    """What the solver decides about one session; starts and ends are quarters of the grid."""

    choice: Choice
    start: cp_model.IntVar
    on_day: list[cp_model.IntVar]
    venues: dict[str, cp_model.IntVar]
    premises: dict[str, cp_model.IntVar]
    parts: list[dict[str, cp_model.IntVar]]
    interpreters: dict[str, cp_model.IntVar]

    @property
    def end(self) -> cp_model.LinearExpr:
        """The quarter just after the session."""
        return self.start + self.choice.length

    @property
    def session(self) -> Session:
        """The session that is decided about."""
        return self.choice.session

    @property
    def key(self) -> str:
        """The session's key."""
        return self.session.key

    def roles_of(self, person: str) -> list[cp_model.IntVar]:
        """The literals by which a person may take part."""
        return [group[person] for group in (*self.parts, self.interpreters) if person in group]


@dataclass
class Model:
    """The growing model with its variables, the order of its sessions and the terms of its objective."""

    problem: Problem
    desk: Desk
    cp: cp_model.CpModel = field(default_factory=cp_model.CpModel)
    sessions: list[Variables] = field(default_factory=list)
    before: dict[tuple[str, str], cp_model.IntVar] = field(default_factory=dict)
    """By the keys of two sessions, whether the first is over before the second begins."""
    cost: list[cp_model.LinearExpr | int] = field(default_factory=list)
    changed: list[cp_model.IntVar] = field(default_factory=list)
    """One literal for each held slot that is still wanted: true when it is another than before."""


def decide(problem: Problem, desk: Desk) -> Model:
    """The variables of all sessions: each starts once, on one day, in one venue, with one person a part."""
    model = Model(problem, desk)
    for choice in desk.choices:
        model.sessions.append(_variables(model, choice))
    return model


def prefer(model: Model) -> None:
    """State what is preferred: the prices of all choices, groups together, days of about the same length."""
    prices = Prices(model.problem, model.desk)
    for item in model.sessions:
        _price_choices(model, prices, item)
    for tours in split_tours(model.sessions):
        first, last = (model.cp.new_int_var(0, model.desk.grid.length, "") for _ in range(2))
        for tour in tours:
            model.cp.add(first <= tour.start)
            model.cp.add(last >= tour.start)
        model.cost.append(last - first)
    for day in range(len(model.desk.grid.days)):
        held = sum(item.choice.length * item.on_day[day] for item in model.sessions)
        short = model.cp.new_int_var(0, prices.share, f"shortfall of day {day}")
        model.cp.add(short >= prices.share - held)
        model.cost.append(COST_OF_IMBALANCE * short)


def _price_choices(model: Model, prices: Prices, item: Variables) -> None:
    session = item.session
    for code, literal in item.venues.items():
        _charge(model, prices.venue(session, code), literal)
    for number, group in enumerate(item.parts):
        for code, literal in group.items():
            _charge(model, prices.person(session, number, code), literal)
    for code, literal in item.interpreters.items():
        _charge(model, prices.interpreter(code), literal)
    for number, literal in enumerate(item.on_day):
        _charge(model, prices.day(session, number), literal)
    if session.within is None and item.choice.fixed is None:
        opening = sum(prices.opening(day) * on for day, on in enumerate(item.on_day))
        wait = model.cp.new_int_var(0, QUARTERS_A_DAY, f"wait for {session.key}")
        model.cp.add(wait >= item.start - opening)
        model.cost.append(wait)


def note_changes(model: Model) -> None:
    """Tell, by a literal each, which of the held slots are changed."""
    held = {slot.key: slot for slot in model.problem.held}
    for item in model.sessions:
        slot = held.get(item.key)
        if slot is None or item.choice.fixed:
            continue
        kept = as_held(model, item, slot)
        changed = model.cp.new_bool_var(f"{item.key} is changed")
        if kept is None:
            model.cp.add(changed == 1)
        else:
            start, literals = kept
            model.cp.add(item.start == start).only_enforce_if(~changed)
            for literal in literals:
                model.cp.add_implication(~changed, literal)
        model.changed.append(changed)


def as_held(model: Model, item: Variables, slot: Slot) -> tuple[int, list[cp_model.IntVar]] | None:
    """The start and the literals by which a session is as it was held; None when that is not possible."""
    start = model.desk.grid.quarter(slot.starts)
    literals = [item.venues[slot.place.code]] if slot.place.code in item.venues else []
    for one in slot.assignments:
        if one.role == "interpreter":
            literals += [item.interpreters[one.person]] if one.person in item.interpreters else []
            continue
        for part, group in zip(item.session.parts, item.parts, strict=True):
            if part.role == one.role and one.person in group:
                literals.append(group[one.person])
                break
    possible = start >= 0 and item.choice.starts >> start & 1
    return (start, literals) if possible and len(literals) == 1 + len(slot.assignments) else None


def placed(model: Model, solver: cp_model.CpSolver) -> tuple[Placed, ...]:
    """Read the solver's answer, in the order of time."""
    chosen = [
        Placed(
            session=item.session,
            start=solver.value(item.start),
            venue=next(code for code, literal in item.venues.items() if solver.value(literal)),
            people=tuple(
                next(code for code, literal in group.items() if solver.value(literal)) for group in item.parts
            ),
            interpreters=tuple(code for code, literal in item.interpreters.items() if solver.value(literal)),
        )
        for item in model.sessions
    ]
    return tuple(sorted(chosen, key=lambda one: (one.start, one.session.key)))


def _charge(model: Model, price: Mapping[GoalName, int], literal: cp_model.IntVar) -> None:
    total = sum(price.values())
    if total:
        model.cost.append(total * literal)


def _variables(model: Model, choice: Choice) -> Variables:
    cp, key = model.cp, choice.session.key
    start = cp.new_int_var_from_domain(_domain(choice.starts), f"start {key}")
    on_day = []
    for day in model.desk.grid.days:
        literal = cp.new_bool_var(f"{key} on {day}")
        within = _domain(choice.starts & model.desk.grid.day_mask(day))
        cp.add_linear_expression_in_domain(start, within).only_enforce_if(literal)
        on_day.append(literal)
    cp.add_exactly_one(on_day)
    venues = {option.code: _chosen(model, choice, start, option, "in") for option in choice.venues}
    cp.add_exactly_one(venues.values())
    at = _premises(model, venues)
    parts = []
    for part, options in zip(choice.session.parts, choice.parts, strict=True):
        group = {one.code: _chosen(model, choice, start, one, f"with the {part.role}") for one in options}
        cp.add_exactly_one(group.values())
        parts.append(group)
    interpreters = {
        one.code: _chosen(model, choice, start, one, "interpreted by") for one in choice.interpreters
    }
    item = Variables(choice, start, on_day, venues, at, parts, interpreters)
    for options in (*choice.parts, choice.interpreters):
        for option in options:
            _on_the_way(model, item, option)
    return item


def _chosen(
    model: Model, choice: Choice, start: cp_model.IntVar, option: Option, how: str
) -> cp_model.IntVar:
    """A literal for one option: when it is chosen it is free (no other visit, absence, closure, blackout)."""
    literal = model.cp.new_bool_var(f"{choice.session.key} {how} {option.code}")
    if choice.starts & ~option.starts:
        free = _domain(choice.starts & option.starts)
        model.cp.add_linear_expression_in_domain(start, free).only_enforce_if(literal)
    return literal


def _premises(model: Model, venues: dict[str, cp_model.IntVar]) -> dict[str, cp_model.IntVar]:
    """A literal for each of the premises that a session may be on."""
    homes: dict[str, list[cp_model.IntVar]] = {}
    for code, literal in venues.items():
        homes.setdefault(premises(model.problem.centre, code), []).append(literal)
    if len(homes) == 1:
        return dict.fromkeys(homes, model.cp.new_constant(1))
    at = {home: model.cp.new_bool_var(f"at {home}") for home in homes}
    for home, literals in homes.items():
        model.cp.add(sum(literals) == at[home])
    return at


def _on_the_way(model: Model, item: Variables, option: Option) -> None:
    """Whoever has a way from or to other premises is there in time, in whichever venue the session is."""
    for home, there in item.premises.items():
        starts = option.elsewhere.get(home)
        if starts is None:
            continue
        for literal in item.roles_of(option.code):
            model.cp.add_linear_expression_in_domain(
                item.start, _domain(item.choice.starts & starts)
            ).only_enforce_if(literal, there)


def _domain(mask: int) -> cp_model.Domain:
    return cp_model.Domain.from_values(list(bits(mask)))
