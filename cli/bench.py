"""`wafd bench`: what Wafd costs, measured beside a floor in the same run."""

import json
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks import latency as latency_benchmark
from benchmarks import pipeline as pipeline_benchmark
from cli.demo import progress_bar, system
from cli.examples import CENTRE_ZONE, REQUESTS, read_examples
from cli.target import command
from cli.walk import register
from runtime.logging import configure
from services.visits.clients import Role

bench_app = typer.Typer(no_args_is_help=True, help="Measure on this machine; compare ratios, not values.")

LABELS = {
    "submission_202_to_receipt_ms": "submission (202) to its e-mail, ms",
    "approval_202_to_programme_notice_ms": "approval (200) to the programme's e-mail, ms",
}

AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable.")]


@bench_app.command()
@command
async def pipeline(
    events: Annotated[int, typer.Option(min=1000, help="Events in a round.")] = 10_000,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds that count.")] = 3,
    kafka: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="A real Kafka.")] = None,
    postgres: Annotated[
        str | None, typer.Option(metavar="DSN", help="A real PostgreSQL, as its owner.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Push events through inbox, handler, outbox and relay, and through a hand-written loop."""
    configure("bench", "warning")
    _print(await pipeline_benchmark.pipeline(events, rounds, kafka, postgres), as_json=as_json)


@bench_app.command()
@command
async def latency(
    requests: Annotated[int, typer.Option(min=3, max=500, help="Visits, one after the other.")] = 40,
    as_json: AsJson = False,
) -> None:
    """Measure from an answer to the e-mail handed over, on an idle embedded system, solver included."""
    configure("bench", "warning")
    examples = read_examples(REQUESTS, datetime.now(CENTRE_ZONE).date())
    feasible = [story.request for story in examples if "refused" not in story.name]
    bodies = [
        {**feasible[number % len(feasible)], "sender_reference": f"B-{number}"} for number in range(requests)
    ]
    with TemporaryDirectory(prefix="wafd-bench-") as folder, progress_bar() as progress:
        task = progress.add_task("starting the servers", total=requests)
        async with system(Path(folder)) as ready:
            ministry = await register(ready, "Bench", "QA", Role.MINISTRY)
            officer = await register(ready, "Bench officer", "BH", Role.OFFICER)
            figures = await latency_benchmark.latency(
                ready,
                ministry,
                officer,
                bodies,
                lambda text: progress.update(task, advance=1, description=text),
            )
    _print(figures, as_json=as_json)


def _in_words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {_in_words(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(_in_words, value))
    return str(value)


def _print(figures: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(figures))
        return
    table = Table("figure", "value")
    for name, value in figures.items():
        table.add_row(LABELS.get(name, name.replace("_", " ")), _in_words(value))
    Console().print(table)
