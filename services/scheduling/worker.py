"""Solves in a process of its own, so that the event loop, and with it Kafka's heartbeat, never waits."""

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import datetime, timedelta
from multiprocessing.connection import wait
from typing import TypeVar

import structlog

from schemas.terms import DateWindow, Rank, VisitKind
from schemas.visits import Needs
from services.scheduling.centre import Centre
from services.scheduling.problem import Infeasible, Problem, Solution

log = structlog.get_logger()

T = TypeVar("T")


def solve_here(problem: Problem) -> Solution | Infeasible:
    """Solve in this process."""
    from services.scheduling.explain import solve  # noqa: PLC0415 -- keeps OR-Tools out of the parent process

    return solve(problem)


def offer_here(problem: Problem) -> tuple[Solution, ...] | Infeasible:
    """Find up to three programmes in this process."""
    from services.scheduling.explain import offers  # noqa: PLC0415 -- as above

    return offers(problem)


class SolverProcess:
    """A worker process that solves one problem after the other and is replaced when it dies."""

    def __init__(self, patience: float = 30) -> None:
        """Start nothing yet; ``patience`` is what is added to a problem's limits, in seconds."""
        self._patience = patience
        self._pool = _new_pool()

    async def solve(self, problem: Problem) -> Solution | Infeasible:
        """Solve a problem in the worker; once again in a new worker when it dies.

        Raises `BrokenProcessPool` when that one dies too.
        """
        return await self._twice(solve_here, problem)

    async def offer(self, problem: Problem) -> tuple[Solution, ...] | Infeasible:
        """Find up to three programmes on different days; otherwise as `solve`."""
        return await self._twice(offer_here, problem)

    async def warm(self, centre: Centre, now: datetime) -> None:
        """Start the worker and have it load what the first real problem needs."""
        await self.solve(_trivial(centre, now))

    async def stop(self) -> None:
        """End the worker at once: a plan in hand is made again after the next start."""
        _kill(self._pool)

    async def _twice(self, work: Callable[[Problem], T], problem: Problem) -> T:
        try:
            return await self._attempt(work, problem)
        except BrokenProcessPool:
            log.warning("solver process died", retried=True)
            return await self._attempt(work, problem)

    async def _attempt(self, work: Callable[[Problem], T], problem: Problem) -> T:
        """Wait for the answer; a worker that does not give one in several times its limit is killed."""
        pool = self._pool
        try:
            # Never cancelled: the pool's own thread stumbles over a cancelled answer (CPython 3.11).
            answer = asyncio.get_running_loop().run_in_executor(pool, work, problem)
            answered, _ = await asyncio.wait({answer}, timeout=self._patience + 4 * problem.seconds)
            if not answered:
                log.error("solver process hangs")
                _kill(pool)
            return await answer
        except BrokenProcessPool:
            if self._pool is pool:  # several callers see the same death
                self._pool = _new_pool()
                _kill(pool)
            raise


def _kill(pool: ProcessPoolExecutor) -> None:
    """Kill the workers; whoever waits for an answer of theirs gets `BrokenProcessPool`."""
    for process in list((pool._processes or {}).values()):  # noqa: SLF001 -- `kill_workers` comes with 3.14
        process.kill()
    pool.shutdown(wait=False)


def _new_pool() -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")  # a fork would copy the event loop's sockets
    return ProcessPoolExecutor(max_workers=1, mp_context=context, initializer=_begin)


def _begin() -> None:
    """Leave Ctrl-C to the parent, and end with it even when it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def _trivial(centre: Centre, now: datetime) -> Problem:
    """A short courtesy visit somewhere in the next four weeks."""
    today = now.date()
    needs = Needs(
        kind=VisitKind.COURTESY,
        themes=(),
        sites=(),
        windows=(DateWindow(first=today, last=today + timedelta(weeks=4)),),
        days=1,
        size=1,
        head_rank=Rank.OFFICER,
        languages=("ar",),
    )
    return Problem(centre=centre, needs=needs, busy={}, now=now, seconds=5)
