"""`wafd bench`: what Wafd costs, measured beside a floor in the same run."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks import pipeline as pipeline_benchmark
from cli.target import command
from runtime.logging import configure

bench_app = typer.Typer(no_args_is_help=True, help="Measure on this machine; compare ratios, not values.")

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


def _print(figures: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(figures))
        return
    table = Table("figure", "value")
    for name, value in figures.items():
        table.add_row(name.replace("_", " "), str(value))
    Console().print(table)
