import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
)

from cli.serve import load_service
from cli.target import SERVICES
from runtime.kafka import TOPICS
from runtime.transaction import new_id
from schemas.event import topic_of
from tests.conftest import running_kafka
from tests.integration.test_service import CENTRE
from tests.kafka import jars
from tests.kafka.access import CONSUMES, Credentials
from tests.kafka.cluster import Cluster
from tests.kafka.jars import KafkaUnavailable

pytestmark = pytest.mark.kafka

Client = Mapping[str, str]


@pytest.fixture(scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """One node that the tests of this module may break."""
    async with running_kafka(tmp_path_factory.mktemp("node"), through_link=True) as cluster:
        yield cluster


@pytest.fixture(scope="module")
async def secured(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    async with running_kafka(tmp_path_factory.mktemp("secured"), secured=True) as cluster:
        yield cluster


@pytest.fixture
def topic() -> str:
    return f"test-{new_id()}"


@asynccontextmanager
async def producing(client: Client) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(
        **client, acks="all", enable_idempotence=False, request_timeout_ms=30_000, retry_backoff_ms=100
    )
    try:
        await producer.start()
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def consuming(client: Client, *topics: str, **options: object) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(*topics, **client, auto_offset_reset="earliest", **options)
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


async def send(client: Client, topic: str, *values: bytes) -> None:
    async with producing(client) as producer:
        for value in values:
            await producer.send_and_wait(topic, value)


async def held(client: Client, topic: str) -> set[bytes]:
    """The values that a topic holds."""
    async with consuming(client, topic) as consumer:
        unread = sum((await consumer.end_offsets(consumer.assignment())).values())
        found: list[bytes] = []
        async with asyncio.timeout(60):
            while len(found) < unread:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += [record.value for record in records]
        return set(found)


async def test_a_killed_node_keeps_what_it_acknowledged(node: Cluster, topic: str) -> None:
    await node.create_topics(topic)
    values = {b"%d" % number for number in range(50)}
    await send(node.client(), topic, *values)
    await node.nodes[0].kill()
    await node.nodes[0].start()
    assert await held(node.client(), topic) == values


async def test_a_paused_node_answers_when_it_is_resumed(node: Cluster, topic: str) -> None:
    await node.create_topics(topic)
    async with producing(node.client()) as producer:
        await producer.send_and_wait(topic, b"before")
        node.nodes[0].pause()
        sent = await producer.send(topic, b"meanwhile")
        await asyncio.sleep(1)
        assert not sent.done()
        node.nodes[0].resume()
        async with asyncio.timeout(60):
            await sent
    assert await held(node.client(), topic) == {b"before", b"meanwhile"}


async def test_clients_are_cut_off_by_the_link_while_the_node_runs(node: Cluster, topic: str) -> None:
    await node.create_topics(topic)
    (link,) = node.links
    async with producing(node.client()) as producer:
        await producer.send_and_wait(topic, b"before")
        await link.cut()
        sent = await producer.send(topic, b"meanwhile")
        await asyncio.sleep(1)
        assert not sent.done()
        await node.nodes[0].wait_ready()
        await link.heal()
        async with asyncio.timeout(60):
            await sent


async def test_a_wiped_node_holds_nothing(node: Cluster, topic: str) -> None:
    await node.create_topics(topic)
    await send(node.client(), topic, b"lost")
    await node.wipe()
    await node.create_topics(topic)
    await send(node.client(), topic, b"anew")
    assert await held(node.client(), topic) == {b"anew"}


async def test_of_three_nodes_the_leader_may_be_killed_without_loss(
    kafka_cluster: Cluster, topic: str
) -> None:
    await kafka_cluster.create_topics(topic, partitions=1)
    sent: set[bytes] = set()
    async with producing(kafka_cluster.client()) as producer:
        for number in range(60):
            if number == 30:
                leader = await kafka_cluster.leader(topic)
                await leader.kill()
            async with asyncio.timeout(120):
                while True:
                    try:
                        await producer.send_and_wait(topic, b"%d" % number)
                    except KafkaError:  # a careful sender sends again
                        continue
                    break
            sent.add(b"%d" % number)
    assert (await kafka_cluster.leader(topic)).number != leader.number
    await leader.start()
    assert await held(kafka_cluster.client(), topic) >= sent


async def test_a_service_may_do_what_it_needs_and_nothing_else(secured: Cluster) -> None:
    for service in SERVICES:
        user = secured.client(f"wafd-{service}")
        await send(user, service, b"own")
        await read_in_group(user, f"wafd-{service}", *CONSUMES[service])
        for topic in set(TOPICS) - {service, "eventlog"}:
            with pytest.raises(TopicAuthorizationFailedError):
                await send(user, topic, b"another's")
        with pytest.raises(GroupAuthorizationFailedError):
            await read_in_group(user, "wafd-of-another", *CONSUMES[service])
        assert await created(user, f"by-{service}") == TopicAuthorizationFailedError.errno
    with pytest.raises(TopicAuthorizationFailedError):
        await read_in_group(secured.client("wafd-visits"), "wafd-visits", "notifications")


async def test_who_has_no_rule_or_the_wrong_password_is_refused(secured: Cluster) -> None:
    nobody = {"bootstrap_servers": secured.address}
    with pytest.raises(KafkaError):
        await send(nobody, "visits", b"x")
    wrong = nobody | Credentials("wafd-visits", "guessed").client()
    with pytest.raises(KafkaError):
        await send(wrong, "visits", b"x")
    assert await created(secured.client(), "by-admin") == 0


async def read_in_group(client: Client, group: str, *topics: str) -> None:
    async with consuming(client, *topics, group_id=group) as consumer:
        async with asyncio.timeout(60):
            while not consumer.assignment():
                await consumer.getmany(timeout_ms=100)
        await consumer.getmany(timeout_ms=200)
        await consumer.commit()


async def created(client: Client, topic: str) -> int:
    """Try to create a topic; Kafka's code of the answer."""
    admin = AIOKafkaAdminClient(**client)
    try:
        await admin.start()
        ((_, code, *_),) = (await admin.create_topics([NewTopic(topic, 1, 1)])).topic_errors
    finally:
        await admin.close()
    return int(code)


@pytest.mark.parametrize("service", SERVICES)
def test_the_rules_name_the_topics_that_a_service_reads(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "WAFD_DATABASE": "postgresql://nowhere/x",
        "WAFD_KAFKA": "nowhere:1",
        "WAFD_CENTRE": str(CENTRE),
        "WAFD_SMTP": "smtp://nowhere:1",
        "WAFD_MAIL_FROM": "visits@centre.example",
        "WAFD_MAIL_DOMAIN": "centre.example",
        "WAFD_OFFICE_EMAIL": "protocol@centre.example",
    }.items():
        monkeypatch.setenv(name, value)
    wired = load_service(service)
    assert set(CONSUMES[service]) == set(wired.topics or {topic_of(data.TYPE) for data in wired.handlers})


@pytest.mark.parametrize("missing", ["java", "mvn"])
async def test_what_is_missing_is_said_in_a_sentence(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if missing == "mvn":
        try:
            (tmp_path / "java").symlink_to(await jars.java())
        except KafkaUnavailable as problem:
            pytest.skip(str(problem))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(jars, "CACHE", tmp_path / "cache")
    with pytest.raises(KafkaUnavailable, match=f"Apache Kafka cannot run here: no {missing} on the PATH"):
        await jars.java()
        await jars.classpath()
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=f"no {missing} on the PATH"):
        async with running_kafka(tmp_path / "data"):
            pass
    monkeypatch.setenv("CI", "true")
    with pytest.raises(KafkaUnavailable):
        async with running_kafka(tmp_path / "data-in-ci"):
            pass
