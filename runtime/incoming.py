"""Reading a record: what could be made of it, without ever failing."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from aiokafka import ConsumerRecord

from runtime.decoding import UNDECODABLE
from schemas.event import Event, base_of, read_any_event, read_event

_FOREIGN = UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
"""Name space of the ids given to records that carry no readable event id."""


HELD = "held behind"
"""How the cause of a good record begins that waits for an earlier one of its key."""


class Poison(Exception):
    """A record that no attempt will get handled."""


class Held(Poison):
    """A good record that waits for an earlier one of its key."""


class Malformed(Poison):
    """The record is not a CloudEvent in UTF-8 JSON with an id and a type."""


LONGEST_KEY = 255
"""Characters; an event's subject has at most 200, and an index takes no text of any length."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A record with what could be read of it: an event, or the reason why there is none."""

    record: ConsumerRecord
    key: str
    id: UUID
    type: str | None
    event: Event[Any] | None
    failure: Exception | None = None


def read_record(record: ConsumerRecord, handled: Collection[str] | None) -> Incoming | None:
    """Read one record; None when its type is not ``handled`` here. Without ``handled`` any type is read.

    A version that is not handled of a type that is counts as unreadable: a newer writer means it for us,
    and after an upgrade a redrive takes it in its turn.

    Never raises: what is wrong with the record stands in `Incoming.failure`.
    """
    place = f"{record.topic}/{record.partition}/{record.offset}"
    # A record without a key concerns no other record: its place stands for one.
    key = place if record.key is None else storable(record.key.decode("utf-8", "backslashreplace"))
    type_, claimed = None, f"{place}/{record.timestamp}"
    try:
        if record.headers and record.headers[0][0] == UNDECODABLE:
            raise Malformed(f"the batch cannot be decoded ({storable(record.headers[0][1].decode()[:100])})")
        if len(key) > LONGEST_KEY:
            key = f"{key[:40]}… ({hashlib.sha256(record.key).hexdigest()[:16]})"
            raise Malformed(f"the key is longer than {LONGEST_KEY} characters")
        type_, id_ = _identify(record)
        if handled is not None and type_ not in handled:
            if not any(base_of(type_) == base_of(known) for known in handled):
                return None
            raise Malformed(f"this version of the type is not known here: {type_[:100]}")
        claimed = f"{type_}/{id_}/{key}"
        event = read_any_event(record.value) if handled is None else read_event(type_, record.value)
        if (event.id, event.type, event.subject) != (id_, type_, key):
            raise Malformed("id, type or key differ from the event's own")
    except Exception as error:  # noqa: BLE001 -- whatever bytes do to a parser, the record is to be parked
        # Not the id it claims: under that a good event would pass for a repetition of this one.
        return Incoming(record, key, _foreign_id(record, claimed), type_, None, error)
    return Incoming(record, key, id_, type_, event)


def _identify(record: ConsumerRecord) -> tuple[str, UUID]:
    headers = dict(record.headers or ())
    type_, id_ = headers.get("ce_type"), headers.get("ce_id")
    if type_ and id_:
        return storable(type_.decode()), UUID(id_.decode())
    if record.value is None:
        raise Malformed("the record is empty")
    body = json.loads(record.value.decode())
    if not isinstance(body, dict) or not all(isinstance(body.get(name), str) for name in ("type", "id")):
        raise Malformed("the record has no event type and id")
    return storable(body["type"]), UUID(body["id"])


def _foreign_id(record: ConsumerRecord, what: str) -> UUID:
    """An id for a record that has none of its own; the same for the same record delivered again."""
    return uuid5(_FOREIGN, f"{what}/{hashlib.sha256(record.value or b'').hexdigest()}")


def storable(text: str) -> str:
    """Write out what PostgreSQL takes in no text: NUL and lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
