"""The process that solves, and the service's start with good and bad master data."""

import asyncio
import os
import signal
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.errors import UsageError
from services.scheduling.app import service
from services.scheduling.problem import Infeasible, Solution
from services.scheduling.worker import SolverProcess
from tests.unit.scheduling.factories import CENTRE, EXAMPLE, NOW, problem


def workers(solver: SolverProcess) -> list[int]:
    return list(solver._pool._processes or {})


@pytest.fixture
async def solver():
    process = SolverProcess()
    await process.warm(CENTRE, NOW)
    yield process
    await process.stop()


async def test_a_problem_is_solved_in_another_process(solver: SolverProcess):
    assert isinstance(await solver.solve(problem()), Solution)
    assert isinstance(await solver.solve(problem(size=50)), Infeasible)
    assert workers(solver) != [os.getpid()]


async def test_the_event_loop_goes_on_while_a_problem_is_solved(solver: SolverProcess):
    (worker,) = workers(solver)
    os.kill(worker, signal.SIGSTOP)  # so that the answer cannot come before the loop has gone on
    solving = asyncio.create_task(solver.solve(problem()))
    for _ in range(10):
        await asyncio.sleep(0.001)
        assert not solving.done()
    os.kill(worker, signal.SIGCONT)
    assert isinstance(await solving, Solution)


async def test_a_solver_that_hangs_is_killed_and_replaced(solver: SolverProcess):
    (before,) = workers(solver)
    os.kill(before, signal.SIGSTOP)
    solver._patience = 0.1  # less than a new process needs to start: the second try fails as well
    hasty = replace(problem(), seconds=0)
    outcomes = await asyncio.gather(*(solver.solve(hasty) for _ in range(4)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [BrokenProcessPool] * 4
    solver._patience = 30
    assert isinstance(await solver.solve(problem()), Solution)
    assert before not in workers(solver)


async def test_a_solver_that_died_is_replaced(solver: SolverProcess):
    (before,) = workers(solver)
    os.kill(before, signal.SIGKILL)
    solutions = await asyncio.gather(*(solver.solve(problem()) for _ in range(3)))
    assert all(isinstance(one, Solution) for one in solutions)
    assert workers(solver) != [before]


def settings(monkeypatch: pytest.MonkeyPatch, centre: Path) -> None:
    monkeypatch.setenv("WAFD_DATABASE", "postgresql://wafd_scheduling@localhost/wafd")
    monkeypatch.setenv("WAFD_KAFKA", "localhost:9092")
    monkeypatch.setenv("WAFD_CENTRE", str(centre))


def test_the_service_is_wired_from_its_settings(monkeypatch: pytest.MonkeyPatch):
    settings(monkeypatch, EXAMPLE)
    assert service().name == "scheduling"


def test_bad_master_data_are_told_as_wrong_use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    path = tmp_path / "centre.yaml"
    path.write_text(EXAMPLE.read_text("utf-8").replace("capacity: 40", "capacity: 0"), "utf-8")
    settings(monkeypatch, path)
    with pytest.raises(UsageError, match=r"centre\.yaml:\d+: venues\.4\.capacity"):
        service()


def test_missing_master_data_are_told_by_their_variable(monkeypatch: pytest.MonkeyPatch):
    settings(monkeypatch, EXAMPLE)
    monkeypatch.delenv("WAFD_CENTRE")
    with pytest.raises(UsageError, match="WAFD_CENTRE is not set"):
        service()
