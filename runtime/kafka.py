"""How Wafd speaks to Kafka: topics, record headers, producer and subscriber settings."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    InvalidSessionTimeoutError,
    KafkaError,
    TopicAlreadyExistsError,
    for_code,
)
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, Topic
from faststream.kafka.prometheus import KafkaPrometheusMiddleware
from faststream.kafka.subscriber.usecase import BatchSubscriber
from prometheus_client import CollectorRegistry

from runtime import decoding
from runtime.connection import check_login, connection_options, security
from runtime.errors import UsageError
from runtime.settings import KafkaSettings, Settings
from schemas.event import CONTENT_TYPE

log = structlog.get_logger()

TOPICS = ("visits", "scheduling", "notifications", "exchange", "eventlog")
"""One topic for each service that emits."""

BATCH_BYTES = 1_000_000
"""Of the producer, a partition at a time; brokers take 1,048,588 by default."""

ACK_POLICY = AckPolicy.NACK_ON_ERROR
"""Offsets are committed after the batch's transaction; a batch that fails is read again."""

Records = tuple["ConsumerRecord[bytes, bytes]", ...]


def headers_of(type_: str, id_: str, correlation: str) -> list[tuple[str, bytes]]:
    """Kafka headers of an event: what can be known without reading the body (CloudEvents binding)."""
    return [
        _CONTENT_TYPE,
        _type_header(type_),
        ("ce_id", id_.encode()),
        ("ce_correlationid", correlation.encode()),
    ]


_CONTENT_TYPE = ("content-type", CONTENT_TYPE.encode())


@cache
def _type_header(type_: str) -> tuple[str, bytes]:
    return ("ce_type", type_.encode())


def new_producer(settings: KafkaSettings, service: str) -> AIOKafkaProducer:
    """Make the relay's producer: every replica acknowledges, order per partition is kept.

    Idempotence stays off: with it a dead broker makes `send` and `stop` hang without end
    (aiokafka #1101), and repeated records are the inbox's business anyway. It does not linger: a batch of
    the relay is handed over in one go, and leaves in one go.
    """
    return AIOKafkaProducer(
        **connection_options(settings),
        client_id=f"wafd-{service}-relay",
        acks="all",
        enable_idempotence=False,
        linger_ms=0,
        max_batch_size=BATCH_BYTES,
        max_request_size=8 * 1024 * 1024,
        request_timeout_ms=15_000,
        retry_backoff_ms=100,
    )


async def ensure_topics(settings: Settings) -> None:
    """Create the topics that are missing, with the partitions and replicas of the settings.

    Raises `UsageError` when the broker refuses us or the topics.
    """
    await check_login(settings)
    admin = AIOKafkaAdminClient(**connection_options(settings), request_timeout_ms=10_000)
    await admin.start()
    try:
        missing = sorted(set(TOPICS) - set(await admin.list_topics()))
        kept = {"retention.ms": str(settings.kafka_retention_days * 86_400_000)}
        topics = [
            NewTopic(name, settings.kafka_partitions, settings.kafka_replication, topic_configs=kept)
            for name in missing
        ]
        for name, code, *_ in (await admin.create_topics(topics)).topic_errors if topics else ():
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                if error.retriable:
                    raise error(f"the topic {name} could not be created")
                raise UsageError(
                    f"Kafka refuses to create the topic {name} ({error.__name__}): create it yourself, or "
                    "correct WAFD_KAFKA_PARTITIONS, WAFD_KAFKA_REPLICATION or the broker's permissions"
                )
    finally:
        await admin.close()


RESTARTS = 3
"""How often a consumer may be restarted without reading anything before its process is not ready."""


class Membership(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """Knows whether the consumer has joined its group; readiness asks."""

    def __init__(self) -> None:
        self.joined = False
        self.on_change: Callable[[], None] = lambda: None

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        """Note that the partitions are being shared out anew."""
        self.joined = False
        self.on_change()
        if revoked:
            log.info("partitions revoked", partitions=len(revoked))

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        """Note that the group has taken this member in."""
        self.joined = True
        log.info("partitions assigned", partitions=len(assigned))


class Subscription:
    """The one subscriber of a service: all its topics, in batches, as raw records."""

    def __init__(
        self,
        settings: Settings,
        service: str,
        topics: Sequence[str],
        consume: Callable[[Records], Awaitable[None]],
        registry: CollectorRegistry,
    ) -> None:
        decoding.install()
        self.membership = Membership()
        self._topics = topics
        self._session = settings.kafka_session_seconds
        self._reading: KafkaError | None = None
        self._forgiven = 0
        logger = logging.getLogger("wafd.kafka")
        logger.addFilter(_no_hint)
        self.broker = KafkaBroker(
            settings.kafka.split(","),
            security=security(settings),
            client_id=f"wafd-{service}",
            logger=logger,
            log_level=logging.DEBUG,  # of what it says about every batch; errors keep theirs
            graceful_timeout=12,
            consumer_only=True,  # the relay has its producer; another one would only have to be waited for
            middlewares=[KafkaPrometheusMiddleware(registry=registry, app_name=f"wafd-{service}")],
            apply_types=False,
        )
        self.subscriber: BatchSubscriber = self.broker.subscriber(
            *(Topic(name, declare=False) for name in topics),
            batch=True,
            group_id=f"wafd-{service}",
            max_records=settings.batch_records,
            # An empty poll is followed by a sleep of the same length, so it has to be short.
            batch_timeout_ms=50,
            auto_offset_reset="earliest",
            ack_policy=ACK_POLICY,
            parser=_parse,
            decoder=_decode,
            listener=self.membership,
            session_timeout_ms=int(settings.kafka_session_seconds * 1000),
            heartbeat_interval_ms=int(settings.kafka_session_seconds * 1000 / 5),
            max_partition_fetch_bytes=8 * 1024 * 1024,
        )
        self.subscriber(consume)

    async def start(self) -> None:
        """Connect and join the group; may be tried again after an outage.

        Raises what `OUTAGES` lists, or `UsageError` when the broker refuses the session of the settings.
        """
        try:
            await self.broker.start()
        except InvalidSessionTimeoutError:
            raise UsageError(
                f"Kafka refuses a session of {self._session} s: correct WAFD_KAFKA_SESSION_SECONDS, or the "
                "broker's group.min.session.timeout.ms and group.max.session.timeout.ms"
            ) from None
        except Exception:
            with suppress(KafkaError, OSError):
                await self.broker.stop()
            raise
        consumer: Any = self.subscriber.consumer
        consumer.getmany = self._noting(consumer.getmany)

    def _noting(self, getmany: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """Remember the error of a poll, which FastStream logs and keeps to itself."""

        async def noted(*partitions: TopicPartition, **limits: int) -> Any:
            try:
                records = await getmany(*partitions, **limits)
            except KafkaError as error:
                self._reading = error
                raise
            self._reading = None
            self._forgiven = len(self._failures())
            return records

        return noted

    async def stop(self) -> None:
        """Let the batch in hand finish, then leave the group."""
        await self.broker.stop()

    async def trouble(self) -> str | None:
        """Say in one sentence why nothing is consumed, or None while all is well."""
        for trouble in (self._consumer_trouble, self._group_trouble):
            if sentence := trouble():
                return sentence
        consumer: Any = self.subscriber.consumer
        try:
            async with asyncio.timeout(2):
                await consumer.topics()
        except (KafkaError, OSError):
            return "the Kafka broker does not answer"
        return None

    def _consumer_trouble(self) -> str | None:
        consumer: Any = self.subscriber.consumer
        running = self.subscriber.running and any(not task.done() for task in self.subscriber.tasks)
        if not running or consumer is None:
            return "the Kafka consumer has stopped"
        if consumer._fetcher.error_future.done():  # noqa: SLF001 -- it dies in silence
            return "the Kafka consumer fetches no more"
        failures = self._failures()
        if (
            len(failures) - self._forgiven > RESTARTS
        ):  # it is restarted at the same place and fails there again
            return f"the Kafka consumer fails again and again: {type(failures[-1]).__name__}"
        return None

    def _failures(self) -> list[BaseException | None]:
        return [task.exception() for task in self.subscriber.tasks if task.done() and not task.cancelled()]

    def _group_trouble(self) -> str | None:
        if self._reading is not None:
            return f"records cannot be read: {type(self._reading).__name__}"
        if not self.membership.joined:
            return "the Kafka consumer has not joined its group yet"
        consumer: Any = self.subscriber.consumer
        missing = [topic for topic in self._topics if not consumer.partitions_for_topic(topic)]
        if missing:
            return f"the broker has no topic {missing[0]}: after the loss of a broker see `wafd recover`"
        return None


def _no_hint(record: logging.LogRecord) -> bool:
    """Leave out what FastStream warns of at each start: `ensure_topics` has made the topics."""
    return "Topic creation is skipped" not in record.getMessage()


async def _parse(records: Records, original: Callable[[Records], Awaitable[Any]]) -> Any:
    """Make FastStream's message without decoding headers, which fails on bytes that are not UTF-8."""
    first = records[0]
    bare = ConsumerRecord(
        first.topic, first.partition, first.offset, first.timestamp, first.timestamp_type,
        None, None, None, -1, -1, (),
    )  # fmt: skip
    message = await original((bare,))
    message.raw_message = records
    return message


async def _decode(message: Any, original: object) -> Records:
    """Hand the raw records on; each one is validated by itself."""
    del original
    records: Records = message.raw_message
    return records


async def send_all(
    producer: AIOKafkaProducer, rows: Sequence[tuple[str, str, bytes, list[tuple[str, bytes]]]]
) -> list[BaseException | None]:
    """Publish ``(topic, key, value, headers)`` rows in order; None for each acknowledged, else its error."""
    futures = [
        await producer.send(topic, value, key=key.encode(), headers=headers)
        for topic, key, value, headers in rows
    ]
    results = await asyncio.gather(*futures, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, (KafkaError, OSError)):
            raise result
    return [result if isinstance(result, BaseException) else None for result in results]
