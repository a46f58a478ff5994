"""Records that nobody should send, written to a topic as bytes."""

from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import for_code
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from aiokafka.record.util import calc_crc32c

from runtime.kafka import headers_of
from runtime.transaction import clock, new_id
from schemas.event import new_event
from schemas.visits import ReasonPeople, RequestDeclined
from tests.faults.chain import FACTS, FOCAL_POINTS

TOPIC = "visits"
TYPE = RequestDeclined.TYPE
HEADER = 61
"""Bytes of a batch before its records."""


class NotText(str):
    """A header's name as a faulty client writes it."""

    __slots__ = ()

    def encode(self, *_arguments: Any) -> bytes:
        """Give bytes that are no UTF-8."""
        return b"\xff\xfe"


def order(key: str, words: str = "0") -> bytes:
    """A good order as the intake would write it."""
    event = new_event(
        RequestDeclined(**FACTS, people=ReasonPeople(focal_points=FOCAL_POINTS, reason=words)),
        id=new_id(), time=clock(), subject=key, correlationid=new_id(), causationid=None,
    )  # fmt: skip
    return event.model_dump_json().encode()


def headers(type_: str = TYPE) -> list[tuple[str, bytes]]:
    """Headers of an event with a new id."""
    return headers_of(type_, str(new_id()), str(new_id()))


def poisons() -> dict[str, dict[str, Any]]:
    """Kinds of poison, each a record without its key."""
    newer = TYPE.replace(".v1", ".v9")
    return {
        "random bytes": {"value": bytes(range(256)), "headers": []},
        "unknown version": {"value": b"{}", "headers": headers(newer)},
        "null": {"value": None, "headers": headers()},
        "null without headers": {"value": None, "headers": []},
        "header value not UTF-8": {"value": b"{}", "headers": [("ce_type", b"\xff"), ("ce_id", b"\xfe")]},
        "header name not UTF-8": {"value": b"{}", "headers": [*headers(), (NotText("z"), b"x")]},
        "not JSON": {"value": b"{", "headers": headers()},
        "an event of no fields": {"value": b'{"id": 1}', "headers": headers()},
    }


def batch(key: str, record: dict[str, Any], codec: int = 0) -> bytes:
    """A batch with one record."""
    builder = _DefaultRecordBatchBuilderPy(  # the one in C takes no faulty names
        magic=2, compression_type=codec, is_transactional=0, producer_id=-1, producer_epoch=-1,
        base_sequence=-1, batch_size=1 << 24,
    )  # fmt: skip
    builder.append(0, timestamp=int(clock().timestamp() * 1000), key=key.encode(), **record)
    return bytes(builder.build())


def corrupt(key: str) -> bytes:
    """A batch said to be compressed that cannot be, its checksum right."""
    data = bytearray(batch(key, {"value": b"0" * 400, "headers": []}, codec=1))
    data[HEADER:] = bytes(len(data) - HEADER)
    data[17:21] = int(calc_crc32c(bytes(data[21:]))).to_bytes(4, "big")
    return bytes(data)


def large(key: str) -> bytes:
    """An event of more than 1 MiB that a broker takes because it is compressed."""
    value = order(key)[:-1] + b', "more": "' + b"x" * 1_500_000 + b'"}'
    return batch(key, {"value": value, "headers": headers()}, codec=1)


async def send(kafka: str, key: str, data: bytes) -> int:
    """Append a batch to the partition of ``key``; its offset. Raises KafkaError when it is refused."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    try:
        client: AIOKafkaClient = producer.client
        await client.add_topic(TOPIC)
        partition = producer._partition(TOPIC, None, None, None, key.encode(), b"")
        await client._wait_on_metadata(TOPIC)
        leader = client.cluster.leader_for_partition(TopicPartition(TOPIC, partition))
        request = ProduceRequest(None, -1, 10_000, [(TOPIC, [(partition, data)])])
        response = await client.send(leader, request)
        ((_, ((_, code, offset, *_),)),) = response.topics
        if code:
            raise for_code(code)(f"not taken: {key}")
        return int(offset)
    finally:
        await producer.stop()
