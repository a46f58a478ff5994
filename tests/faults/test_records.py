"""Records that come several times, late, or as nobody should have sent them."""

import asyncio
import itertools
import json
import random
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from aiokafka.errors import KafkaError

from runtime.incoming import read_record
from runtime.kafka import headers_of
from schemas.event import EVENTS, topic_of
from tests.contracts.messages import goldens
from tests.faults import chain, poison
from tests.faults.conftest import LONG, Report
from tests.faults.lab import KEYS, Lab, p99
from tests.faults.oracle import Verdict

ORDERS = 2000 if LONG else 120
REDRIVE_KILLS = 50 if LONG else 3


@asynccontextmanager
async def repeating(kafka: str) -> AsyncIterator[list[int]]:
    """Publish every event again 0 to 4 times while the block lasts; yields how often, for each event."""
    times: list[int] = []
    chance = random.Random(4)  # noqa: S311 -- repeatable
    known: set[bytes] = set()
    consumer = AIOKafkaConsumer("visits", "scheduling", bootstrap_servers=kafka, auto_offset_reset="earliest")
    producer = AIOKafkaProducer(bootstrap_servers=kafka)

    async def repeat() -> None:
        async for record in consumer:
            id_ = dict(record.headers)["ce_id"]
            if id_ in known:
                continue
            known.add(id_)
            times.append(chance.randint(0, 4))
            for _ in range(times[-1]):
                await producer.send(
                    record.topic, record.value, record.key, record.partition, headers=list(record.headers)
                )

    await consumer.start()
    await producer.start()
    repeater = asyncio.create_task(repeat())
    yield times
    repeater.cancel()
    with suppress(asyncio.CancelledError):
        await repeater
    await consumer.stop()
    await producer.stop()


async def test_every_record_comes_up_to_five_times_and_to_several_at_once(lab: Lab, report: Report) -> None:
    await survive_repetitions(lab, report)


@pytest.mark.skipif(not LONG, reason="the same as above, in the long version only")
async def test_every_record_comes_up_to_five_times_while_the_database_speaks_german(
    german_lab: Lab, report: Report
) -> None:
    await survive_repetitions(german_lab, report)


async def survive_repetitions(lab: Lab, report: Report) -> None:
    await lab.start()
    for group in ("-b", "-c"):  # each receives everything, and all share one inbox
        await lab.add("worker", environment={chain.GROUP: group})
        await lab.add("sink", environment={chain.GROUP: group})
    await lab.until_ready()
    async with repeating(lab.kafka) as times:
        lab.client.start()
        await lab.client.until_acknowledged(ORDERS, within=600)
        drained = await lab.drain()
        lab.injected = sum(times)
    figures, _ = await lab.settle()
    report(figures, drained=drained)
    assert figures.verdict is Verdict.PASS
    assert figures.duplicates > 2 * figures.acknowledged
    assert not lab.crashes


async def test_what_commits_late_with_a_lower_sequence_is_published(lab: Lab, report: Report) -> None:
    await lab.add("intake", itertools.repeat("before_request_commit:7:0.3"))
    await lab.start(worker=1, sink=1)
    lab.client.start()
    await lab.client.until_acknowledged(ORDERS, within=600)
    lab.injected = lab.client.acknowledged // 7
    figures, drained = await lab.settle()
    report(figures, drained=drained)
    assert figures.verdict is Verdict.PASS


async def test_poison_holds_its_own_key_and_no_other(lab: Lab, report: Report) -> None:
    await lab.start()
    lab.client.start()
    await lab.client.until_acknowledged(ORDERS, within=600)
    kinds = poison.poisons()
    poisoned, healthy = KEYS[: len(kinds) + 2], KEYS[len(kinds) + 2 :]
    since = time.time()
    for key, record in zip(poisoned, kinds.values(), strict=False):
        await poison.send(lab.kafka, key, poison.batch(key, record))
    await poison.send(lab.kafka, poisoned[-2], poison.large(poisoned[-2]))
    await lab.admin.execute("INSERT INTO worker.refused VALUES ($1)", poisoned[-1])
    lab.injected = len(poisoned)
    stranger = {"value": b"{}", "headers": poison.headers("visits.parade.held.v1")}
    await poison.send(lab.kafka, healthy[0], poison.batch(healthy[0], stranger))  # concerns nobody here
    await lab.client.until_acknowledged(ORDERS, within=600)
    async with asyncio.timeout(120):
        while {row["key"] for row in await lab.parked()} != set(poisoned):
            await asyncio.sleep(0.1)
    stopped_at = await lab.reached("worker.applied")
    await until_beyond(lab, healthy)
    now_at = await lab.reached("worker.applied")
    assert [now_at[key] for key in poisoned] == [stopped_at[key] for key in poisoned], "they are held"
    await lab.client.stop()
    before, during = await lab.delays(healthy), await lab.delays(healthy, since=since)
    assert await lab.discard_poison() >= len(kinds)
    await lab.admin.execute("DELETE FROM worker.refused")
    await lab.redrive(*poisoned)
    figures, drained = await lab.settle()
    report(figures, drained=drained, p99_before=p99(before), p99_with_poison=p99(during))
    assert figures.verdict is Verdict.PASS
    assert not lab.crashes


async def until_beyond(lab: Lab, keys: Collection[str]) -> None:
    """Wait until orders of each key that are placed from now on have gone all the way."""
    placed = await lab.reached("intake.placed")
    async with asyncio.timeout(120):
        while True:
            arrived = await lab.reached("sink.applied")
            if all(arrived[key] > placed[key] + 1 for key in keys):
                return
            await asyncio.sleep(0.1)


async def test_a_batch_that_cannot_be_decompressed_holds_nobody(embedded_lab: Lab, report: Report) -> None:
    """Apache Kafka refuses to store one; the embedded broker does not look."""
    lab = embedded_lab
    await lab.start()
    lab.client.start()
    await lab.client.until_acknowledged(50)
    await poison.send(lab.kafka, KEYS[0], poison.corrupt(KEYS[0]))
    lab.injected = 1
    await lab.client.until_acknowledged(100)
    async with asyncio.timeout(120):
        while not await lab.parked():
            await asyncio.sleep(0.1)
    assert await lab.discard_poison() == 1
    figures, drained = await lab.settle()
    report(figures, drained=drained)
    assert figures.verdict is Verdict.PASS


@pytest.mark.kafka
async def test_kafka_refuses_a_batch_that_cannot_be_decompressed(kafka_lab: Lab) -> None:
    await kafka_lab.start()
    with pytest.raises(KafkaError):
        await poison.send(kafka_lab.kafka, KEYS[0], poison.corrupt(KEYS[0]))


def dying_in_redrives() -> list[str]:
    points = itertools.cycle(["amid_redrive:2:kill", "after_redrive:3:kill", "amid_redrive:1:kill"])
    return [next(points) for _ in range(REDRIVE_KILLS)]


async def test_a_redrive_pressed_twice_and_killed_applies_once(lab: Lab, report: Report) -> None:
    keys = KEYS[:3]
    await lab.add("worker", itertools.chain(dying_in_redrives(), itertools.repeat("")))
    await lab.start(intake=1, sink=1)
    await lab.admin.executemany("INSERT INTO worker.refused VALUES ($1)", [(key,) for key in keys])
    lab.client.start()
    wanted = 3 * REDRIVE_KILLS + 6
    async with asyncio.timeout(600):
        while len(await lab.parked()) < wanted or {row["key"] for row in await lab.parked()} != set(keys):
            await asyncio.sleep(0.1)
    await lab.admin.execute("DELETE FROM worker.refused")
    (worker,) = lab.replicas["worker"]
    await asyncio.gather(lab.redrive(*keys), lab.redrive(*keys))
    async with asyncio.timeout(60 + REDRIVE_KILLS * 20):
        while len(worker.kills) < REDRIVE_KILLS:
            if not await lab.admin.fetchval("SELECT count(*) FROM worker.timer WHERE name = 'redrive'"):
                await lab.redrive(*keys)  # pressed again: everything was redriven before the last kill
            await asyncio.sleep(0.2)
    lab.injected = len(worker.kills)
    figures, drained = await lab.settle()
    report(figures, drained=drained)
    assert figures.verdict is Verdict.PASS
    assert not lab.crashes


def test_every_golden_message_of_every_version_is_read() -> None:
    failures = []
    for number, path in enumerate(goldens()):
        body = json.loads(path.read_bytes())
        headers = headers_of(body["type"], body["id"], body["correlationid"])
        for given in (headers, []):  # an event says itself what it is, without headers too
            record = ConsumerRecord(
                topic_of(body["type"]), 0, number, 0, 0, body["subject"].encode(), path.read_bytes(),
                None, 0, 0, tuple(given),
            )  # fmt: skip
            for handled in (EVENTS, None):
                incoming = read_record(record, handled)
                if incoming is None or incoming.failure or incoming.event is None:
                    failures.append((path, incoming))
    assert not failures
    assert {path.parent.name for path in goldens()} == set(EVENTS)
