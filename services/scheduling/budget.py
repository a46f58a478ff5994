"""How long the parts of an answer may take, on a monotonic clock that is passed in."""

from collections.abc import Callable
from dataclasses import dataclass, replace

Clock = Callable[[], float]
"""Seconds that only ever rise, such as `time.monotonic`."""


@dataclass(frozen=True)
class Budget:
    """The time that one part of an answer may take: until ``until`` on ``clock``, in seconds."""

    until: float
    clock: Clock

    @classmethod
    def of(cls, seconds: float, clock: Clock) -> "Budget":
        """So many seconds from now on."""
        return cls(clock() + seconds, clock)

    @property
    def left(self) -> float:
        """Seconds that are left, never fewer than none."""
        return max(self.until - self.clock(), 0.0)

    @property
    def is_spent(self) -> bool:
        """Whether no time is left."""
        return self.left <= 0

    def share(self, parts: int) -> "Budget":
        """The first of so many equal parts of what is left; what it leaves over falls to the others."""
        return replace(self, until=self.clock() + self.left / parts)
