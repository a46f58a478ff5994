"""The CP-SAT model of one programme on one run of working days: every rule is a function of its name."""

from dataclasses import dataclass, field
from itertools import combinations

from ortools.sat.python import cp_model

from services.scheduling.candidates import Choice, Desk, Option
from services.scheduling.centre import Centre
from services.scheduling.domain import BUFFER_MINUTES, HALF_DAY_MINUTES, Session, is_half_day
from services.scheduling.grid import bits, quarters
from services.scheduling.problem import Problem, person_resource

# Weights of the soft goals, in quarters of an hour that the delegation would rather wait.
COST_OF_LOAD = 1
"""For each session that the person already has: work is shared fairly."""
COST_OF_RANK = 8
"""For each rank that a host stands above the guest: the highest are spared."""
COST_OF_INTERPRETER = 12
COST_OF_LARGER_ROOM = 1
"""For each smaller room that would do: large rooms are kept for large delegations."""


QUARTERS_A_DAY = 96


@dataclass(frozen=True)
class Placed:
    """A session with its time, venue and people, as the solver chose them."""

    session: Session
    start: int
    venue: str
    lead: str | None
    interpreter: str | None


@dataclass
class Variables:
    """What the solver decides about one session; starts and ends are quarters of the grid."""

    choice: Choice
    start: cp_model.IntVar
    on_day: list[cp_model.IntVar]
    venues: dict[str, cp_model.IntVar]
    leads: dict[str, cp_model.IntVar]
    interpreters: dict[str, cp_model.IntVar]

    @property
    def end(self) -> cp_model.LinearExpr:
        """The quarter just after the session."""
        return self.start + self.choice.length


@dataclass
class Model:
    """The growing model with its variables and the terms of its objective."""

    problem: Problem
    desk: Desk
    cp: cp_model.CpModel = field(default_factory=cp_model.CpModel)
    sessions: list[Variables] = field(default_factory=list)
    cost: list[cp_model.LinearExpr | int] = field(default_factory=list)


def build(problem: Problem, desk: Desk, *, soft_goals: bool = True) -> Model:
    """State all rules, and with ``soft_goals`` also what is preferred."""
    model = Model(problem, desk)
    for choice in desk.choices:
        model.sessions.append(_decide(model, choice))
    _one_place_at_a_time(model)
    _tours_follow_a_briefing(model)
    _interpreted_where_no_language_is_shared(model)
    _daily_limits_of_people(model)
    _half_day_stays_short(model)
    if soft_goals:
        _early_and_compact(model)
        _important_themes_first(model)
        _fairly_shared(model)
        _hosts_near_in_rank(model)
        _no_larger_room_than_needed(model)
        model.cp.minimize(sum(model.cost))
    return model


def placed(model: Model, solver: cp_model.CpSolver) -> tuple[Placed, ...]:
    """Read the solver's answer, in the order of time."""
    chosen = [
        Placed(
            session=item.choice.session,
            start=solver.value(item.start),
            venue=next(code for code, literal in item.venues.items() if solver.value(literal)),
            lead=next((code for code, literal in item.leads.items() if solver.value(literal)), None),
            interpreter=next((code for code, on in item.interpreters.items() if solver.value(on)), None),
        )
        for item in model.sessions
    ]
    return tuple(sorted(chosen, key=lambda one: one.start))


def _decide(model: Model, choice: Choice) -> Variables:
    """A session starts once, on one day, in one venue and with one lead, when these are free."""
    cp, key = model.cp, choice.session.key
    start = cp.new_int_var_from_domain(_domain(choice.starts), f"start {key}")
    on_day = []
    for day in model.desk.grid.days:
        literal = cp.new_bool_var(f"{key} on {day}")
        cp.add_linear_expression_in_domain(
            start, _domain(choice.starts & model.desk.grid.day_mask(day))
        ).only_enforce_if(literal)
        on_day.append(literal)
    cp.add_exactly_one(on_day)
    venues = _one_of(cp, choice, start, choice.venues, "in")
    cp.add_exactly_one(venues.values())
    leads = _one_of(cp, choice, start, choice.leads, "by")
    if choice.session.lead:
        cp.add_exactly_one(leads.values())
    interpreters = _one_of(cp, choice, start, choice.interpreters, "interpreted by")
    cp.add_at_most_one(interpreters.values())
    return Variables(choice, start, on_day, venues, leads, interpreters)


def _one_of(
    cp: cp_model.CpModel, choice: Choice, start: cp_model.IntVar, options: tuple[Option, ...], how: str
) -> dict[str, cp_model.IntVar]:
    """A literal for each option; a chosen one is free (no other visit, absence, closure, blackout)."""
    literals = {}
    for option in options:
        literal = cp.new_bool_var(f"{choice.session.key} {how} {option.code}")
        if choice.starts & ~option.starts:
            free = _domain(choice.starts & option.starts)
            cp.add_linear_expression_in_domain(start, free).only_enforce_if(literal)
        literals[option.code] = literal
    return literals


def _domain(mask: int) -> cp_model.Domain:
    return cp_model.Domain.from_values(list(bits(mask)))


def _one_place_at_a_time(model: Model) -> None:
    """The delegation is in one session at a time, and takes a quarter of an hour to change the place.

    The welcome is before, and the closing after, everything else.
    """
    for first, second in combinations(model.sessions, 2):
        gap = _gap(model, first, second)
        if first.choice.session.kind == "welcome" or second.choice.session.kind == "closing":
            model.cp.add(second.start >= first.end + gap)
            continue
        in_order = _order(model, first, second)
        model.cp.add(second.start >= first.end + gap).only_enforce_if(in_order)
        model.cp.add(first.start >= second.end + gap).only_enforce_if(~in_order)


def _gap(model: Model, first: Variables, second: Variables) -> cp_model.LinearExpr | int:
    """Quarters between two sessions that follow one another: none in the same venue."""
    shared = first.venues.keys() & second.venues.keys()
    buffer = quarters(BUFFER_MINUTES)
    if not shared:
        return buffer
    same = []
    for code in sorted(shared):
        both = model.cp.new_bool_var("")
        model.cp.add_implication(both, first.venues[code])
        model.cp.add_implication(both, second.venues[code])
        same.append(both)
    return buffer - buffer * sum(same)


def _order(model: Model, first: Variables, second: Variables) -> cp_model.IntVar:
    return model.cp.new_bool_var(f"{first.choice.session.key} before {second.choice.session.key}")


def _tours_follow_a_briefing(model: Model) -> None:
    """A site whose rules ask for it is shown only after at least one briefing."""
    briefings = [item for item in model.sessions if item.choice.session.kind == "briefing"]
    for tour in model.sessions:
        if not tour.choice.session.after_briefing:
            continue
        earlier = []
        for briefing in briefings:
            literal = _order(model, briefing, tour)
            model.cp.add(tour.start >= briefing.end).only_enforce_if(literal)
            earlier.append(literal)
        model.cp.add_bool_or(earlier)


def _interpreted_where_no_language_is_shared(model: Model) -> None:
    """A lead who shares no language with the delegation has an interpreter of a fitting pair; others none."""
    for item in model.sessions:
        needing = []
        for lead, helpers in item.choice.session.interpreters.items():
            if lead not in item.leads:
                continue
            fitting = [item.interpreters[code] for code in helpers if code in item.interpreters]
            model.cp.add_bool_or(fitting).only_enforce_if(item.leads[lead])
            needing.append(item.leads[lead])
        if item.interpreters:
            model.cp.add(sum(item.interpreters.values()) == sum(needing))
            model.cost.append(COST_OF_INTERPRETER * sum(needing))


def _daily_limits_of_people(model: Model) -> None:
    """Nobody has more sessions on a day than the limit, those of other visits counted."""
    for person, left in model.desk.left.items():
        parts = [
            (item, group[person])
            for item in model.sessions
            for group in (item.leads, item.interpreters)
            if person in group
        ]
        for number, day in enumerate(model.desk.grid.days):
            if len(parts) > left[day]:
                taken = [_both(model, item.on_day[number], literal) for item, literal in parts]
                model.cp.add(sum(taken) <= max(left[day], 0))


def _both(model: Model, one: cp_model.IntVar, other: cp_model.IntVar) -> cp_model.IntVar:
    both = model.cp.new_bool_var("")
    model.cp.add_bool_or(~one, ~other, both)
    return both


def _half_day_stays_short(model: Model) -> None:
    """A courtesy visit of one day is over within half a day."""
    if is_half_day(model.problem.needs):
        welcome, closing = model.sessions[0], model.sessions[-1]
        model.cp.add(closing.end - welcome.start <= quarters(HALF_DAY_MINUTES))


def _early_and_compact(model: Model) -> None:
    """Sessions begin as early in the day as they can: this spreads them over the days without idle hours."""
    grid = model.desk.grid
    openings = [grid.opening(day) for day in grid.days]
    for item in model.sessions:
        wait = model.cp.new_int_var(0, QUARTERS_A_DAY, f"wait for {item.choice.session.key}")
        opening = sum(first * on for first, on in zip(openings, item.on_day, strict=True))
        model.cp.add(wait == item.start - opening)
        model.cost.append(wait)


def _important_themes_first(model: Model) -> None:
    """The themes named first are treated on the earlier days."""
    briefings = [item for item in model.sessions if item.choice.session.kind == "briefing"]
    for place, item in enumerate(briefings):
        day = sum(number * on for number, on in enumerate(item.on_day))
        model.cost.append((len(briefings) - place) * day)


def _fairly_shared(model: Model) -> None:
    """Whoever has fewer sessions already is preferred."""
    busy = model.problem.busy
    for item in model.sessions:
        for group in (item.leads, item.interpreters):
            for code, literal in group.items():
                load = min(len(busy.get(person_resource(code), ())), 40)
                model.cost.append(COST_OF_LOAD * load * literal)


def _hosts_near_in_rank(model: Model) -> None:
    """The host nearest to the guest's rank is preferred."""
    centre, guest = model.problem.centre, model.problem.needs.head_rank.order
    for item in model.sessions:
        if item.choice.session.lead == "host":
            for code, literal in item.leads.items():
                model.cost.append(COST_OF_RANK * max(0, guest - _rank(centre, code)) * literal)


def _rank(centre: Centre, code: str) -> int:
    person = centre.person(code)
    return person.rank.order if person and person.rank else 0


def _no_larger_room_than_needed(model: Model) -> None:
    """Among the rooms that do, the smaller is preferred."""
    for item in model.sessions:
        for place, option in enumerate(item.choice.venues):
            model.cost.append(COST_OF_LARGER_ROOM * place * item.venues[option.code])
