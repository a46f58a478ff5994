"""People: their roles, ranks, themes, clearances and languages, absences and daily limits."""

from collections.abc import Iterator
from datetime import date

from benchmarks.programmes.verifier.case import Case
from schemas.scheduling import Slot
from services.scheduling.centre import Person

_RANKS = ("minister", "deputy_minister", "ambassador", "director_general", "director", "officer")


def fitting_people(case: Case) -> Iterator[str]:
    """Every complaint about who takes part in a slot."""
    known = {person.code for person in case.centre.people}
    for slot in case.new:
        codes = [one.person for one in slot.assignments]
        if not set(codes) <= known:
            yield f"{slot.key} names people that the Centre does not have"
            continue
        if len(codes) > len(set(codes)):
            yield f"{slot.key}: somebody has two parts"
        yield from _roles(case, slot)
        yield from _languages(case, slot)
        for one in slot.assignments:
            person = case.person(one.person)
            if one.role not in person.roles:
                yield f"{slot.key}: {person.code} is no {one.role}"
            yield from (f"{slot.key}: {person.code} {what}" for what in _unfit(case, slot, person, one.role))
    yield from _limits(case)


def _roles(case: Case, slot: Slot) -> Iterator[str]:
    item = case.item(slot)
    wanted = sorted(item.roles) if item else []
    rules = case.venue(slot).site if slot.kind == "tour" else None
    if rules and not rules.escort_required:
        wanted = [role for role in wanted if role != "escort"]
    if sorted(one.role for one in slot.assignments if one.role != "interpreter") != wanted:
        yield f"{slot.key} has the wrong roles"


def _unfit(case: Case, slot: Slot, person: Person, role: str) -> Iterator[str]:
    day, item = case.local(slot.starts).date(), case.item(slot)
    if any(away.first <= day <= away.last for away in person.absences):
        yield "is absent"
    if f"{day:%A}".lower() in {str(one) for one in person.days_off}:
        yield "has a day off"
    if person.country and day in case.facts.abroad.get(person.country, ()):
        yield "has a holiday at home"
    if role == "expert" and item and item.each == "theme" and case.subject(slot) not in person.themes:
        yield "does not know the theme"
    if role == "host":
        yield from _rank(case, person)
    if role == "escort" and slot.kind == "tour":
        rules = case.venue(slot).site
        if slot.place.code not in person.sites:
            yield "is not cleared for the site"
        if rules and rules.escort_gender not in {None, person.gender}:
            yield "is of the wrong gender for the site"


def _rank(case: Case, person: Person) -> Iterator[str]:
    hosts = [one for one in case.centre.people if "host" in one.roles and one.rank]
    highest = min((_RANKS.index(str(one.rank)) for one in hosts), default=0)
    guest = _RANKS.index(str(case.needs.head_rank))
    if person.rank is None or _RANKS.index(str(person.rank)) > max(highest, guest):
        yield "is too low in rank"


def _languages(case: Case, slot: Slot) -> Iterator[str]:
    spoken = {*case.needs.languages}
    leads = [case.person(one.person) for one in slot.assignments if one.role != "interpreter"]
    helpers = [case.person(one.person) for one in slot.assignments if one.role == "interpreter"]
    foreign = [lead for lead in leads if not spoken & {*lead.languages}]
    long = (slot.ends - slot.starts).total_seconds() > 60 * case.centre.interpreting.longest_spell
    if not foreign and helpers:
        yield f"{slot.key} has an interpreter whom nobody needs"
    if foreign and len(helpers) != 1 + long:
        yield f"{slot.key} has {len(helpers)} interpreters instead of {1 + long}"
    for lead in foreign:
        for helper in helpers:
            if not any(_bridges(pair, {*lead.languages}, spoken) for pair in helper.pairs):
                yield f"{slot.key}: {helper.code} cannot interpret for {lead.code}"


def _bridges(pair: tuple[str, str], one: set[str], other: set[str]) -> bool:
    return (pair[0] in one and pair[1] in other) or (pair[1] in one and pair[0] in other)


def _limits(case: Case) -> Iterator[str]:
    for person in case.centre.people:
        mine = [slot for slot in case.slots if person.code in {one.person for one in slot.assignments}]
        for day in {case.local(slot.starts).date() for slot in mine if not case.has_begun(slot)}:
            count = sum(case.local(slot.starts).date() == day for slot in mine) + _elsewhere(
                case, person, day
            )
            if count > person.max_sessions_a_day:
                yield f"{person.code} has {count} sessions on {day}"


def _elsewhere(case: Case, person: Person, day: date) -> int:
    """Sessions of other visits that a person has on a date; blocks are none."""
    taken = case.problem.busy.get(f"person:{person.code}", ())
    return sum(hasattr(span, "venue") and case.local(span.start).date() == day for span in taken)
