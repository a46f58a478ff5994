"""Values for tests of scheduling, valid by default."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from schemas.visits import Needs
from services.scheduling.calendar import Interval
from services.scheduling.centre import Centre
from services.scheduling.centre_file import load_centre
from services.scheduling.problem import Problem

PLAIN = Path(__file__).parent / "centre.yaml"
EXAMPLE = Path(__file__).parents[3] / "examples" / "centre.yaml"
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
CENTRE: Centre = load_centre(PLAIN)


def needs(**changes: Any) -> Needs:
    """A study visit of two days in the first full week of January 2027."""
    valid: dict[str, Any] = {
        "kind": "study",
        "themes": ["national-referral-mechanism", "victim-identification"],
        "sites": ["shelter"],
        "windows": [{"first": "2027-01-03", "last": "2027-01-07"}],
        "days": 2,
        "size": 6,
        "head_rank": "director",
        "languages": ["ar"],
        "confidentiality_signed": True,
    }
    return Needs.model_validate(valid | changes)


def problem(
    *, busy: dict[str, tuple[Interval, ...]] | None = None, seconds: float = 20, **changes: Any
) -> Problem:
    return Problem(CENTRE, needs(**changes), busy or {}, NOW, seconds)


def taken(first: str, last: str) -> tuple[Interval, ...]:
    """Busy from the beginning of one local day until the beginning of another."""
    start, end = (datetime.fromisoformat(f"{day}T00:00+03:00").astimezone(UTC) for day in (first, last))
    return (Interval(start, end),)
