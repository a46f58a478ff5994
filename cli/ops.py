"""`wafd lag` and `wafd recover`: what waits, and what to do after the loss of a broker."""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import asyncpg
import typer
from aiokafka import AIOKafkaConsumer, TopicPartition
from rich.console import Console
from rich.table import Table

from cli.target import SERVICES, command, connect, kafka
from runtime import operations
from runtime.connection import connection_options
from runtime.errors import UsageError
from runtime.kafka import TOPICS
from services.notifications import store

RUNNING = """
SELECT DISTINCT application_name FROM pg_stat_activity
WHERE datname = current_database() AND application_name = ANY ($1::text[])
ORDER BY application_name
"""
"""The services that have connections to this database, by the names that their pools give."""


@command
async def lag(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Show how much each service has not read, not published, or parked, and how many notices wait."""
    rows: list[dict[str, Any]] = []
    for service in SERVICES:
        connection = await connect(service)
        unread = await _unread(f"wafd-{service}")
        row = {"service": service, "unread": unread, **await operations.backlog(connection)}
        rows.append(row | await _notices(service, connection))
    if as_json:
        print(json.dumps(rows))
        return
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = Table(*(name.replace("_", " ") for name in names))
    for row in rows:
        table.add_row(*(str(row.get(name, "")) for name in names))
    Console().print(table)


async def _notices(service: str, connection: asyncpg.Connection) -> dict[str, float]:
    """What of the mail waits to be sent, or to be sent again."""
    if service != "notifications":
        return {}
    found = await store.figures(connection, datetime.now(UTC))
    return {"notices_waiting": found.waiting, "oldest_notice_seconds": found.oldest_seconds}


async def _unread(group: str) -> int:
    """Records that a group has not committed, of any type; the embedded broker tells fewer than there are.

    A topic counts when the group has committed in it; every topic does as long as it has in none.
    """
    consumer = AIOKafkaConsumer(**connection_options(kafka()), group_id=group, enable_auto_commit=False)
    try:
        await consumer.start()
        partitions = [
            TopicPartition(topic, number)
            for topic in TOPICS
            for number in consumer.partitions_for_topic(topic) or ()
        ]
        committed = {partition: await consumer.committed(partition) for partition in partitions}
        read = {partition.topic for partition, offset in committed.items() if offset is not None}
        begins = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
    finally:
        await consumer.stop()
    return sum(
        max(end - (committed[partition] or begins[partition]), 0)
        for partition, end in ends.items()
        if partition.topic in read or not read
    )


@command
async def recover(
    days: Annotated[
        int | None, typer.Option(min=1, max=365, help="How far back; by default all that the outboxes keep.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Also while services run.")] = False,
) -> None:
    """Publish again after a broker was lost; stop the services first. Nothing is doubled."""
    found = await (await connect(SERVICES[0])).fetch(RUNNING, [f"wafd-{service}" for service in SERVICES])
    running = [row["application_name"] for row in found]
    if running and not force:
        raise UsageError(
            f"{', '.join(running)} still run on this database: stop the services first, or they go on in the "
            "new broker where they were in the lost one and skip what lies before; --force does it anyway"
        )
    since = datetime.now(UTC) - timedelta(days=days or 3650)
    for service in SERVICES:
        count = await operations.republish(await connect(service), since)
        print(f"{service}: {count} event(s) will be published again")
