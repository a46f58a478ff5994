"""`wafd lag` and `wafd recover`: what waits, and what to do after the loss of a broker."""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from aiokafka import AIOKafkaConsumer, TopicPartition
from rich.console import Console
from rich.table import Table

from cli.target import SERVICES, command, connect, kafka
from runtime import operations
from runtime.kafka import TOPICS, connection_options


@command
async def lag(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Show how much each service has not read, not published, or parked."""
    rows = []
    for service in SERVICES:
        connection = await connect(service)
        unread = await _unread(f"wafd-{service}")
        rows.append({"service": service, "unread": unread, **await operations.backlog(connection)})
    if as_json:
        print(json.dumps(rows))
        return
    table = Table(*(name.replace("_", " ") for name in rows[0]))
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console().print(table)


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
    days: Annotated[int, typer.Option(min=1, help="How far back; at most WAFD_OUTBOX_RETENTION_DAYS.")] = 7,
) -> None:
    """Publish again after a broker was lost; stop the services first. Nothing is doubled."""
    since = datetime.now(UTC) - timedelta(days=days)
    for service in SERVICES:
        count = await operations.republish(await connect(service), since)
        print(f"{service}: {count} event(s) will be published again")
