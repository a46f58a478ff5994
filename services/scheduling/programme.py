"""Turns what was decided about a session into a slot of the programme, with the reasons for each choice."""

from schemas.scheduling import Assignment, Place, Slot
from schemas.terms import Bilingual
from services.scheduling.candidates import Choice, Desk, Option
from services.scheduling.goals import Placed, Prices
from services.scheduling.problem import Problem


def slots_of(problem: Problem, desk: Desk, programme: tuple[Placed, ...]) -> tuple[Slot, ...]:
    """The slots of a programme, in the order of time."""
    prices = Prices(problem, desk)
    slots = (_slot_of(problem, desk, prices, one) for one in programme)
    return tuple(sorted(slots, key=lambda slot: slot.starts))


def _slot_of(problem: Problem, desk: Desk, prices: Prices, one: Placed) -> Slot:
    """The slot of one placed session; one that has begun or is pinned stays as it was held."""
    choice = next(choice for choice in desk.choices if choice.session is one.session)
    if choice.fixed:
        return choice.fixed
    venue = problem.centre.venue(one.venue)
    assert venue is not None  # noqa: S101 -- candidates are venues of the same centre
    session = one.session
    roles = [part.role for part in session.parts]
    parts = [*zip(one.people, roles, strict=True), *((code, "interpreter") for code in one.interpreters)]
    return Slot(
        key=session.key,
        kind=session.kind,
        title=session.title,
        starts=desk.grid.instant(one.start),
        ends=desk.grid.instant(one.start + choice.length),
        place=Place(code=venue.code, name=venue.name, address=venue.address),
        assignments=tuple(Assignment(person=code, role=role) for code, role in parts),
        group=session.group,
        group_size=session.size if session.group else None,
        why=_why(desk, prices, choice, one),
    )


def _why(desk: Desk, prices: Prices, choice: Choice, one: Placed) -> tuple[Bilingual, ...]:
    """Why this time, place and people, as far as the alternatives show it; names nobody."""
    people = tuple(_why_person(desk, prices, choice, number, one) for number in range(len(one.people)))
    interpreted = (_why_interpreters(choice),) if one.interpreters else ()
    return (_why_then(desk, prices, choice, one), _why_there(choice, one), *people, *interpreted)


def _why_then(desk: Desk, prices: Prices, choice: Choice, one: Placed) -> Bilingual:
    day = prices.day_of(one.start)
    earlier = choice.starts & desk.grid.day_mask(desk.grid.days[day]) & ((1 << one.start) - 1)
    if choice.session.within:
        return _say("في وقته المعتاد من اليوم.", "At its usual time of the day.")
    if one.start == prices.opening(day):
        return _say("عند بدء الدوام.", "When the working day begins.")
    if not earlier:
        return _say(
            "أول وقت من ذلك اليوم يتاح فيه المكان والأشخاص.",
            "The earliest on that day that place and people are free.",
        )
    return _say(
        "من الأوقات المتاحة في ذلك اليوم، بما يلائم الجلسات الأخرى.",
        "Of the times that are free on that day, as suits the other sessions.",
    )


def _why_there(choice: Choice, one: Placed) -> Bilingual:
    if len(choice.session.venues) == 1:
        return _say("المكان الوحيد المناسب.", "The only place for it.")
    smaller = choice.session.venues.index(one.venue)
    if smaller == 0:
        return _say(
            f"أصغر قاعة تتسع لعدد المشاركين ({choice.session.size}).",
            f"The smallest room that seats {choice.session.size}.",
        )
    return _say(
        f"أصغر القاعات ({smaller}) غير متاحة حينها أو أقل ملاءمة للبرنامج.",
        f"The {smaller} smaller rooms are not free then, or suit the rest of the programme less.",
    )


def _why_person(desk: Desk, prices: Prices, choice: Choice, number: int, one: Placed) -> Bilingual:
    role, code = choice.session.parts[number].role, one.people[number]
    home = desk.ways.premises(one.venue)
    free = [option for option in choice.parts[number] if _is_free(option, one.start, home)]
    cost = {option.code: sum(prices.person(choice.session, number, option.code).values()) for option in free}
    ar, en = _ROLES[role]
    if len(free) == 1:
        return _say(f"{ar}: الشخص الوحيد المناسب المتاح حينها.", f"{en}: the only one who is free then.")
    if cost[code] == min(cost.values()):
        return _say(
            f"{ar}: الأنسب رتبة والأقل التزامات من بين {len(free)} متاحين."
            if role == "host"
            else f"{ar}: الأقل التزامات من بين {len(free)} متاحين.",
            f"{en}: nearest in rank and with least to do of the {len(free)} who are free."
            if role == "host"
            else f"{en}: with least to do of the {len(free)} who are free.",
        )
    return _say(
        f"{ar}: من بين {len(free)} متاحين، بما يلائم بقية البرنامج.",
        f"{en}: one of the {len(free)} who are free, as suits the rest of the programme.",
    )


def _why_interpreters(choice: Choice) -> Bilingual:
    if choice.session.teams == 1:
        return _say(
            "ترجمة: لا لغة مشتركة بين المتحدث والوفد.",
            "Interpreted: speaker and delegation share no language.",
        )
    return _say(
        "ترجمة بالتناوب بين مترجمين لطول الجلسة.",
        "Interpreted by two who take turns, for the session is longer than one may interpret.",
    )


def _is_free(option: Option, start: int, home: str) -> bool:
    return bool(option.elsewhere.get(home, option.starts) >> start & 1)


_ROLES = {
    "host": ("المضيف", "Host"),
    "expert": ("الخبير", "Expert"),
    "escort": ("المرافق", "Escort"),
    "interpreter": ("المترجم", "Interpreter"),
}


def _say(ar: str, en: str) -> Bilingual:
    return Bilingual(ar=ar, en=en)
