"""A held programme for tests of what becomes of it: a welcome and a briefing on the first day."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from schemas.scheduling import Slot
from services.scheduling.calendar import Interval
from services.scheduling.disruptions import Block

TEXT = {"ar": "جلسة", "en": "Session"}


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A local time of January 2027 as an instant."""
    return datetime.fromisoformat(f"2027-01-{day:02}T{hour:02}:{minute:02}+03:00").astimezone(UTC)


def slot(key: str = "welcome", **changes: Any) -> Slot:
    """On Sunday 3 January from nine to ten, with a host of the example Centre in its first room."""
    valid: dict[str, Any] = {
        "key": key,
        "kind": "welcome",
        "title": TEXT,
        "starts": at(3, 9),
        "ends": at(3, 10),
        "place": place("meeting-room-1"),
        "assignments": [{"person": "host-01", "role": "host"}],
    }
    return Slot.model_validate(valid | changes)


def place(code: str) -> dict[str, Any]:
    return {"code": code, "name": TEXT, "address": TEXT}


def with_(person: str, role: str = "host") -> list[dict[str, str]]:
    return [{"person": person, "role": role}]


def block(resource: str, start: datetime, end: datetime) -> Block:
    return Block(UUID(int=1), resource, Interval(start, end), "a reason", "Huda")
