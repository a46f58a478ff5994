"""`wafd bench schedule`: what it prints, what it compares, and how it refuses wrong files."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli import forum
from cli.main import app
from services.scheduling.forum.dzn import read_problem
from services.scheduling.forum.engine import SearchFailed
from services.scheduling.forum.problem import Answer, Problem, Status
from services.scheduling.forum.verify import breaks, faults

TRIANGLE = """nBusiness = 3;
nMeetings = 3;
nTables = 1;
nTotalSlots = 3;
nMorningSlots = 3;
requested = [|1, 2,3,
|2, 3,3,
|3, 1,3,
|];
forbidden = [{},{},{}];
fixed = [0,0,0];
precedences = [{},{},{}];
"""

IMPOSSIBLE = TRIANGLE.replace("nTotalSlots = 3", "nTotalSlots = 2").replace(
    "nMorningSlots = 3", "nMorningSlots = 2"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.dzn").write_text(TRIANGLE)
    (tmp_path / "b.dzn").write_text(IMPOSSIBLE)
    return tmp_path


def _schedule(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["bench", "schedule", *map(str, arguments)])


def test_answers_are_printed_as_json_that_others_can_check(folder: Path) -> None:
    result = _schedule(folder / "a.dzn", folder / "b.dzn", "--json")
    assert result.exit_code == 0
    solved, impossible = json.loads(result.stdout)
    assert solved["file"] == "a.dzn"
    assert (solved["status"], solved["objective"], solved["bound"]) == ("OPTIMAL", 1, 1)
    problem = read_problem(TRIANGLE)
    slots = tuple(slot - 1 for slot in solved["slots"])
    assert faults(problem, slots) == ()
    assert breaks(problem, slots) == 1
    assert impossible.pop("seconds") >= 0
    assert impossible == {"file": "b.dzn", "status": "UNSAT", "objective": None, "bound": None, "slots": None}


def test_known_optima_beside_the_files_are_compared(folder: Path) -> None:
    (folder / "published_optima.csv").write_text("file,optimum\na.dzn,1\nb.dzn,UNSAT\nc.dzn,4\n")
    result = _schedule(folder / "a.dzn", folder / "b.dzn")
    assert result.exit_code == 0
    first, second = result.stdout.splitlines()
    assert first.startswith("a.dzn: OPTIMAL, objective 1, bound 1, ")
    assert first.endswith(" s, known 1")
    assert second.startswith("b.dzn: UNSAT, objective -, bound -, ")


@pytest.mark.parametrize(
    ("answer", "optimum", "complaint"),
    [
        (Answer(Status.OPTIMAL, (0, 1, 2), 1, 1, 1), "2", "has 1 to 1 here and 2 in the optima"),
        (Answer(Status.FEASIBLE, (0, 1, 2), 3, 2, 1), "1", "has 2 to 3 here and 1 in the optima"),
        (Answer(Status.FEASIBLE, (0, 1, 2), 1, 0, 1), "UNSAT", "has 1 here and UNSAT in the optima"),
        (Answer(Status.UNSAT, None, None, None, 1), "1", "has UNSAT here and 1 in the optima"),
        (Answer(Status.FEASIBLE, (0, 1, 2), 3, 0, 1), "1", None),
        (Answer(Status.UNKNOWN, None, None, 0, 1), "1", None),
    ],
)
def test_a_contradiction_is_told_loudly(
    folder: Path, monkeypatch: pytest.MonkeyPatch, answer: Answer, optimum: str, complaint: str | None
) -> None:
    monkeypatch.setattr(forum, "solve", lambda *_: answer)
    (folder / "optima.csv").write_text(f"file,optimum\na.dzn,{optimum}\n")
    result = _schedule(folder / "a.dzn", "--optima", folder / "optima.csv", "--json")
    assert json.loads(result.stdout)[0]["status"] == answer.status
    assert result.exit_code == (1 if complaint else 0)
    assert complaint is None or f"wafd: MISMATCH: {folder / 'a.dzn'} {complaint}" in result.stderr


def test_a_defect_of_the_searches_is_a_failure(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(problem: Problem, seconds: float) -> Answer:
        raise SearchFailed

    monkeypatch.setattr(forum, "solve", fail)
    result = _schedule(folder / "a.dzn")
    assert result.exit_code == 1
    assert "both searches ended" in result.stderr


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (TRIANGLE.replace("|2, 3,3", "|2, 4,3").encode(), "line 7: requested names participant 4 of 3"),
        (b"nBusiness = 3;\nn\xff", "line 2: this is no text in UTF-8"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_a_wrong_file_is_refused_before_anything_is_solved(
    folder: Path, content: bytes | None, complaint: str
) -> None:
    if content is not None:
        (folder / "wrong.dzn").write_bytes(content)
    result = _schedule(folder / "a.dzn", folder / "wrong.dzn")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert str(folder / "wrong.dzn") in result.stderr
    assert complaint in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("content", ["file,optimum\na.dzn,few\n", "file\na.dzn\n"])
def test_wrong_optima_are_refused_with_their_line(folder: Path, content: str) -> None:
    (folder / "optima.csv").write_text(content)
    result = _schedule(folder / "a.dzn", "--optima", folder / "optima.csv")
    assert result.exit_code == 2
    assert f"{folder / 'optima.csv'}, line 2: a file and its optimum" in result.stderr


def test_missing_optima_are_refused(folder: Path) -> None:
    result = _schedule(folder / "a.dzn", "--optima", folder / "none.csv")
    assert result.exit_code == 2
    assert "none.csv cannot be read" in result.stderr
