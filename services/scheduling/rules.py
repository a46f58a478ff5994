"""The hard rules of a programme in the CP-SAT model, each a function of its name."""

from collections import defaultdict
from itertools import combinations

from ortools.sat.python import cp_model

from services.scheduling.candidates import Rule
from services.scheduling.domain import HALF_DAY_MINUTES, is_half_day
from services.scheduling.grid import quarters
from services.scheduling.model import Model, Variables
from services.scheduling.problem import person_resource


def state_rules(model: Model) -> None:
    """State every rule that holds."""
    one_place_at_a_time(model)
    groups_share_nothing_at_one_time(model)
    welcome_first_and_closing_last(model)
    what_comes_after_waits(model)
    interpreted_where_no_language_is_shared(model)
    interpreters_rest(model)
    nobody_has_two_parts(model)
    daily_limits_of_people(model)
    half_day_stays_short(model)


def one_place_at_a_time(model: Model) -> None:
    """Whoever of the delegation is in two sessions is in one after the other, with time for the way."""
    for first, second in combinations(model.sessions, 2):
        if first.session.meets(second.session) and not (first.choice.fixed and second.choice.fixed):
            one, other = in_order(model, first, second)
            model.cp.add_bool_or(one, other)


def groups_share_nothing_at_one_time(model: Model) -> None:
    """Two groups of a split delegation that are apart at one time have different people and places."""
    for first, second in combinations(model.sessions, 2):
        if first.session.meets(second.session) or (first.choice.fixed and second.choice.fixed):
            continue
        shared = [
            (first.venues[code], second.venues[code]) for code in first.venues.keys() & second.venues.keys()
        ]
        shared += [
            (one, other)
            for person in sorted(_people_of(first) & _people_of(second))
            for one in first.roles_of(person)
            for other in second.roles_of(person)
        ]
        if shared:
            one, other = in_order(model, first, second)
            for mine, theirs in shared:
                model.cp.add_bool_or(~mine, ~theirs, one, other)


def welcome_first_and_closing_last(model: Model) -> None:
    """A welcome, then a courtesy call, are before everything else, and a closing after it."""
    for item in model.sessions:
        for other in model.sessions:
            if item.choice.fixed and other.choice.fixed:
                continue
            if item.session.stage < other.session.stage and item.session.meets(other.session):
                model.cp.add(_before(model, item, other) == 1)


def what_comes_after_waits(model: Model) -> None:
    """A session that has to be prepared comes after one session at least of the kinds that prepare it."""
    for item in model.sessions:
        session = item.session
        if not session.after or not model.desk.holds(Rule.ORDER, session.key) or item.choice.fixed:
            continue
        for kinds in session.after:
            earlier = [
                _before(model, other, item)
                for other in model.sessions
                if other.session.kind in kinds and session.meets(other.session)
            ]
            model.cp.add_bool_or(earlier)


def interpreted_where_no_language_is_shared(model: Model) -> None:
    """Whoever shares no language with the delegation has interpreters of a fitting pair; others have none."""
    for item in model.sessions:
        session = item.session
        if item.choice.fixed:
            for literal in item.interpreters.values():
                model.cp.add(literal == 1)
            continue
        if item.choice.must:
            model.cp.add(item.interpreters[item.choice.must] == 1)
        needing = []
        for group in item.parts:
            for person, literal in group.items():
                if person not in session.interpreters:
                    continue
                helpers = session.interpreters[person]
                fitting = [item.interpreters[code] for code in helpers if code in item.interpreters]
                model.cp.add(sum(fitting) >= session.teams).only_enforce_if(literal)
                needing.append(literal)
        if not needing:  # whoever would have needed them is away
            model.cp.add(sum(item.interpreters.values()) == 0)
        else:
            needed = model.cp.new_bool_var(f"{item.key} is interpreted")
            model.cp.add_max_equality(needed, needing)
            model.cp.add(sum(item.interpreters.values()) == session.teams * needed)


def interpreters_rest(model: Model) -> None:
    """Nobody interprets for longer than the longest spell without a rest; two who take turns count half.

    ``tired`` is, for a session and its interpreter, half quarters of interpreting since the last rest.
    """
    rules = model.problem.centre.interpreting
    rest, longest = quarters(rules.rest), 2 * quarters(rules.longest_spell)
    by_interpreter: dict[str, list[Variables]] = defaultdict(list)
    for item in model.sessions:
        for code in item.interpreters:
            by_interpreter[code].append(item)
    for code, items in sorted(by_interpreter.items()):
        if not model.desk.holds(Rule.SPELL, person_resource(code)):
            continue
        tired = {
            item.key: model.cp.new_int_var(
                _strain(item), max(longest, _strain(item)), f"{code} after {item.key}"
            )
            for item in items
        }
        for one, other in combinations(items, 2):
            for first, second in ((one, other), (other, one)):
                if _rested_by_the_way(model, first, second, rest):
                    continue
                both = (first.interpreters[code], second.interpreters[code], _before(model, first, second))
                rested = model.cp.new_bool_var(f"{code} rests between {first.key} and {second.key}")
                model.cp.add(second.start >= first.end + rest).only_enforce_if(*both, rested)
                model.cp.add(tired[second.key] >= tired[first.key] + _strain(second)).only_enforce_if(
                    *both, ~rested
                )


def nobody_has_two_parts(model: Model) -> None:
    """In one session a person has one part."""
    for item in model.sessions:
        for person in sorted(_people_of(item)):
            roles = item.roles_of(person)
            if len(roles) > 1:
                model.cp.add_at_most_one(roles)


def daily_limits_of_people(model: Model) -> None:
    """Nobody has more sessions on a day than the limit, those of other visits counted."""
    for person, left in model.desk.left.items():
        parts = [(item, literal) for item in model.sessions for literal in item.roles_of(person)]
        for number, day in enumerate(model.desk.grid.days):
            if len(parts) > left[day]:
                taken = [_both(model, item.on_day[number], literal) for item, literal in parts]
                begun = sum(person in _fixed_people(item) for item in model.sessions)
                model.cp.add(sum(taken) <= max(left[day], begun, 0))


def half_day_stays_short(model: Model) -> None:
    """A courtesy visit of one day is over within half a day."""
    if not is_half_day(model.problem.needs) or not model.desk.holds(Rule.HALF_DAY):
        return
    longest = quarters(HALF_DAY_MINUTES)
    for first in model.sessions:
        for last in model.sessions:
            if first is not last:
                model.cp.add(last.end - first.start <= longest)


def in_order(model: Model, first: Variables, second: Variables) -> tuple[cp_model.IntVar, cp_model.IntVar]:
    """Two literals: the first is over before the second begins, and the other way round."""
    return _before(model, first, second), _before(model, second, first)


def _before(model: Model, first: Variables, second: Variables) -> cp_model.IntVar:
    """Whether the first session is over, and the way to the second behind, when that begins."""
    known = model.before.get((first.key, second.key))
    if known is not None:
        return known
    literal = model.cp.new_bool_var(f"{first.key} before {second.key}")
    model.before[first.key, second.key] = literal
    if (first.choice.fixed and second.choice.fixed) or not model.desk.holds(Rule.WAY):
        model.cp.add(second.start >= first.end).only_enforce_if(literal)
        return literal
    ways, shortest = _ways(model, first, second)
    if first.venues.keys() & second.venues.keys():
        model.cp.add(second.start >= first.end).only_enforce_if(literal)
        apart = ~_same_venue(model, first, second)
        model.cp.add(second.start >= first.end + shortest).only_enforce_if(literal, apart)
    else:
        model.cp.add(second.start >= first.end + shortest).only_enforce_if(literal)
    for (here, there), gap in ways.items():
        if gap > shortest:
            places = first.premises[here], second.premises[there]
            model.cp.add(second.start >= first.end + gap).only_enforce_if(literal, *places)
    return literal


def _ways(model: Model, first: Variables, second: Variables) -> tuple[dict[tuple[str, str], int], int]:
    """Quarters between different venues of two sessions, by premises, and the fewest of them."""
    ways = {
        (here, there): model.desk.ways.travel(here, there)
        for here in first.premises
        for there in second.premises
    }
    return ways, min(ways.values())


def _same_venue(model: Model, first: Variables, second: Variables) -> cp_model.IntVar:
    """A literal that two sessions are in one venue, which may be false all the same."""
    same = model.cp.new_bool_var(f"{first.key} where {second.key} is")
    for code, literal in first.venues.items():
        there = second.venues.get(code)
        model.cp.add_bool_or(~same, ~literal, *([] if there is None else [there]))
    return same


def _rested_by_the_way(model: Model, first: Variables, second: Variables, rest: int) -> bool:
    """Whether the way between two sessions is always a rest, or their order cannot be this."""
    if first.session.stage > second.session.stage:
        return True
    shares = first.venues.keys() & second.venues.keys()
    return not shares and model.desk.holds(Rule.WAY) and _ways(model, first, second)[1] >= rest


def _strain(item: Variables) -> int:
    return item.choice.length * (2 if item.session.teams == 1 else 1)


def _people_of(item: Variables) -> set[str]:
    return {code for group in (*item.parts, item.interpreters) for code in group}


def _fixed_people(item: Variables) -> set[str]:
    return {one.person for one in item.choice.fixed.assignments} if item.choice.fixed else set()


def _both(model: Model, one: cp_model.IntVar, other: cp_model.IntVar) -> cp_model.IntVar:
    both = model.cp.new_bool_var("")
    model.cp.add_bool_or(~one, ~other, both)
    return both
