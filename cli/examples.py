"""The example requests: read, dated, and what became of each."""

import json
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg

from runtime.errors import UsageError

REQUESTS = Path(__file__).parent.parent / "examples" / "requests"
CENTRE_ZONE = ZoneInfo("Asia/Bahrain")

PROPOSED = "scheduling.programme.proposed.v1"
RELEASED = "scheduling.programme.released.v1"
INFEASIBLE = "scheduling.programme.infeasible.v1"
FAILED = "notifications.notice.failed.v1"
DELIVERED = "notifications.notice.delivered.v1"


@dataclass
class Story:
    """One example on its way through the system."""

    name: str
    client: str
    country: str
    expect: str
    request: dict[str, Any]
    id: str | None = None
    accepted_at: datetime | None = None
    approved_at: datetime | None = None
    refusal: dict[str, Any] | None = None
    events: list[asyncpg.Record] = field(default_factory=list)

    @property
    def focal_points(self) -> int:
        """How many contacts of the ministry are told."""
        contacts = [self.request["focal_point"], *self.request.get("alternates", ())]
        return len({contact["email"].lower() for contact in contacts})

    @property
    def notices(self) -> list[asyncpg.Record]:
        """The settled notices among its events: delivered, failed or suppressed."""
        return [event for event in self.events if event["type"].startswith("notifications.notice.")]

    @property
    def outcome(self) -> str:
        """What became of it: refused, confirmed, waitlisted or, while it is on its way, unsettled."""
        if self.refusal:
            return "refused"
        if self.first(RELEASED):
            return "confirmed"
        return "waitlisted" if self.first(INFEASIBLE) else "unsettled"

    def failures(self) -> list[str]:
        """What is not as the example says it should be, a sentence each."""
        found = [f"a notice about {self.name} failed" for n in self.notices if n["type"] == FAILED]
        if self.outcome != self.expect:
            found.append(f"{self.name} was to be {self.expect} and is {self.outcome}")
        return found

    def first(self, *types: str) -> asyncpg.Record | None:
        """The earliest of its events of one of ``types``."""
        return next((event for event in self.events if event["type"] in types), None)


def read_examples(folder: Path, today: date) -> list[Story]:
    """Read the example requests, their windows counted in days from ``today``. Raises `UsageError`."""
    stories = []
    for path in sorted(folder.glob("*.json")):
        try:
            content = json.loads(path.read_text("utf-8"))
            client = content["client"]
            request = dated(content, today)
            stories.append(Story(path.stem, client["name"], client["country"], content["expect"], request))
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{path} is no example request ({error!r}): see examples/README.md") from None
    if not stories:
        raise UsageError(f"{folder} holds no requests (*.json)")
    return stories


def dated(example: dict[str, Any], today: date) -> dict[str, Any]:
    """The request of an example with its windows as dates."""
    windows = [
        {"first": str(today + timedelta(days=first)), "last": str(today + timedelta(days=last))}
        for first, last in example["windows_from_today"]
    ]
    return {**example["request"], "windows": windows}
