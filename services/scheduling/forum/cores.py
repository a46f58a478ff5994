"""Searches from below: assumes that no break is needed and gives way only where that is refuted.

Core-guided MaxSAT (OLL with soft cardinality constraints): breaks that cannot all be avoided are a
core; a counter over them takes their place, and is assumed to stay as low as is not refuted yet.
"""

from services.scheduling.forum.clauses import Clauses
from services.scheduling.forum.encoding import Encoding, encode
from services.scheduling.forum.oracle import Oracle
from services.scheduling.forum.problem import Problem
from services.scheduling.forum.progress import Line, News

SOLVER = "glucose4"

TO_SHRINK = 1_000
"""Conflicts spent on leaving one literal out of a core."""

TO_EXHAUST = 20_000
"""Conflicts spent on showing that a core needs yet another break."""


def search(problem: Problem, line: Line) -> None:
    """Tell the bound as it rises, and at last the best answer."""
    encoding = encode(problem)
    oracle = Oracle(SOLVER, encoding.clauses, line)
    if not oracle.has_model():
        line.tell(News(impossible=True))
        return
    line.tell(News(slots=encoding.slots(oracle.model())))
    hopes = _Hopes(encoding, oracle)
    bound = 0
    while not oracle.has_model(hopes.literals):
        bound += hopes.give_way()
        line.tell(News(bound=bound))
    line.tell(News(bound=bound, slots=encoding.slots(oracle.model())))


class _Hopes:
    """The literals that are assumed: breaks that do not happen, and counts that stay low."""

    def __init__(self, encoding: Encoding, oracle: Oracle) -> None:
        self._oracle = oracle
        self._variables = encoding.clauses.variables
        self._next: dict[int, list[int]] = {-each: [] for each in encoding.breaks}
        """For each literal the rest of its counter, to be assumed when it is given up."""

    @property
    def literals(self) -> list[int]:
        return list(self._next)

    def give_way(self) -> int:
        """Give up the hopes that were refuted together for weaker ones; how many breaks that concedes."""
        core = self._shrink(self._oracle.core())
        for literal in core:
            rest = self._next.pop(literal)
            if rest:
                self._next[-rest[0]] = rest[1:]
        if len(core) == 1:
            self._add([-core[0]])
            return 1
        clauses = Clauses(self._variables)
        counter = clauses.counter([-literal for literal in core], len(core))
        clauses.add(counter[0])
        self._variables = clauses.variables
        self._oracle.add(clauses)
        conceded = self._exhaust(counter)
        if rest := counter[conceded:]:
            self._next[-rest[0]] = rest[1:]
        return conceded

    def _shrink(self, core: list[int]) -> list[int]:
        """Leave out of a core what it does not need, as far as that is cheap."""
        for literal in list(core):
            fewer = [one for one in core if one != literal]
            if fewer and literal in core and self._oracle.has_model_within(TO_SHRINK, fewer) is False:
                kept = set(self._oracle.core())
                core = [one for one in fewer if one in kept]
        return core

    def _exhaust(self, counter: list[int]) -> int:
        """How many of a core's breaks happen for certain, as far as that is cheap to show."""
        certain = 1
        for literal in counter[1:]:
            if self._oracle.has_model_within(TO_EXHAUST, [-literal]) is not False:
                break
            self._add([literal])
            certain += 1
        return certain

    def _add(self, clause: list[int]) -> None:
        clauses = Clauses()
        clauses.add(*clause)
        self._oracle.add(clauses)
