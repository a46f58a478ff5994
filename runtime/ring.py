"""Where a row of the outbox or the inbox is kept: one partition a day, in a ring of days that comes round.

The day is that of the event's id, a UUIDv7, so that the same id always meets the same partition and its
primary key. Nothing is created or dropped while the system runs: a partition is emptied when all that
it holds has passed its retention, and takes another day's rows later.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

OUTBOX_DAYS = 16
INBOX_DAYS = 32
"""Days in each ring; `sql/migrations` has as many partitions, and one more for ids that tell no time."""

AHEAD = timedelta(days=1)
"""How far an id may lie in the future: clocks differ, but not by more."""

_DAY = 86_400_000


def drawn_at(id: UUID) -> int | None:
    """When a UUIDv7 was drawn, in milliseconds since the Unix epoch (RFC 9562); None of another id."""
    number = id.int
    return number >> 80 if number >> 76 & 15 == 7 else None  # noqa: PLR2004 -- UUID.version takes longer


def slot(id: UUID, days: int) -> int:
    """The partition of ``id`` in a ring of ``days``; ``days`` itself for an id that tells no time."""
    milliseconds = drawn_at(id)
    return days if milliseconds is None else milliseconds // _DAY % days


def kept_since(now: datetime, retention: timedelta) -> datetime:
    """The beginning, in UTC, of the oldest day that is kept: the one on which the ``retention`` ends."""
    return (now - retention).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def expired_slots(now: datetime, retention: timedelta, days: int) -> list[int]:
    """The partitions of a ring whose rows have all passed their ``retention`` at ``now`` (aware)."""
    oldest, newest = (int(at.timestamp() * 1000) // _DAY for at in (kept_since(now, retention), now + AHEAD))
    kept = {day % days for day in range(oldest, newest + 1)}
    return [slot for slot in range(days) if slot not in kept]
