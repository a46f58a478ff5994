"""Solves forum days by two searches at once, each in a process of its own; the first proof wins."""

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from time import monotonic

from services.scheduling.forum.problem import Answer, Problem, Status
from services.scheduling.forum.progress import Line, News, Progress, Stopped


def solve(problem: Problem, seconds: float) -> Answer:
    """The best answer that is found in the time, as good as is proved by then.

    Raises `WrongAnswer` when a search has a defect, and `SearchFailed` when both ended without a result.
    """
    began = monotonic()
    progress = Progress()
    with _searches(problem) as lines:
        for news in _news(lines, began + seconds):
            progress = progress.after(news, problem)
            if progress.is_settled:
                break
            for line in lines:
                _pass_on(line, progress)
    return _answer(progress, monotonic() - began)


def by_cores(problem: Problem, line: Line) -> None:
    """Search from below."""
    from services.scheduling.forum.cores import search  # noqa: PLC0415 -- keeps solvers out of the parent

    search(problem, line)


def by_climbing(problem: Problem, line: Line) -> None:
    """Search from both sides."""
    from services.scheduling.forum.climb import search  # noqa: PLC0415 -- likewise

    search(problem, line)


SEARCHES: tuple[Callable[[Problem, Line], None], ...] = (by_cores, by_climbing)


class SearchFailed(Exception):
    """Both searches ended before the problem was settled."""

    def __str__(self) -> str:
        return "both searches ended before the problem was settled"


@contextmanager
def _searches(problem: Problem) -> Iterator[list[Connection]]:
    """Run the searches; at the end they are killed."""
    # A fork of this process would copy its sockets and threads; the server of forks has none.
    context = multiprocessing.get_context("forkserver")
    lines, processes = [], list[ForkServerProcess]()
    try:
        for search in SEARCHES:
            ours, theirs = context.Pipe()
            process = context.Process(target=_run, args=(search, problem, theirs), daemon=True)
            process.start()
            theirs.close()
            processes.append(process)
            lines.append(ours)
        yield lines
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.join()
        for line in lines:
            line.close()


def _run(search: Callable[[Problem, Line], None], problem: Problem, connection: Connection) -> None:
    try:
        search(problem, Line(connection))
    except (Stopped, KeyboardInterrupt):  # Ctrl-C is the parent's to tell
        return


def _news(lines: list[Connection], deadline: float) -> Iterator[News]:
    """What the searches tell until the deadline. Raises `SearchFailed` when none is left to tell."""
    open_lines = list(lines)
    while open_lines:
        ready = wait(open_lines, timeout=max(0, deadline - monotonic()))
        if not ready:
            return
        for line in open_lines.copy():
            if line in ready:
                try:
                    yield line.recv()
                except (EOFError, OSError):
                    open_lines.remove(line)
    raise SearchFailed


def _pass_on(line: Connection, progress: Progress) -> None:
    try:
        line.send(progress)
    except OSError:
        return  # this search has ended


def _answer(progress: Progress, seconds: float) -> Answer:
    if progress.impossible:
        return Answer(Status.UNSAT, None, None, None, seconds)
    if progress.slots is None:
        return Answer(Status.UNKNOWN, None, None, progress.bound, seconds)
    status = Status.OPTIMAL if progress.is_settled else Status.FEASIBLE
    return Answer(status, progress.slots, progress.breaks, progress.bound, seconds)
