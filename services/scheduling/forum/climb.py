"""Searches from both sides: asks for an answer with at most so many breaks, for a growing while."""

from services.scheduling.forum.encoding import Encoding, encode
from services.scheduling.forum.oracle import Oracle
from services.scheduling.forum.problem import Problem
from services.scheduling.forum.progress import Line, News

SOLVER = "cadical195"

SECONDS_FOR_BOUND = 4

FIRST_EFFORT = 2_000
"""Conflicts for one question; twice as many when a round of questions remained open."""


def search(problem: Problem, line: Line) -> None:
    """Tell a bound from the participants' times, then every better bound and answer until they meet."""
    encoding = encode(problem)
    breaks = encoding.breaks
    counter = encoding.clauses.counter(breaks, len(breaks))
    oracle = Oracle(SOLVER, encoding.clauses, line)
    if not oracle.has_model():
        line.tell(News(impossible=True))
        return
    climb = _Climb(encoding, counter, oracle, line)
    climb.take_answer()
    from services.scheduling.forum.profiles import fewest_breaks  # noqa: PLC0415 -- OR-Tools takes a second

    line.tell(News(bound=fewest_breaks(problem, SECONDS_FOR_BOUND)))
    climb.go()


class _Climb:
    """Bound and best answer, of its own and of the other search, and the questions between them."""

    def __init__(self, encoding: Encoding, counter: list[int], oracle: Oracle, line: Line) -> None:
        self._encoding, self._counter, self._oracle, self._line = encoding, counter, oracle, line
        self._bound = 0
        self._best = len(counter)

    def take_answer(self) -> None:
        """Tell the answer that the model is."""
        model = self._oracle.model()
        held = set(model)
        self._best = sum(literal in held for literal in self._encoding.breaks)
        self._line.tell(News(slots=self._encoding.slots(model)))

    def go(self) -> None:
        """Ask until bound and best answer meet."""
        effort = FIRST_EFFORT
        while self._is_open():
            if not any(self._ask(most, effort) for most in self._targets()):
                effort *= 2

    def _is_open(self) -> bool:
        known = self._line.known()
        self._bound = max(self._bound, known.bound)
        if known.breaks is not None:
            self._best = min(self._best, known.breaks)
        return self._bound < self._best

    def _targets(self) -> list[int]:
        """The best that may be, half-way there, and the next better one."""
        return sorted({self._bound, (self._bound + self._best) // 2, self._best - 1})

    def _ask(self, most: int, effort: int) -> bool:
        """Whether it showed that there is an answer with at most so many breaks, or that there is none."""
        answer = self._oracle.has_model_within(effort, [-self._counter[most]])
        if answer:
            self.take_answer()
        elif answer is False:
            self._bound = most + 1
            self._line.tell(News(bound=self._bound))
        return answer is not None
