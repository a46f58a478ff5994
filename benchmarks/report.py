"""A run of all measurements as one JSON object and one Markdown table, with the machine they were made on."""

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

Results = Mapping[str, Mapping[str, Any]]
"""The figures of each measurement, by its name."""


class Line(NamedTuple):
    """One row of the table: a figure, what it is compared with, and the target."""

    what: str
    figure: str
    floor: str
    target: str


def machine() -> dict[str, Any]:
    """This machine, as far as it matters for the figures."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        if line.startswith("model name")
    ]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": names[0] if names else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def lines(results: Results) -> Sequence[Line]:
    """The rows of the table, from the figures of each measurement by its name."""
    return (*_rates(results), *_costs(results), *_waits(results))


def _rates(results: Results) -> Sequence[Line]:
    pipeline, relay = results["pipeline"], results["relay"]
    return (
        Line(
            "events a second, inbox to broker, one process",
            f"{pipeline['wafd_events_per_second']:,} ({pipeline['ratio']} of the floor)",
            f"{pipeline['floor_events_per_second']:,}, hand-written",
            "≥ 3,000 and ≥ 0.8",
        ),
        Line(
            "the same, against one message a handler",
            f"{pipeline['ratio_to_one_a_message']} times",
            f"{pipeline['one_a_message_events_per_second']:,}, FastStream as documented",
            "≥ 8 times",
        ),
        Line(
            "events a second, relay alone",
            f"{relay['relay_events_per_second']:,} ({relay['ratio']} of the floor)",
            f"{relay['bare_producer_events_per_second']:,}, bare producer",
            "≥ 0.8",
        ),
    )


def _costs(results: Results) -> Sequence[Line]:
    aging, soak = results["aging"], results["soak"]
    return (
        Line(
            "cost of an event on many old rows",
            f"{aging['flow_ratio']} times; event log {aging['event_log_ratio']}",
            f"on {aging['few']:,} old rows; many are {aging['many']:,}",
            "≤ 1.1 times",
        ),
        Line(
            "bytes of WAL of an event on many old rows",
            f"{aging['flow_wal_bytes_ratio']} times; event log {aging['event_log_wal_bytes_ratio']}",
            "the same",
            "none set",
        ),
        Line(
            f"memory over {soak['events']:,} events",
            f"{soak['growth_after_the_first_lap']} times ({soak['resident_mib'][-1]} MiB)",
            "after a tenth of them",
            "flat",
        ),
    )


def _waits(results: Results) -> Sequence[Line]:
    steady, rebalance, resume = results["steady"], results["rebalance"], results["resume"]
    visit = results["latency"]["approval_to_programme_notice_ms"]
    return (
        Line(
            f"latency at {steady['events_per_second']:,} events a second, ms",
            f"median {steady['p50_ms']}, p99 {steady['p99_ms']}",
            "two hops over Kafka are in it",
            "≤ 30, ≤ 250",
        ),
        Line(
            "pause when a process joins or leaves, ms",
            f"{max(rebalance['longest_pause_when_one_joins_ms'])}, "
            f"{max(rebalance['longest_pause_when_one_leaves_ms'])}",
            f"longest of {rebalance['rounds']} each",
            "none set",
        ),
        Line(
            "longest wait of an event when a process is killed, s: the only one, one of two",
            f"{max(resume['longest_wait_of_one_process_s'])}, "
            f"{max(resume['longest_wait_of_two_processes_s'])}",
            f"{resume['kills']} kills each; the session is {resume['session_seconds']} s",
            "≤ 5",
        ),
        Line(
            "from an approval to the first notice of its programme, ms",
            f"median {visit['median']}, p99 {visit['p99']}",
            "idle, solver included, embedded servers",
            "median ≤ 1,000",
        ),
    )


def markdown(results: Results, described: Mapping[str, Any], at: datetime) -> str:
    """The table with a sentence about the machine; ``at`` is when the run ended, aware."""
    rows = [f"| {line.what} | {line.figure} | {line.floor} | {line.target} |" for line in lines(results)]
    where = (
        f"Measured on {at:%Y-%m-%d}: {described['processor']}, {described['cores']} cores, "
        f"{described['memory_gib']} GiB, {described['system']}, Python {described['python']}; "
        f"broker {results['pipeline']['broker']}. PostgreSQL, broker and Wafd share the machine; "
        "compare ratios, not values."
    )
    head = ("| what | figure | floor of the same run | target |", "|---|---|---|---|")
    return "\n".join((where, "", *head, *rows, ""))
