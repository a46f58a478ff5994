"""Makes meeting problems: random ones from a seed, and their text in the public format."""

import random

from services.scheduling.forum.problem import Meeting, Problem, Session

CODES = {Session.MORNING: 1, Session.AFTERNOON: 2, Session.ANY: 3}


def random_problem(seed: int, *, participants: int = 6, meetings: int = 7, slots: int = 5) -> Problem:
    """A problem with some of everything; many have no answer."""
    draw = random.Random(seed)  # noqa: S311 -- no secret
    morning = draw.choice([slots, slots, slots // 2])
    pairs = [tuple(draw.sample(range(participants), 2)) for _ in range(meetings)]
    return Problem(
        slots=slots,
        morning=morning,
        tables=draw.randint(1, participants // 2),
        absent=tuple(
            frozenset(slot for slot in range(slots) if draw.random() < 0.08) for _ in range(participants)
        ),
        meetings=tuple(
            Meeting(
                pair=(pair[0], pair[1]),
                session=draw.choice([Session.ANY, Session.ANY, Session.MORNING, Session.AFTERNOON])
                if morning < slots
                else Session.ANY,
                fixed=draw.randrange(slots) if draw.random() < 0.1 else None,
                after=frozenset(one for one in range(number) if draw.random() < 0.04),
            )
            for number, pair in enumerate(pairs)
        ),
    )


def forum(seed: int, *, delegations: int, experts: int, meetings: int, slots: int, tables: int) -> Problem:
    """A day like those of real forums: two sides, one session, some far busier than others."""
    draw = random.Random(seed)  # noqa: S311 -- no secret
    load = [0] * (delegations + experts)
    pairs: set[tuple[int, int]] = set()
    while len(pairs) < meetings:
        pair = (min(draw.randrange(delegations) for _ in range(2)), delegations + draw.randrange(experts))
        if pair not in pairs and all(load[one] < slots for one in pair):
            pairs.add(pair)
            for one in pair:
                load[one] += 1
    return Problem(
        slots=slots,
        morning=slots,
        tables=tables,
        absent=(frozenset(),) * len(load),
        meetings=tuple(Meeting(pair) for pair in sorted(pairs)),
    )


def dzn(problem: Problem) -> str:
    """The problem in the public format."""
    rows = "\n".join(
        f"|{one.pair[0] + 1}, {one.pair[1] + 1},{CODES[one.session]}, " for one in problem.meetings
    )
    fixed = ",".join(str(0 if one.fixed is None else one.fixed + 1) for one in problem.meetings)
    return "\n".join(
        [
            f"nBusiness = {len(problem.absent)};",
            f"nMeetings = {len(problem.meetings)};",
            f"nTables = {problem.tables};",
            f"nTotalSlots = {problem.slots};",
            f"nMorningSlots = {problem.morning};\n",
            f"requested = [{rows}\n|];\n",
            f"forbidden = [{_sets(problem.absent)}];",
            f"fixed = [{fixed}];",
            f"precedences = [{_sets(tuple(one.after for one in problem.meetings))}];",
        ]
    )


def _sets(sets: tuple[frozenset[int], ...]) -> str:
    return ",\n".join("{" + ",".join(str(one + 1) for one in sorted(each)) + "}" for each in sets)
