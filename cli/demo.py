"""`wafd demo`: the examples, through the whole system, with a table of what became of each."""

import asyncio
import json
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.examples import CENTRE_ZONE, REQUESTS, read_examples
from cli.outcome import show
from cli.target import DEFAULT_DATA, command
from cli.walk import Walk
from embedded.directory import claim
from embedded.tether import tethered
from runtime.errors import OperationError, UsageError

STARTS_WITHIN = 120.0
MARKER = ".emptied-by-wafd-demo"


@command
async def demo(
    data: Annotated[Path, typer.Option(help="Emptied first; what happened stays there.")] = DEFAULT_DATA
    / "demo",
    requests: Annotated[Path, typer.Option(help="A folder of requests.")] = REQUESTS,
) -> None:
    """Run the examples through the embedded system and show what happened."""
    stories = read_examples(requests, datetime.now(CENTRE_ZONE).date())
    _empty(data)
    with progress_bar() as progress:
        task = progress.add_task("starting the servers", total=1 + 4 * len(stories))
        async with system(data) as ready:
            progress.advance(task)
            async with Walk(ready, lambda text: progress.update(task, advance=1, description=text)) as walk:
                await walk.submit(stories)
                await walk.decide(stories)
                await walk.answer(stories)
                await walk.settle(stories)
    show(stories, data)
    if failures := [line for story in stories for line in story.failures()]:
        raise OperationError("; ".join(failures))


def _empty(data: Path) -> None:
    if data.exists() and any(data.iterdir()) and not (data / MARKER).is_file():
        raise UsageError(f"{data} is not a folder of an earlier demo: name another with --data")
    claim(data).close()  # refused while a system runs on it
    shutil.rmtree(data)
    data.mkdir()
    (data / MARKER).write_text("wafd demo empties this folder at every start\n", "utf-8")


def progress_bar() -> Progress:
    """Show on stderr how far the work has come."""
    columns = (TextColumn("{task.description:32}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


@asynccontextmanager
async def system(data: Path) -> AsyncIterator[dict[str, Any]]:
    """Run `wafd up` beside this process, which it does not outlive; its logs go to ``data/wafd.log``."""
    program = (sys.executable, "-m", "cli.main", "up", f"--data={data}", "--api-port=0")
    with (data / "wafd.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *tethered(program, signal.SIGTERM, user=None, reach=False),
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    try:
        assert process.stdout is not None  # noqa: S101 -- a pipe was asked for
        async with asyncio.timeout(STARTS_WITHIN):
            line = await process.stdout.readline()
        if not line:
            raise OperationError(f"the system did not start: {_last_line(data / 'wafd.log')}")
        yield json.loads(line)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        code = await process.wait()
    if code:
        raise OperationError(f"the system ended with {code}: see {data / 'wafd.log'}")


def _last_line(path: Path) -> str:
    lines = path.read_text("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
