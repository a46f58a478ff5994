"""A propositional formula in the making: variables, clauses and counters of how many literals hold."""

from collections.abc import Iterable, Sequence
from itertools import combinations


class Clauses:
    """Variables are numbered from 1; a literal is a variable or its negative, as SAT solvers want it."""

    def __init__(self, variables: int = 0) -> None:
        """Begin behind the given number of variables, without clauses."""
        self.variables = variables
        self.all: list[list[int]] = []

    def variable(self) -> int:
        """Make a new variable."""
        self.variables += 1
        return self.variables

    def add(self, *literals: int) -> None:
        """At least one of the literals holds; without any, the formula has no solution."""
        self.all.append(list(literals))

    def any_of(self, literals: Sequence[int]) -> int:
        """Make a variable that holds when one of the literals does, and only then."""
        some = self.variable()
        self.add(-some, *literals)
        for literal in literals:
            self.add(-literal, some)
        return some

    def at_most_one(self, literals: Iterable[int]) -> None:
        """No two of the literals hold."""
        for one, other in combinations(literals, 2):
            self.add(-one, -other)

    def counter(self, literals: Sequence[int], most: int) -> list[int]:
        """Count up to ``most`` literals that hold (a totalizer); entry ``n`` says that more than ``n`` do."""
        if len(literals) <= 1:
            return list(literals)[:most]
        half = len(literals) // 2
        left, right = self.counter(literals[:half], most), self.counter(literals[half:], most)
        total = [self.variable() for _ in range(min(len(left) + len(right), most))]
        self._sum(left, right, total)
        return total

    def between(self, counter: Sequence[int], least: int, most: int) -> None:
        """The count is in the range; the counter must count up to more than ``most``, or all there is."""
        for number in range(least):
            self.add(*counter[number : number + 1])
        for literal in counter[most : most + 1]:
            self.add(-literal)

    def _sum(self, left: list[int], right: list[int], total: list[int]) -> None:
        """With ``some`` on the left and ``more`` on the right there are as many in total, and no more."""
        for some in range(len(left) + 1):
            enough, few = [-one for one in left[some - 1 : some]] if some else [], left[some : some + 1]
            for more in range(len(right) + 1):
                both = some + more
                if more:
                    self.all.append([*enough, -right[more - 1], total[min(both, len(total)) - 1]])
                elif some:
                    self.all.append([*enough, total[min(both, len(total)) - 1]])
                if both < len(total):
                    self.all.append([-total[both], *few, *right[more : more + 1]])
