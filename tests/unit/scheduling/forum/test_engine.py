"""The engine answers in its time, and its searches end with it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from services.scheduling.forum import engine
from services.scheduling.forum.dzn import read_problem
from services.scheduling.forum.problem import Meeting, Problem, Status
from services.scheduling.forum.progress import Line, News, WrongAnswer
from services.scheduling.forum.verify import breaks, faults
from tests.unit.scheduling.forum.days import dzn, forum

GIVEN = os.environ.get("WAFD_MEETING_PROBLEMS")


def _triangle(slots: int) -> Problem:
    meetings = (Meeting((0, 1)), Meeting((1, 2)), Meeting((2, 0)))
    return Problem(slots=slots, morning=slots, tables=1, absent=(frozenset(),) * 3, meetings=meetings)


def tells_a_wrong_answer(problem: Problem, line: Line) -> None:
    line.tell(News(slots=(0,) * len(problem.meetings)))


def finds_and_never_ends(problem: Problem, line: Line) -> None:
    line.tell(News(slots=(0, 1, 2)))
    while True:
        time.sleep(60)


def never_finds(problem: Problem, line: Line) -> None:
    while True:
        time.sleep(60)


def breaks_down(problem: Problem, line: Line) -> None:
    raise SystemExit(3)


def test_a_day_is_solved_and_proved() -> None:
    problem = _triangle(3)
    answer = engine.solve(problem, 60)
    assert (answer.status, answer.breaks, answer.bound) == (Status.OPTIMAL, 1, 1)
    assert answer.slots is not None
    assert faults(problem, answer.slots) == ()
    assert breaks(problem, answer.slots) == 1


def test_a_day_with_too_few_slots_is_proved_impossible() -> None:
    answer = engine.solve(_triangle(2), 60)
    assert (answer.status, answer.slots, answer.breaks, answer.bound) == (Status.UNSAT, None, None, None)


def test_what_was_found_by_the_deadline_is_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "SEARCHES", (finds_and_never_ends, never_finds))
    answer = engine.solve(_triangle(3), 20)
    assert (answer.status, answer.slots, answer.breaks, answer.bound) == (Status.FEASIBLE, (0, 1, 2), 1, 0)


def test_nothing_is_known_when_nothing_was_found_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "SEARCHES", (never_finds,))
    answer = engine.solve(_triangle(3), 1)
    assert (answer.status, answer.slots, answer.bound) == (Status.UNKNOWN, None, 0)


def test_a_wrong_answer_is_never_given_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "SEARCHES", (tells_a_wrong_answer,))
    with pytest.raises(WrongAnswer):
        engine.solve(_triangle(3), 60)


def test_one_search_is_enough_when_the_other_breaks_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "SEARCHES", (breaks_down, engine.by_cores))
    assert engine.solve(_triangle(3), 60).status is Status.OPTIMAL


def test_it_is_said_when_both_searches_break_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "SEARCHES", (breaks_down, breaks_down))
    with pytest.raises(engine.SearchFailed):
        engine.solve(_triangle(3), 60)


def test_no_process_is_left_when_the_answer_is_there() -> None:
    engine.solve(_triangle(3), 60)
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    engine.solve(_triangle(3), 60)
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before


def test_searches_end_when_the_command_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "hard.dzn"
    path.write_text(dzn(forum(1, delegations=60, experts=60, meetings=600, slots=16, tables=38)))
    command = [sys.executable, "-m", "cli.main", "bench", "schedule", str(path), "--seconds", "120"]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        workers = _wait_for_searches(running)
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert alive == []


def _wait_for_searches(running: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The searches, once they compute."""
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        assert running.poll() is None
        children = psutil.Process(running.pid).children(recursive=True)
        busy = [child for child in children if child.cpu_times().user > 3]
        if len(busy) >= len(engine.SEARCHES):
            return children
        time.sleep(0.1)
    raise AssertionError("no searches were started")


@pytest.mark.skipif(GIVEN is None, reason="WAFD_MEETING_PROBLEMS names no folder of public problems")
@pytest.mark.timeout(0)
def test_every_public_problem_is_solved() -> None:
    for path in sorted(Path(str(GIVEN)).glob("*.dzn")):
        answer = engine.solve(read_problem(path.read_text("utf-8")), 60)
        assert answer.status in {Status.OPTIMAL, Status.UNSAT}, path.name
