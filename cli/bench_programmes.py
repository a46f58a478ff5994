"""`wafd bench programmes`: a year of requests through the solver, and an independent look at each answer."""

from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.programmes.growth import SIZES
from benchmarks.programmes.measure import PROBES, REPLANNED, programmes
from cli.demo import progress_bar
from runtime.errors import OperationError

VISITS = (10, 100, 1_000)
"""A year of the largest makes a calendar of over 10,000 bookings."""


def measured(visits: list[int], seed: int) -> dict[str, Any]:
    """Measure with a bar on stderr. Raises `OperationError` when a programme breaks a rule."""
    total = sum(visits) + PROBES * len(SIZES) + REPLANNED
    with progress_bar() as progress:
        task = progress.add_task("making requests", total=total)

        def tell(text: str) -> None:
            progress.update(task, advance=1, description=text)

        figures, faults = programmes(visits, seed, tell)
    if faults:
        raise OperationError("programmes break a rule: " + "; ".join(faults))
    return figures


def tables(figures: dict[str, Any]) -> None:
    """Print the figures for people."""
    console = Console()
    for title, rows in (
        ("Years of requests", figures["years"]),
        ("A typical visit of three days on a growing calendar", figures["typical_visit"]),
        ("After one cancellation", [figures["replanning"]]),
    ):
        console.print(_table(title, [_flat(row) for row in rows if row]))


def _table(title: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("figure")
    for _ in rows:
        table.add_column(justify="right")
    for name in rows[0] if rows else ():
        table.add_row(name.replace("_", " "), *(_in_words(row[name]) for row in rows))
    return table


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        inner = value if isinstance(value, dict) else {"": value}
        flat |= {f"{name}{'_' if each else ''}{each}": figure for each, figure in inner.items()}
    return flat


def _in_words(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
