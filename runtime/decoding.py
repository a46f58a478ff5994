"""What aiokafka cannot decode becomes a record of its own, and no error that stops a partition for good.

aiokafka decodes a batch as a whole: a header's name that is not UTF-8, or a batch that cannot be
decompressed, raises wherever the consumer polls, again and again. Here such names are read leniently, and
of a batch that stays unreadable each offset gives an `undecodable` record, which the inbox parks; the
first one carries the bytes of the batch.
"""

import struct
from collections import Counter
from collections.abc import Iterator
from typing import Any, ClassVar, Final

import aiokafka.consumer.fetcher as aiokafka_fetcher
import structlog
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.codec import gzip_decode, lz4_decode, snappy_decode, zstd_decode
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import decode_varint
from aiokafka.record.memory_records import MemoryRecords

log = structlog.get_logger()

UNDECODABLE: Final = "wafd-undecodable"
"""The header of a record that stands for one which could not be decoded; its value says why."""

TRIES: Final = 3
"""How often an unreadable batch is fetched before it is given up: it may have been damaged on its way."""

_LOG_OVERHEAD = 12
_FIRST_RECORD = 61
"""Bytes before the length ends, and before the first record of a batch of format 2."""

_CODECS = {1: gzip_decode, 2: snappy_decode, 3: lz4_decode, 4: zstd_decode}


class BatchBytes:
    """A fetch's batches, one after the other, each with its bytes at hand; for aiokafka's `MemoryRecords`."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._records = MemoryRecords(data)
        self._place = 0
        self.raw = b""

    def has_next(self) -> bool:
        """Whether there is another whole batch."""
        return bool(self._records.has_next())

    def size_in_bytes(self) -> int:
        """How many bytes there were."""
        return len(self._data)

    def next_batch(self) -> Any:
        """The next batch; ``raw`` has its bytes."""
        (length,) = struct.unpack_from(">i", self._data, self._place + 8)
        end = self._place + _LOG_OVERHEAD + length
        self.raw, self._place = self._data[self._place : end], end
        return self._records.next_batch()


class DecodedRecords(aiokafka_fetcher.PartitionRecords):  # type: ignore[misc]  # aiokafka is untyped
    """The records of one partition in one fetch; takes the place of aiokafka's own class.

    Nothing is raised: aiokafka would drop what the same poll has taken from other partitions already, and
    go on behind it. What stays unreadable is given up by offset, and no further than its checksum vouches
    for: of a batch whose header may be wrong one offset at a time, since the next batch may begin there.
    """

    failures: ClassVar[Counter[tuple[TopicPartition, int]]] = Counter()
    next_fetch_offset: int
    _end: int | None = None
    """Where the batch in hand ends, if its header can be believed."""

    def _unpack_records(self) -> "Iterator[ConsumerRecord]":
        try:
            yield from self._readable()
        except Exception as error:  # noqa: BLE001 -- whatever broken bytes lead to
            place = (self._tp, self.next_fetch_offset)
            self.failures[place] += 1
            if self.failures[place] < TRIES:  # the poll ends here, and the next fetch begins here again
                log.warning("batch cannot be decoded", error=type(error).__name__, place=str(place))
                return
            del self.failures[place]
            for record in self._given_up(error):
                self.next_fetch_offset = record.offset + 1
                yield record

    def _readable(self) -> "Iterator[ConsumerRecord]":
        while self._records.has_next():
            self._end = None
            batch = self._records.next_batch()
            if self._check_crcs and not batch.validate_crc():
                raise CorruptRecordException("wrong checksum")
            self._end = batch.next_offset
            if not batch.is_control_batch:
                for record in self._decoded(batch):
                    if record.offset >= self.next_fetch_offset:  # a batch may begin before what was asked for
                        self.next_fetch_offset = record.offset + 1
                        yield record
            self.next_fetch_offset = max(self.next_fetch_offset, batch.next_offset)

    def _decoded(self, batch: Any) -> "list[ConsumerRecord]":
        try:
            return [self._consumer_record(self._tp, record) for record in batch]
        except UnicodeDecodeError:
            return leniently(self._tp, self._records.raw)

    def _given_up(self, error: Exception) -> "list[ConsumerRecord]":
        first = self.next_fetch_offset
        why = ((UNDECODABLE, type(error).__name__.encode()),)
        return [
            ConsumerRecord(
                self._tp.topic, self._tp.partition, offset, 0, 0,
                None, self._records.raw if offset == first else None, None, -1, -1, why,
            )
            for offset in range(first, max(self._end or 0, first + 1))
        ]  # fmt: skip


def leniently(partition: TopicPartition, raw: bytes) -> "list[ConsumerRecord]":
    """Decode a batch of format 2, names of headers with what is not UTF-8 written out.

    Layout: https://kafka.apache.org/documentation/#recordbatch. Raises whatever broken bytes lead to.
    """
    base_offset, attributes, first_timestamp, count = (
        *struct.unpack_from(">q", raw, 0), *struct.unpack_from(">h", raw, 21),
        *struct.unpack_from(">q", raw, 27), *struct.unpack_from(">i", raw, 57),
    )  # fmt: skip
    content = raw[_FIRST_RECORD:]
    buffer = bytearray(_CODECS[attributes & 7](content) if attributes & 7 else content)
    at, records = 0, []

    def field() -> bytes | None:
        nonlocal at
        length, at = decode_varint(buffer, at)
        if length < 0:
            return None
        at += length
        return bytes(buffer[at - length : at])

    for _ in range(count):
        _, at = decode_varint(buffer, at)
        timestamp, at = decode_varint(buffer, at + 1)  # a byte of attributes is before it
        offset, at = decode_varint(buffer, at)
        key, value = field(), field()
        number, at = decode_varint(buffer, at)
        headers = [((field() or b"").decode("utf-8", "backslashreplace"), field()) for _ in range(number)]
        records.append(
            ConsumerRecord(
                partition.topic, partition.partition, base_offset + offset, first_timestamp + timestamp, 0,
                key, value, None, len(key or b""), len(value or b""), tuple(headers),
            )
        )  # fmt: skip
    return records


def install() -> None:
    """Have aiokafka's consumers of this process read batches this way."""
    aiokafka_fetcher.MemoryRecords = BatchBytes
    aiokafka_fetcher.PartitionRecords = DecodedRecords
