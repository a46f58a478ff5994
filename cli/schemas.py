"""`wafd schemas`: keep the contracts of the events and compare them with the code."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from schemas import contracts
from schemas.contracts import BreakingChange, Problem
from schemas.event import EVENTS

schemas_app = typer.Typer(help="Keep the contracts of the events.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
NOT_INSTALLED = "A changed schema is judged by {name}: install the development packages with `uv sync`."


@schemas_app.command()
def check(*, as_json: AsJson = False) -> None:
    """Compare the kept schemas with the code; exit 1 when they differ."""
    try:
        problems = contracts.check_contracts(contracts.KEPT, contracts.PAGE)
    except ModuleNotFoundError as missing:
        raise _failure(NOT_INSTALLED.format(name=missing.name)) from missing
    if as_json:
        _print_json({"ok": not problems, "problems": [asdict(problem) for problem in problems]})
    elif not problems:
        print(f"{len(EVENTS)} event types are as kept.")
    _fail_for(problems, listed=as_json)


@schemas_app.command()
def export(*, as_json: AsJson = False) -> None:
    """Write the schemas and docs/events.md anew; exit 1 and write nothing when a change breaks a contract."""
    written: list[Path] = []
    problems: list[Problem] = []
    try:
        written = contracts.export_contracts(contracts.KEPT, contracts.PAGE)
    except BreakingChange as refusal:
        problems = refusal.problems
    except ModuleNotFoundError as missing:
        raise _failure(NOT_INSTALLED.format(name=missing.name)) from missing
    except OSError as denied:
        raise _failure(f"{denied.filename} cannot be written: {denied.strerror}.") from denied
    if as_json:
        found = [asdict(problem) for problem in problems]
        _print_json({"ok": not problems, "written": [str(path) for path in written], "problems": found})
    elif not problems:
        print("\n".join(f"wrote {path}" for path in written) or "nothing changed")
    _fail_for(problems, listed=as_json)


def _fail_for(problems: list[Problem], *, listed: bool) -> None:
    """Print all problems unless they are listed already, and one sentence on stderr; exit 1."""
    if not problems:
        return
    if not listed:
        for problem in problems:
            print(problem)
    more = f" ({len(problems) - 1} more on stdout)" if len(problems) > 1 else ""
    raise _failure(f"{problems[0]}{more}")


def _failure(sentence: str) -> typer.Exit:
    typer.echo(sentence, err=True)
    return typer.Exit(1)


def _print_json(result: dict[str, Any]) -> None:
    print(json.dumps(result, ensure_ascii=False))
