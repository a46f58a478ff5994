"""`wafd bench schedule`: solves files of the public meeting problem, checks the answers, compares."""

import csv
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.target import failures
from runtime.errors import OperationError, UsageError
from services.scheduling.forum.dzn import read_problem
from services.scheduling.forum.engine import SearchFailed, solve
from services.scheduling.forum.minizinc import DataError
from services.scheduling.forum.problem import Answer, Problem, Status
from services.scheduling.forum.progress import WrongAnswer

BESIDE = "published_optima.csv"

UNSAT = Status.UNSAT.value


def schedule(
    files: Annotated[list[Path], typer.Argument(metavar="FILE.dzn…", help="Meeting problems.")],
    seconds: Annotated[float, typer.Option(min=1, max=86_400, help="The longest for each file.")] = 60,
    optima: Annotated[Path | None, typer.Option(help="CSV of file and optimum (or UNSAT).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Schedule forum days in the public format, two searches at a time, and compare with known optima.

    Where none are named, a published_optima.csv beside a file is taken. Exits with 1 when an answer
    contradicts one.
    """
    with failures():
        problems = {path: _problem(path) for path in files}
        known = {path: _optimum(path, optima) for path in files}
        results, wrong = [], []
        for path, problem in problems.items():
            answer = _solve(path, problem, seconds)
            wrong += _contradictions(path, answer, known[path])
            results.append(_result(path, answer))
            if not as_json:
                print(_line(path, answer, known[path]), flush=True)
        if as_json:
            print(json.dumps(results))
        if wrong:
            raise OperationError("; ".join(wrong))


def _problem(path: Path) -> Problem:
    try:
        return read_problem(path.read_text("utf-8"))
    except DataError as error:
        raise UsageError(f"{path}, {error}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UsageError(f"{path}, line {line}: this is no text in UTF-8") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None


def _optimum(path: Path, optima: Path | None) -> str | None:
    """The known optimum of a file, or UNSAT; None when none is known."""
    beside = path.parent / BESIDE
    if optima is None and not beside.exists():
        return None
    return _read_optima(optima or beside).get(path.name)


def _read_optima(path: Path) -> dict[str, str]:
    try:
        rows = list(csv.DictReader(path.read_text("utf-8").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None
    for line, row in enumerate(rows, 2):
        optimum = row.get("optimum")
        if not row.get("file") or not optimum or not (optimum == UNSAT or optimum.isdecimal()):
            raise UsageError(
                f"{path}, line {line}: a file and its optimum, a number or {UNSAT}, must stand here"
            )
    return {row["file"]: row["optimum"] for row in rows}


def _solve(path: Path, problem: Problem, seconds: float) -> Answer:
    try:
        return solve(problem, seconds)
    except (WrongAnswer, SearchFailed) as error:
        raise OperationError(f"{path}: a search has a defect: {error}") from None


def _contradictions(path: Path, answer: Answer, optimum: str | None) -> list[str]:
    """What an answer and a known optimum cannot both be right about."""
    if optimum is None or answer.status is Status.UNKNOWN:
        return []
    if (answer.status is Status.UNSAT) != (optimum == UNSAT):
        found = UNSAT if answer.status is Status.UNSAT else answer.breaks
        return [f"MISMATCH: {path} has {found} here and {optimum} in the optima"]
    if answer.breaks is None or (answer.bound or 0) <= int(optimum) <= answer.breaks:
        return []
    return [f"MISMATCH: {path} has {answer.bound} to {answer.breaks} here and {optimum} in the optima"]


def _result(path: Path, answer: Answer) -> dict[str, Any]:
    return {
        "file": path.name,
        "status": answer.status,
        "objective": answer.breaks,
        "bound": answer.bound,
        "seconds": round(answer.seconds, 2),
        "slots": [slot + 1 for slot in answer.slots] if answer.slots is not None else None,
    }


def _line(path: Path, answer: Answer, optimum: str | None) -> str:
    objective = "-" if answer.breaks is None else answer.breaks
    bound = "-" if answer.bound is None else answer.bound
    line = f"{path.name}: {answer.status}, objective {objective}, bound {bound}, {answer.seconds:.1f} s"
    return line if optimum is None else f"{line}, known {optimum}"
