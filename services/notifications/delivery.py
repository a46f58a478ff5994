"""When a notice is tried again, decided without I/O or chance."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

_JITTER = 0.25
_TAIL = 0xFFFF  # a UUIDv7 is random at its end


@dataclass(frozen=True, slots=True)
class Retries:
    """How often delivery is tried; the wait starts with ``first`` and doubles."""

    attempts: int = 12
    first: timedelta = timedelta(seconds=90)

    def next_attempt(self, notice: UUID, attempts: int, now: datetime) -> datetime | None:
        """The time of the next attempt after ``attempts`` failed ones; None when it is enough.

        Notices that fail together come back spread over a quarter of the wait, by their ids.
        """
        if attempts >= self.attempts:
            return None
        spread = 1 + _JITTER * (notice.int & _TAIL) / _TAIL
        wait: timedelta = self.first * (2.0 ** (attempts - 1) * spread)
        return now + wait
