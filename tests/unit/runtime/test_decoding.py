"""Batches that aiokafka stumbles over: what can be read is read, the rest becomes records to park."""

from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_UNCOMMITTED
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from aiokafka.record.util import calc_crc32c
from hypothesis import given
from hypothesis import strategies as st

from runtime.decoding import TRIES, UNDECODABLE, BatchBytes, DecodedRecords, leniently

PLACE = TopicPartition("visits", 3)
CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}


class NotText(str):
    """A header's name as a faulty client writes it."""

    __slots__ = ()

    def encode(self, *_arguments: Any) -> bytes:
        return b"\xff\xfe"


def batch(*records: dict[str, Any], codec: int = 0, base: int = 0) -> bytes:
    builder = _DefaultRecordBatchBuilderPy(  # the one in C takes no faulty names

        magic=2, compression_type=codec, is_transactional=0, producer_id=-1, producer_epoch=-1,
        base_sequence=-1, batch_size=1 << 20,
    )  # fmt: skip
    for offset, record in enumerate(records):
        content = {"key": b"k", "value": b"v", "headers": [], "timestamp": 1000 + offset} | record
        builder.append(offset, **content)
    data = bytearray(builder.build())
    data[:8] = base.to_bytes(8, "big")  # the checksum begins after it
    return bytes(data)


def read(data: bytes, offset: int = 0) -> list[Any]:
    return list(DecodedRecords(PLACE, BatchBytes(data), [], offset, None, None, True, READ_UNCOMMITTED))


def fetch_all(*batches: tuple[int, bytes]) -> list[Any]:
    """Fetch batches, each with the offset behind it, as a consumer does: on and on from its position."""
    position, end = 0, batches[-1][0]
    found: list[Any] = []
    for _ in range(TRIES * (end + 1)):
        if position >= end:
            return found
        data = b"".join(raw for behind, raw in batches if behind > position)
        records = DecodedRecords(
            PLACE, BatchBytes(data), [], position, None, None, True, READ_UNCOMMITTED
        )  # fmt: skip
        found += list(records)
        assert records.next_fetch_offset >= position
        position = records.next_fetch_offset
    raise AssertionError(f"stuck at {position}")


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_good_batches_come_as_from_aiokafka_in_every_codec(codec: int) -> None:
    data = batch({"value": b"0" * 200}, {"headers": [("a", b"b")]}, codec=codec) + batch({}, base=2)
    records = read(data, offset=1)
    assert [(record.offset, record.topic, record.partition) for record in records] == [
        (1, "visits", 3), (2, "visits", 3),
    ]  # fmt: skip
    assert records[0].headers == (("a", b"b"),)


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_a_header_name_that_is_not_utf_8_harms_neither_its_record_nor_its_neighbours(codec: int) -> None:
    data = batch(
        {"value": b"0" * 200}, {"headers": [(NotText("z"), b"x")]}, {"value": None}, codec=codec, base=7
    )
    records = read(data, offset=7)
    assert [(record.offset, record.value) for record in records] == [(7, b"0" * 200), (8, b"v"), (9, None)]
    assert records[1].headers == (("\\xff\\xfe", b"x"),)
    assert records[1].timestamp == 1001


def corrupt(what: str) -> bytes:
    """A batch of three records, the offsets 0 to 2, damaged on the broker's disk."""
    data = bytearray(batch({"value": b"0" * 400}, {}, {}, codec=1))
    match what:
        case "checksum":
            data[20] ^= 1
        case "compression":
            data[61:] = bytes(len(data) - 61)
            data[17:21] = checksum(data[21:])
        case "more offsets than there are":
            data[23:27] = (100_000).to_bytes(4, "big")
        case "fewer offsets than there are":
            data[23:27] = (-1).to_bytes(4, "big", signed=True)
        case "too short a length":
            data[8:12] = (5).to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize(
    "what",
    [
        "checksum", "compression", "more offsets than there are", "fewer offsets than there are",
        "too short a length",
    ],
)  # fmt: skip
def test_an_unreadable_batch_is_given_up_record_by_record_and_no_other_with_it(what: str) -> None:
    records = fetch_all((3, corrupt(what)), (5, batch({}, {"value": b"last"}, base=3)))
    assert [record.offset for record in records] == [0, 1, 2, 3, 4]
    assert [record.headers[:1] and record.headers[0][0] for record in records] == [UNDECODABLE] * 3 + [(), ()]
    assert records[0].value is not None, "the bytes are kept"
    assert records[-1].value == b"last"


@given(st.binary(max_size=300), st.integers(0, 299))
def test_no_bytes_raise_or_go_backwards(noise: bytes, place: int) -> None:
    data = bytearray(batch({}, {"value": b"0" * 100}))
    data[place : place + len(noise)] = noise
    for _ in range(TRIES):
        records = DecodedRecords(PLACE, BatchBytes(bytes(data)), [], 0, None, None, True, READ_UNCOMMITTED)
        offsets = [record.offset for record in records]
        assert offsets == sorted(offsets)
        assert records.next_fetch_offset >= 0


def test_what_comes_before_an_unreadable_batch_is_read_at_once() -> None:
    good, broken = batch({}, {}), bytearray(batch({}, base=2))
    broken[20] ^= 1
    records = DecodedRecords(PLACE, BatchBytes(good + broken), [], 0, None, None, True, READ_UNCOMMITTED)
    assert [record.offset for record in records] == [0, 1]
    assert records.next_fetch_offset == 2, "it is fetched again"


def checksum(data: bytes | bytearray) -> bytes:
    return int(calc_crc32c(bytes(data))).to_bytes(4, "big")


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "key": st.none() | st.binary(max_size=20),
                "value": st.none() | st.binary(max_size=200),
                "headers": st.lists(st.tuples(st.text(max_size=8), st.none() | st.binary(max_size=8))),
                "timestamp": st.integers(0, 2**40),
            }
        ),
        min_size=1,
        max_size=20,
    ),
    st.sampled_from(list(CODECS.values())),
)
def test_lenient_reading_of_a_good_batch_equals_aiokafkas(records: list[dict[str, Any]], codec: int) -> None:
    data = batch(*records, codec=codec, base=5)
    facts = ("offset", "timestamp", "key", "value", "headers")
    strict, lenient = read(data, offset=5), leniently(PLACE, data)
    assert [[getattr(r, fact) for fact in facts] for r in lenient] == [
        [getattr(r, fact) for fact in facts] for r in strict
    ]


def test_a_fetch_that_ends_within_its_first_batch_has_none() -> None:
    data = batch({"value": b"0" * 200})
    part = BatchBytes(data[:-1])
    assert not part.has_next()
    assert part.size_in_bytes() == len(data) - 1
