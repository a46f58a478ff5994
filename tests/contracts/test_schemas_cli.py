"""`wafd schemas` as an operator meets it: exit codes, one sentence on stderr, JSON on stdout."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.schemas import schemas_app
from schemas import contracts
from schemas.event import EVENTS

TYPE = "visits.visit.confirmed.v1"
run = CliRunner().invoke


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(contracts, "KEPT", tmp_path / "json")
    monkeypatch.setattr(contracts, "PAGE", tmp_path / "docs" / "events.md")
    return tmp_path / "json"


@pytest.fixture
def broken(kept: Path) -> Path:
    """Contracts that were kept when the code had a field more."""
    run(schemas_app, ["export"])
    path = kept / f"{TYPE}.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    schema["$defs"]["VisitConfirmed"]["properties"]["venue"] = {"type": "string"}
    path.write_text(contracts.schema_text(schema), encoding="utf-8")
    return path


def test_an_export_writes_every_contract_and_a_check_is_content_with_it(kept: Path):
    missing = run(schemas_app, ["check"])
    assert missing.exit_code == 1
    assert "run `wafd schemas export`" in missing.stderr

    exported = run(schemas_app, ["export", "--json"])
    assert exported.exit_code == 0
    assert len(json.loads(exported.stdout)["written"]) == len(EVENTS) + 1
    assert {path.stem for path in kept.iterdir()} == set(EVENTS)

    checked = run(schemas_app, ["check"])
    assert (checked.exit_code, checked.stderr) == (0, "")
    assert json.loads(run(schemas_app, ["check", "--json"]).stdout) == {"ok": True, "problems": []}
    assert run(schemas_app, ["export"]).stdout == "nothing changed\n"


@pytest.mark.parametrize("command", ["check", "export"])
def test_a_breaking_change_exits_1_with_one_sentence_and_leaves_the_file(broken: Path, command: str):
    before = broken.read_bytes()

    result = run(schemas_app, [command])

    assert result.exit_code == 1
    assert result.stderr == (
        f"{TYPE} at /$defs/VisitConfirmed/properties/venue: the field 'venue' is gone, "
        "old code and old messages may have it; make a new version: visits.visit.confirmed.v2.\n"
    )
    assert result.stdout == result.stderr
    assert broken.read_bytes() == before


@pytest.mark.parametrize("command", ["check", "export"])
def test_a_breaking_change_is_told_as_json(broken: Path, command: str):
    result = run(schemas_app, [command, "--json"])

    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["ok"] is False
    (problem,) = told["problems"]
    assert (problem["type"], problem["place"], problem["breaking"]) == (
        broken.stem,
        "/$defs/VisitConfirmed/properties/venue",
        True,
    )


def test_several_problems_are_counted_on_stderr_and_listed_on_stdout(kept: Path):
    result = run(schemas_app, ["check"])
    assert len(result.stdout.splitlines()) == len(EVENTS) + 1
    assert len(result.stderr.splitlines()) == 1
    assert f"({len(EVENTS)} more on stdout)" in result.stderr


@pytest.mark.parametrize("command", ["check", "export"])
def test_without_the_development_packages_a_change_cannot_be_judged(
    broken: Path, monkeypatch: pytest.MonkeyPatch, command: str
):
    schema = json.loads(broken.read_text(encoding="utf-8"))
    schema["$defs"]["Contact"]["properties"]["email"]["maxLength"] = 100
    broken.write_text(contracts.schema_text(schema), encoding="utf-8")
    monkeypatch.setitem(sys.modules, "jsoncompat", None)

    result = run(schemas_app, [command])

    assert result.exit_code == 1
    assert "jsoncompat" in result.stderr
    assert "uv sync" in result.stderr


def test_a_folder_that_cannot_be_written_is_named(kept: Path):
    kept.write_text("a file where the folder should be", encoding="utf-8")
    result = run(schemas_app, ["export"])
    assert result.exit_code == 1
    assert str(kept) in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["mend"], ["check", "--loud"]])
def test_wrong_use_exits_2(arguments: list[str]):
    assert run(schemas_app, arguments).exit_code == 2
