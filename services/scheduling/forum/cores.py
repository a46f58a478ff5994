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

FIRST_EFFORT = 10_000
"""Conflicts for one question; twice as many when it remained open in both its forms."""


def search(problem: Problem, line: Line) -> None:
    """Tell the bound as it rises, and at last the best answer."""
    encoding = encode(problem)
    oracle = Oracle(SOLVER, encoding.clauses, line)
    if not oracle.has_model():
        line.tell(News(impossible=True))
        return
    line.tell(News(slots=encoding.slots(oracle.model())))
    hopes = _Hopes(encoding, oracle)
    while not _best_is_found(hopes, oracle):
        hopes.give_way()
        line.tell(News(bound=hopes.bound))
    line.tell(News(bound=hopes.bound, slots=encoding.slots(oracle.model())))


def _best_is_found(hopes: "_Hopes", oracle: Oracle) -> bool:
    """Whether the hopes can hold together; asked by turns for them, and for as few breaks in all.

    Cores are better at refuting, the total is better at finding an answer.
    """
    effort = FIRST_EFFORT
    answer = oracle.has_model_within(effort, hopes.literals)
    more = hopes.more_than_bound() if answer is None else 0
    while answer is None:
        if oracle.has_model_within(effort, [-more]):
            return True
        effort *= 2
        answer = oracle.has_model_within(effort, hopes.literals)
    return answer


class _Hopes:
    """The literals that are assumed: breaks that do not happen, and counts that stay low."""

    def __init__(self, encoding: Encoding, oracle: Oracle) -> None:
        self.bound = 0
        self._oracle = oracle
        self._breaks = encoding.breaks
        self._variables = encoding.clauses.variables
        self._next: dict[int, list[int]] = {-each: [] for each in encoding.breaks}
        """For each literal the rest of its counter, to be assumed when it is given up."""

    @property
    def literals(self) -> list[int]:
        return list(self._next)

    def give_way(self) -> None:
        """Give up the hopes that were refuted together for weaker ones, and concede a break."""
        core = self._shrink(self._oracle.core())
        self.bound += 1
        for literal in core:
            self._assume_first(self._next.pop(literal))
        clauses = Clauses(self._variables)
        counter = clauses.counter([-literal for literal in core], len(core))
        clauses.add(counter[0])
        self._add(clauses)
        self._assume_first(counter[1:])

    def more_than_bound(self) -> int:
        """A literal that holds when there are more breaks than the bound."""
        clauses = Clauses(self._variables)
        counter = clauses.counter(self._breaks, self.bound + 1)
        if len(counter) <= self.bound:
            never = clauses.variable()
            clauses.add(-never)
            counter = [never]
        self._add(clauses)
        return counter[-1]

    def _assume_first(self, counter: list[int]) -> None:
        if counter:
            self._next[-counter[0]] = counter[1:]

    def _shrink(self, core: list[int]) -> list[int]:
        """Leave out of a core what it does not need, as far as that is cheap."""
        for literal in list(core):
            fewer = [one for one in core if one != literal]
            if fewer and literal in core and self._oracle.has_model_within(TO_SHRINK, fewer) is False:
                kept = set(self._oracle.core())
                core = [one for one in fewer if one in kept]
        return core

    def _add(self, clauses: Clauses) -> None:
        self._variables = clauses.variables
        self._oracle.add(clauses)
