"""The verdict over a run: what was acknowledged against what was applied. Pure; it knows no server."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import accumulate

Order = tuple[str, int]
"""A key and the number of the order under it; a client numbers each key's orders 1, 2, 3, …"""


class Verdict(StrEnum):
    """What a run showed."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"
    """Nothing went wrong, but too little happened for that to mean anything."""


def every_order(_order: Order) -> bool:
    """Say yes: a stage that applies all orders."""
    return True


@dataclass(frozen=True)
class Stage:
    """What one stage of the chain applied, in the order in which it did."""

    name: str
    applied: Sequence[Order]
    expects: Callable[[Order], bool] = field(default=every_order, repr=False)
    """Which acknowledged orders have to get here."""
    in_order: bool = True
    """Whether a key's orders have to be applied in the order of their numbers."""


@dataclass(frozen=True)
class Figures:
    """The counts of a run. Five must be zero, and three must not."""

    acknowledged: int
    injected: int
    duplicates: int
    lost: int = 0
    doubled: int = 0
    unexpected: int = 0
    inversions: int = 0
    stuck: int = 0

    @property
    def faults(self) -> dict[str, int]:
        """The counts that must be zero."""
        return {name: getattr(self, name) for name in ZEROS}

    @property
    def verdict(self) -> Verdict:
        """Pass only if nothing went wrong in a run in which something could have."""
        if any(self.faults.values()):
            return Verdict.FAIL
        if min(self.acknowledged, self.injected, self.duplicates) > 0:
            return Verdict.PASS
        return Verdict.UNKNOWN


ZEROS = ("lost", "doubled", "unexpected", "inversions", "stuck")


def judge(
    attempted: Collection[Order],
    acknowledged: Collection[Order],
    stages: Sequence[Stage],
    *,
    stuck: int,
    injected: int,
    duplicates: int,
) -> Figures:
    """Count what went wrong over all stages.

    An order that was attempted and not acknowledged may be applied or not: its answer was lost.
    """
    asked, owed = set(attempted) | set(acknowledged), set(acknowledged)
    return Figures(
        acknowledged=len(owed),
        injected=injected,
        duplicates=duplicates,
        lost=sum(
            len({order for order in owed if stage.expects(order)} - set(stage.applied)) for stage in stages
        ),
        doubled=sum(len(stage.applied) - len(set(stage.applied)) for stage in stages),
        unexpected=sum(
            1 for stage in stages for order in set(stage.applied) if not _wanted(stage, order, asked)
        ),
        inversions=sum(inversions(stage.applied) for stage in stages if stage.in_order),
        stuck=stuck,
    )


def _wanted(stage: Stage, order: Order, asked: set[Order]) -> bool:
    return order in asked and stage.expects(order)


def inversions(applied: Sequence[Order]) -> int:
    """How often an order was applied for the first time after a later one of its key."""
    numbers: dict[str, list[int]] = {}
    for key, n in dict.fromkeys(applied):
        numbers.setdefault(key, []).append(n)
    return sum(
        1
        for of_key in numbers.values()
        for highest, n in zip(accumulate(of_key, max), of_key[1:], strict=False)
        if n < highest
    )


def repeated(delivered: Sequence[str]) -> int:
    """How many deliveries were not the first one of their event."""
    return sum(count - 1 for count in Counter(delivered).values())


def worse(one: Figures, other: Figures) -> Figures:
    """Of every fault the higher count; of what happened the count of ``other``, which came later."""
    return replace(other, **{name: max(getattr(one, name), getattr(other, name)) for name in ZEROS})
