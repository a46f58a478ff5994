"""A SAT solver that looks up now and then, so that its process ends with the one that asked."""

from collections.abc import Sequence

from pysat.solvers import Solver

from services.scheduling.forum.clauses import Clauses
from services.scheduling.forum.progress import Line

AT_A_TIME = 10_000
"""Conflicts, about a second's worth, between two looks at the line."""


class Oracle:
    """Answers whether a formula has a model, again and again; the formula may grow."""

    def __init__(self, solver: str, clauses: Clauses, line: Line) -> None:
        """Start the solver of that name in PySAT with the clauses."""
        self._solver = Solver(name=solver, bootstrap_with=clauses.all)
        self._line = line

    def has_model(self, assumptions: Sequence[int] = ()) -> bool:
        """Whether there is a model in which all assumptions hold. Raises `Stopped`."""
        while (answer := self.has_model_within(AT_A_TIME, assumptions)) is None:
            pass
        return answer

    def has_model_within(self, conflicts: int, assumptions: Sequence[int] = ()) -> bool | None:
        """Likewise; None when that does not show within so many conflicts. Raises `Stopped`."""
        left = conflicts
        while left > 0:
            self._line.known()
            self._solver.conf_budget(min(left, AT_A_TIME))
            answer: bool | None = self._solver.solve_limited(assumptions=list(assumptions))
            if answer is not None:
                return answer
            left -= AT_A_TIME
        return None

    def model(self) -> list[int]:
        """The literals that hold, after `True`."""
        model: list[int] = self._solver.get_model()
        return model

    def core(self) -> list[int]:
        """Assumptions that cannot hold together, after `False`; none when there is no model at all."""
        return list(self._solver.get_core() or [])

    def add(self, clauses: Clauses) -> None:
        """Let the formula grow."""
        for clause in clauses.all:
            self._solver.add_clause(clause)
