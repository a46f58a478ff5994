"""Runs the years, the growing calendar and the replanning, and puts the figures together."""

from collections.abc import Sequence
from statistics import median
from typing import Any

from benchmarks.lab import percentile
from benchmarks.programmes.growth import Probe, Replanned, probes, replannings
from benchmarks.programmes.year import Answer, Told, run_year
from services.scheduling.centre import Centre

PROBES = 40
"""Typical visits solved at each size of the calendar."""

REPLANNED = 60


def programmes(visits: Sequence[int], seed: int, told: Told) -> tuple[dict[str, Any], list[str]]:
    """Measure years of so many visits, growth and replanning in the largest; and all complaints there are."""
    years, faults = list[dict[str, Any]](), list[str]()
    for size in sorted(visits):
        centre, answers = run_year(size, seed, told)
        faults += [
            f"{size} visits, request {n}: {fault}" for n, one in enumerate(answers) for fault in one.faults
        ]
        years.append(_year(size, centre, answers))
    grown = list(probes(centre, answers, PROBES, seed, told))
    faults += [f"typical visit, {one.bookings} bookings: {fault}" for one in grown for fault in one.faults]
    again = list(replannings(answers, REPLANNED, seed, told))
    faults += [f"replanned: {fault}" for one in again for fault in one.faults]
    figures = {
        "seed": seed,
        "years": years,
        "typical_visit": _growth(grown),
        "replanning": _replanning(again),
    }
    return figures, faults


def _year(visits: int, centre: Centre, answers: list[Answer]) -> dict[str, Any]:
    found = [one for one in answers if one.found]
    slots = [slot for one in found if one.found for slot in one.found.slots]
    return {
        "visits": visits,
        "people": len(centre.people),
        "venues": len(centre.venues),
        "bookings": len(slots) + sum(len(slot.assignments) for slot in slots),
        "feasible": round(len(found) / visits, 3),
        "feasible_greedy": round(sum(one.baseline is not None for one in answers) / visits, 3),
        "worse_than_greedy": sum(one.is_worse for one in answers),
        **_scores(answers),
        "solve_ms": _times([one.seconds for one in answers]),
        "solve_ms_when_feasible": _times([one.seconds for one in found]),
        "greedy_ms": _times([one.baseline_seconds for one in answers]),
    }


def _scores(answers: list[Answer]) -> dict[str, Any]:
    """The cost by the soft goals where both planned the same days and themes, and how often less it is."""
    pairs = [
        (one.found.score.cost, one.baseline.score.cost)
        for one in answers
        if one.found and one.baseline and one.found.score and one.baseline.score
        and (one.found.days, one.found.themes) == (one.baseline.days, one.baseline.themes)
    ]  # fmt: skip
    total = sum(cost for _, cost in pairs)
    return {
        "compared": len(pairs),
        "cost_ratio_to_greedy": round(sum(cost for cost, _ in pairs) / total, 3) if total else None,
        "better_than_greedy": sum(cost < other for cost, other in pairs),
    }


def _growth(grown: list[Probe]) -> list[dict[str, Any]]:
    return [
        {
            "bookings": size,
            "feasible": round(sum(one.is_feasible for one in grown if one.bookings == size) / PROBES, 3),
            **_times([one.seconds for one in grown if one.bookings == size]),
        }
        for size in dict.fromkeys(one.bookings for one in grown)
    ]


def _replanning(again: list[Replanned]) -> dict[str, Any] | None:
    if not again:
        return None
    return {
        "cases": len(again),
        "slots_changed": median(one.changed for one in again),
        "slots_changed_anew": median(one.changed_anew for one in again),
        "share": round(median(one.changed / one.changed_anew for one in again), 3),
    }


def _times(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {}
    return {
        "median": round(median(seconds) * 1000, 1),
        "p95": round(percentile(seconds, 0.95) * 1000, 1),
        "p99": round(percentile(seconds, 0.99) * 1000, 1),
    }
