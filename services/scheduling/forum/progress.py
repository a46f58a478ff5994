"""What is known of a problem while two searches work on it, and the line over which they tell."""

from dataclasses import dataclass, replace
from multiprocessing.connection import Connection

from services.scheduling.forum.problem import Problem
from services.scheduling.forum.verify import breaks, faults


@dataclass(frozen=True)
class News:
    """What a search found out: a better bound, an answer, or that there is none."""

    bound: int = 0
    slots: tuple[int, ...] | None = None
    impossible: bool = False


@dataclass(frozen=True)
class Progress:
    """The best bound and the best answer so far."""

    bound: int = 0
    slots: tuple[int, ...] | None = None
    breaks: int | None = None
    impossible: bool = False

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to find out."""
        return self.impossible or (self.breaks is not None and self.breaks <= self.bound)

    def after(self, news: News, problem: Problem) -> "Progress":
        """Progress with the news, whose answer is checked. Raises `WrongAnswer`."""
        bound = max(self.bound, news.bound)
        impossible = self.impossible or news.impossible
        if news.slots is not None:
            if wrong := faults(problem, news.slots):
                raise WrongAnswer("; ".join(wrong))
            found = breaks(problem, news.slots)
            if self.breaks is None or found < self.breaks:
                return Progress(bound, news.slots, found, impossible)
        return replace(self, bound=bound, impossible=impossible)


class WrongAnswer(Exception):
    """A search has a defect: its answer breaks a rule."""


class Stopped(Exception):
    """Whoever asked for the search does not wait for it any more."""


class Line:
    """A search's end of the line to whoever asked for it."""

    def __init__(self, connection: Connection) -> None:
        """Know nothing yet."""
        self._connection = connection
        self._known = Progress()

    def tell(self, news: News) -> None:
        """Tell the news. Raises `Stopped`."""
        try:
            self._connection.send(news)
        except OSError:
            raise Stopped from None

    def known(self) -> Progress:
        """What is known by now from all searches. Raises `Stopped`."""
        try:
            while self._connection.poll():
                self._known = self._connection.recv()
        except (EOFError, OSError):
            raise Stopped from None
        return self._known
