"""When a consumer is not ready, and what it forgets when its partitions go to another member."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from prometheus_client import CollectorRegistry

from cli.serve import load_service
from runtime import startup
from runtime.kafka import RESTARTS, Records, Subscription, ensure_topics
from runtime.service import Process
from runtime.settings import Settings
from runtime.transaction import new_id
from tests.conftest import Broker, Database
from tests.integration.test_service import environment

NewSubscription = Callable[[str], Awaitable[Subscription]]


async def ignored(_records: Records) -> None:
    """Takes the place of an inbox."""


@pytest.fixture
async def subscribed(broker: Broker) -> AsyncIterator[NewSubscription]:
    """Makes started subscriptions of a topic, each in a group of its own."""
    made: list[Subscription] = []

    async def start(topic: str) -> Subscription:
        settings = Settings.model_validate(
            {"database": "postgresql://nowhere/x", "kafka": broker.address, "kafka_session_seconds": 2}
        )
        await ensure_topics(settings)
        made.append(Subscription(settings, f"ready-{new_id()}", [topic], ignored, CollectorRegistry()))
        await made[-1].start()
        await until(made[-1], None)
        return made[-1]

    yield start
    for subscription in made:
        await subscription.stop()


async def until(subscription: Subscription, sentence: str | None, within: float = 30) -> None:
    """Wait until that is the trouble."""
    async with asyncio.timeout(within):
        while await subscription.trouble() != sentence:
            await asyncio.sleep(0.05)


async def test_a_consumer_that_is_restarted_again_and_again_is_not_ready_until_it_reads(
    subscribed: NewSubscription,
) -> None:
    subscription = await subscribed("visits")
    consumer: Any = subscription.subscriber.consumer
    read, fails = consumer.getmany, True

    async def getmany(*partitions: Any, **limits: int) -> Any:
        if fails:
            raise LookupError  # what FastStream's supervisor restarts the task for
        return await read(*partitions, **limits)

    consumer.getmany = getmany
    await until(subscription, "the Kafka consumer fails again and again: LookupError")
    assert len(subscription._failures()) > RESTARTS
    fails = False
    await until(subscription, None)


async def test_a_few_restarts_are_not_worth_a_word(subscribed: NewSubscription) -> None:
    subscription = await subscribed("visits")
    consumer: Any = subscription.subscriber.consumer
    read, failures = consumer.getmany, iter(range(RESTARTS))

    async def getmany(*partitions: Any, **limits: int) -> Any:
        if next(failures, None) is not None:
            raise LookupError
        return await read(*partitions, **limits)

    consumer.getmany = getmany
    async with asyncio.timeout(30):
        while len(subscription._failures()) < RESTARTS:
            assert "again and again" not in (await subscription.trouble() or "")
            await asyncio.sleep(0.02)
    await until(subscription, None)


async def test_a_poll_that_raises_is_told_until_one_succeeds(subscribed: NewSubscription) -> None:
    subscription = await subscribed("visits")
    consumer: Any = subscription.subscriber.consumer
    read = consumer._fetcher.fetched_records

    async def broken(*_arguments: object, **_options: object) -> Any:
        await asyncio.sleep(0.01)
        raise KafkaError

    consumer._fetcher.fetched_records = broken
    await until(subscription, "records cannot be read: KafkaError")
    consumer._fetcher.fetched_records = read
    await until(subscription, None)


async def test_a_topic_that_the_broker_has_lost_is_told(
    subscribed: NewSubscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscription = await subscribed("visits")
    monkeypatch.setattr(subscription, "_topics", ["visits", "gone"])
    await until(subscription, "the broker has no topic gone: after the loss of a broker see `wafd recover`")


async def test_a_service_forgets_the_trouble_of_partitions_that_go_to_another_member(
    database: Database, embedded_kafka: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(database, embedded_kafka, "eventlog", 0).items():
        monkeypatch.setenv(name, value)
    service = load_service("eventlog")
    pool = await startup.connect(service.settings, service.name)
    process = Process(service, pool)
    process._inbox.trouble = "records cannot be handled: NothingSucceeds"
    await process.subscription.membership.on_partitions_revoked([TopicPartition("visits", 0)])
    assert process._inbox.trouble is None
    await process._producer.stop()
    await startup.close_pool(pool)
