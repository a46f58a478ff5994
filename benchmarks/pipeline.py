"""Throughput of inbox + handler + outbox + relay against a hand-written loop of the same durability.

All read the same records, validate them against the same schema, write an inbox and an outbox row for
each, publish an answer, mark it published after the broker's acknowledgement, and commit the offset last.
The floor does so in one transaction a batch of 500; the documented style of FastStream is one message a
handler, with a transaction and a commit each. They take turns, and the ratios are those of the medians.
"""

import asyncio
import json
import logging
import statistics
import time
from itertools import chain
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from faststream import AckPolicy
from faststream.kafka import KafkaBroker

from benchmarks.lab import BATCH, SCHEMA, Servers, answer, clear, flow, produce, servers
from runtime.connection import connection_options
from runtime.database import encode_json
from runtime.kafka import headers_of, new_producer
from runtime.transaction import clock, new_id
from schemas.event import Event, envelope, new_event, topic_of
from schemas.visits import RequestApproved

ONE_A_MESSAGE = 20
"""The slow style gets one event in so many, or nobody would wait for it."""


async def pipeline(events: int, rounds: int, kafka: str | None, postgres: str | None) -> dict[str, Any]:
    """Measure the contestants in turn; figures are events a second."""
    figures: dict[str, list[float]] = {"floor": [], "wafd": [], "one_a_message": []}
    async with servers(kafka, postgres) as used:
        await produce(used.settings, events)
        for number in range(rounds + 1):
            for name, contestant in (
                ("floor", _hand_written), ("wafd", _wafd), ("one_a_message", _one_a_message),
            ):  # fmt: skip
                count = max(events // ONE_A_MESSAGE, 200) if name == "one_a_message" else events
                await clear(used.admin)
                seconds = await contestant(used, f"{SCHEMA}-{name}-{new_id()}", count)
                if number:  # the first round warms up
                    figures[name].append(count / seconds)
    medians = {name: statistics.median(found) for name, found in figures.items()}
    return {
        "events": events,
        "batch": BATCH,
        "rounds": rounds,
        "broker": kafka or "embedded",
        "floor_events_per_second": round(medians["floor"]),
        "wafd_events_per_second": round(medians["wafd"]),
        "one_a_message_events_per_second": round(medians["one_a_message"]),
        "ratio": round(medians["wafd"] / medians["floor"], 3),
        "ratio_to_one_a_message": round(medians["wafd"] / medians["one_a_message"], 1),
        "ratios": [
            round(ours / theirs, 3) for ours, theirs in zip(figures["wafd"], figures["floor"], strict=True)
        ],
    }


async def _wafd(used: Servers, group: str, events: int) -> float:
    began: list[float] = []
    async with flow(used, group, lambda: began.append(time.perf_counter())) as running:
        await running.until_published(events)
        return time.perf_counter() - began[0]


async def _hand_written(used: Servers, group: str, events: int) -> float:
    """The shortest loop with an inbox, an outbox and offsets that move last."""
    connection = await asyncpg.connect(used.admin, server_settings={"search_path": SCHEMA})
    await encode_json(connection)
    producer = new_producer(used.settings, group)
    consumer = AIOKafkaConsumer(
        topic_of(RequestApproved.TYPE),
        **connection_options(used.settings),
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=2000,
        heartbeat_interval_ms=400,
        max_partition_fetch_bytes=8 * 1024 * 1024,
    )
    await producer.start()
    await consumer.start()
    done, began = 0, 0.0
    while done < events:
        fetched = await consumer.getmany(timeout_ms=100, max_records=BATCH)
        if fetched:
            began = began or time.perf_counter()
            done += await _one_batch(connection, producer, list(chain(*fetched.values())))
            await consumer.commit()
    seconds = time.perf_counter() - began
    await consumer.stop()
    await producer.stop()
    await connection.close()
    return seconds


async def _one_batch(connection: asyncpg.Connection, producer: AIOKafkaProducer, records: list[Any]) -> int:
    model = envelope(RequestApproved.TYPE)
    incoming = {event.id: event for event in (model.model_validate_json(record.value) for record in records)}
    async with connection.transaction():
        fresh = await connection.fetch(
            "INSERT INTO plain_inbox (id) SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING RETURNING id",
            list(incoming),
        )
        outgoing = [_answered(incoming[row["id"]]) for row in fresh]
        rows = await connection.fetch(
            "INSERT INTO plain_outbox (id, topic, key, type, correlation, payload) "
            "SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::bytea[]) "
            "RETURNING seq",
            *zip(*outgoing, strict=True),
        )
    futures = [
        await producer.send(
            topic, payload, key=key.encode(), headers=headers_of(type_, str(id_), str(correlation))
        )
        for id_, topic, key, type_, correlation, payload in outgoing
    ]
    await asyncio.gather(*futures)
    await connection.execute(
        "UPDATE plain_outbox SET published_at = now() WHERE seq = ANY ($1::bigint[])",
        [row["seq"] for row in rows],
    )
    return len(fresh)


def _answered(event: Event[RequestApproved]) -> tuple[Any, ...]:
    out = new_event(
        answer(event),
        id=new_id(),
        time=clock(),
        subject=event.subject,
        correlationid=event.correlationid,
        causationid=event.id,
    )
    payload = out.model_dump_json().encode()
    return out.id, topic_of(out.type), out.subject, out.type, out.correlationid, payload


async def _json(message: Any) -> Any:
    """What FastStream's own decoder does where the content type says plain JSON."""
    return json.loads(message.body)


async def _one_a_message(used: Servers, group: str, events: int) -> float:
    """A handler as FastStream's documentation shows it: a model in, one message, one commit."""
    pool = await asyncpg.create_pool(
        used.admin, min_size=1, max_size=2, server_settings={"search_path": SCHEMA}, init=encode_json
    )
    broker = KafkaBroker(used.settings.kafka, logger=logging.getLogger("wafd.bench"), log_level=logging.DEBUG)
    done = asyncio.Event()
    handled, began = 0, 0.0

    @broker.subscriber(
        topic_of(RequestApproved.TYPE), group_id=group, auto_offset_reset="earliest",
        ack_policy=AckPolicy.ACK, decoder=_json, session_timeout_ms=2000, heartbeat_interval_ms=400,
    )  # fmt: skip
    async def propose(event: Event[RequestApproved]) -> None:
        nonlocal handled, began
        began = began or time.perf_counter()
        async with pool.acquire() as connection, connection.transaction():
            fresh = await connection.fetchval(
                "INSERT INTO plain_inbox (id) VALUES ($1) ON CONFLICT DO NOTHING RETURNING id", event.id
            )
            if fresh:
                out = _answered(event)
                seq = await connection.fetchval(
                    "INSERT INTO plain_outbox (id, topic, key, type, correlation, payload) "
                    "VALUES ($1, $2, $3, $4, $5, $6) RETURNING seq",
                    *out,
                )
        if fresh:
            id_, topic, key, type_, correlation, payload = out
            headers = {name: value.decode() for name, value in headers_of(type_, str(id_), str(correlation))}
            await broker.publish(payload, topic, key=key.encode(), headers=headers)
            await pool.execute("UPDATE plain_outbox SET published_at = now() WHERE seq = $1", seq)
        handled += 1
        if handled == events:
            done.set()

    await broker.start()
    await done.wait()
    seconds = time.perf_counter() - began
    await broker.stop()
    await pool.close()
    return seconds
