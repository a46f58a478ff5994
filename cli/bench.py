"""`wafd bench`: what Wafd costs, measured beside a floor in the same run."""

import json
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks import aging as aging_benchmark
from benchmarks import latency as latency_benchmark
from benchmarks import pipeline as pipeline_benchmark
from benchmarks import rebalance as rebalance_benchmark
from benchmarks import relay as relay_benchmark
from benchmarks import resume as resume_benchmark
from benchmarks import soak as soak_benchmark
from benchmarks import steady as steady_benchmark
from benchmarks.report import machine, markdown
from cli.demo import progress_bar, system
from cli.examples import CENTRE_ZONE, REQUESTS, read_examples
from cli.target import command
from cli.walk import register
from runtime.logging import configure
from services.visits.clients import Role

bench_app = typer.Typer(no_args_is_help=True, help="Measure on this machine; compare ratios, not values.")

LABELS = {
    "submission_202_to_receipt_ms": "submission (202) to its e-mail, ms",
    "approval_to_programme_notice_ms": "approval (200) to the programme's e-mail, ms",
}

AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable.")]


Events = Annotated[int, typer.Option(min=1000, help="Events in a round.")]
Rounds = Annotated[int, typer.Option(min=1, help="Rounds that count.")]
Kafka = Annotated[str | None, typer.Option(metavar="HOST:PORT", help="A real Kafka.")]
Postgres = Annotated[str | None, typer.Option(metavar="DSN", help="A real PostgreSQL, as its owner.")]


@bench_app.command()
@command
async def pipeline(
    events: Events = 10_000,
    rounds: Rounds = 3,
    kafka: Kafka = None,
    postgres: Postgres = None,
    as_json: AsJson = False,
) -> None:
    """Push events through inbox, handler, outbox and relay, and through a hand-written loop."""
    await _show(pipeline_benchmark.pipeline(events, rounds, kafka, postgres), as_json=as_json)


@bench_app.command()
@command
async def relay(
    events: Events = 20_000,
    rounds: Rounds = 3,
    kafka: Kafka = None,
    postgres: Postgres = None,
    as_json: AsJson = False,
) -> None:
    """Publish the outbox, and the same rows by a bare producer."""
    await _show(relay_benchmark.relay(events, rounds, kafka, postgres), as_json=as_json)


@bench_app.command()
@command
async def steady(
    rate: Annotated[int, typer.Option(min=10, help="Events a second.")] = 1000,
    seconds: Annotated[int, typer.Option(min=5, help="How long.")] = 20,
    kafka: Kafka = None,
    postgres: Postgres = None,
    as_json: AsJson = False,
) -> None:
    """Measure the latency that is added at a steady rate."""
    await _show(steady_benchmark.steady(rate, seconds, kafka, postgres), as_json=as_json)


@bench_app.command()
@command
async def aging(
    few: Annotated[int, typer.Option(min=1000, help="Old rows of the first measurement.")] = 10_000,
    many: Annotated[int, typer.Option(min=1000, help="Old rows of the second.")] = 1_000_000,
    events: Events = 10_000,
    rounds: Rounds = 3,
    kafka: Kafka = None,
    postgres: Postgres = None,
    as_json: AsJson = False,
) -> None:
    """Measure what an event costs on top of few and of many old rows."""
    await _show(aging_benchmark.aging(few, many, events, rounds, kafka, postgres), as_json=as_json)


@bench_app.command()
@command
async def soak(
    events: Annotated[int, typer.Option(min=10_000, help="Events in all.")] = 1_000_000,
    kafka: Kafka = None,
    postgres: Postgres = None,
    as_json: AsJson = False,
) -> None:
    """Measure memory over many events."""
    await _show(soak_benchmark.soak(events, kafka, postgres), as_json=as_json)


@bench_app.command()
@command
async def rebalance(
    rounds: Rounds = 3, kafka: Kafka = None, postgres: Postgres = None, as_json: AsJson = False
) -> None:
    """Measure how long consumption pauses when a process joins or leaves."""
    await _show(rebalance_benchmark.rebalance(rounds, kafka, postgres), as_json=as_json)


@bench_app.command()
@command
async def resume(
    kills: Annotated[int, typer.Option(min=1, help="Kills of each kind.")] = 8,
    kafka: Kafka = None,
    postgres: Postgres = None,
    as_json: AsJson = False,
) -> None:
    """Measure how long events wait when a process is killed and started again."""
    await _show(resume_benchmark.resume(kills, kafka, postgres), as_json=as_json)


@bench_app.command()
@command
async def latency(
    requests: Annotated[int, typer.Option(min=3, max=500, help="Visits, one after the other.")] = 40,
    as_json: AsJson = False,
) -> None:
    """Measure from an answer to the e-mail handed over, on an idle embedded system, solver included."""
    await _show(_latency(requests), as_json=as_json)


@bench_app.command("all")
@command
async def everything(
    kafka: Kafka = None,
    postgres: Postgres = None,
    out: Annotated[Path, typer.Option(help="Folder for results.json and results.md.")] = Path("benchmarks"),
    quick: Annotated[bool, typer.Option("--quick", help="Fewer events: a look, not a measurement.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run every measurement, keep the figures as JSON and as a Markdown table."""
    configure("bench", "warning")
    part = 10 if quick else 1
    steps: dict[str, Callable[[], Awaitable[dict[str, Any]]]] = {
        "pipeline": lambda: pipeline_benchmark.pipeline(20_000 // part, 5, kafka, postgres),
        "relay": lambda: relay_benchmark.relay(20_000 // part, 5, kafka, postgres),
        "steady": lambda: steady_benchmark.steady(1000, 60 // part, kafka, postgres),
        "rebalance": lambda: rebalance_benchmark.rebalance(max(5 // part, 1), kafka, postgres),
        "resume": lambda: resume_benchmark.resume(max(8 // part, 1), kafka, postgres),
        "aging": lambda: aging_benchmark.aging(10_000, 1_000_000 // part, 10_000 // part, 7, kafka, postgres),
        "soak": lambda: soak_benchmark.soak(1_000_000 // part, kafka, postgres),
        "latency": lambda: _latency(40 // part),
    }
    results: dict[str, dict[str, Any]] = {}
    for number, (name, measure) in enumerate(steps.items(), 1):
        print(f"{number} of {len(steps)}: {name}", file=sys.stderr)
        results[name] = await measure()
    described = machine()
    table = markdown(results, described, datetime.now(CENTRE_ZONE))
    out.mkdir(parents=True, exist_ok=True)
    content = {"machine": described, **results}
    (out / "results.json").write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    (out / "results.md").write_text(table, "utf-8")
    print(json.dumps(content) if as_json else table)


async def _latency(requests: int) -> dict[str, Any]:
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
            return await latency_benchmark.latency(
                ready,
                ministry,
                officer,
                bodies,
                lambda text: progress.update(task, advance=1, description=text),
            )


async def _show(measured: Awaitable[dict[str, Any]], *, as_json: bool) -> None:
    configure("bench", "warning")
    figures = await measured
    if as_json:
        print(json.dumps(figures))
        return
    table = Table("figure", "value")
    for name, value in figures.items():
        table.add_row(LABELS.get(name, name.replace("_", " ")), _in_words(value))
    Console().print(table)


def _in_words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {_in_words(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(_in_words, value))
    return str(value)
