"""The envelope of every event (CloudEvents 1.0, structured JSON) and the registry of event types."""

from datetime import datetime
from functools import cache
from typing import Any, ClassVar, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, create_model

CONTENT_TYPE = "application/cloudevents+json"


class Frozen(BaseModel):
    """An immutable value; a reader skips the fields that a newer writer added.

    Whoever reads from outside the system validates with ``extra="forbid"`` instead.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_timedelta="iso8601")


class EventData(Frozen):
    """What happened: one subclass for each event type, registered under its ``type``.

    Personal data, and what people wrote in free words, stands in a field named ``people`` and nowhere else.
    """

    TYPE: ClassVar[str]

    def __init_subclass__(cls, *, type: str | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if type is None:  # a shared part of several events
            return
        if type in EVENTS:
            raise TypeError(f"two event classes claim the type {type}")
        cls.TYPE = type
        EVENTS[type] = cls


EVENTS: dict[str, type[EventData]] = {}
"""Every event type of the system with the class of its data; filled as `schemas.*` are imported."""

Data = TypeVar("Data", bound=EventData, covariant=True)
New = TypeVar("New", bound=EventData)


class Event(Frozen, Generic[Data]):
    """One event with its CloudEvents 1.0 attributes (https://cloudevents.io, JSON format).

    ``subject`` is the id of the visit or mission and the key of the Kafka record: events of one
    subject are published and handled in order. ``correlationid`` is shared by all that one request
    set off; ``causationid`` is the id of the event that this one answers (none for a request).
    """

    specversion: Literal["1.0"] = "1.0"
    id: UUID
    source: str = Field(examples=["/wafd/visits"])
    type: str = Field(pattern=r"^[a-z]+\.[a-z_]+\.[a-z_]+\.v[1-9][0-9]*$")
    subject: str = Field(min_length=1, max_length=200)
    time: AwareDatetime = Field(description="When it happened, UTC.")
    datacontenttype: Literal["application/json"] = "application/json"
    correlationid: UUID
    causationid: UUID | None = None
    data: Data


class UnknownEventType(ValueError):
    """No event type of this name is known here; a newer service may have sent it."""

    def __init__(self, type_: str) -> None:
        super().__init__(f"the event type {type_!r} is not known here")


def topic_of(type_: str) -> str:
    """The Kafka topic that carries an event type: the name of the service that owns it."""
    return type_.split(".", 1)[0]


def base_of(type_: str) -> str:
    """An event type without its version."""
    return type_.rpartition(".v")[0]


@cache
def envelope(type_: str) -> type[Event[Any]]:
    """The envelope model whose ``type`` is fixed and whose ``data`` is that type's class.

    Raises `UnknownEventType`.
    """
    data = EVENTS.get(type_)
    if data is None:
        raise UnknownEventType(type_)
    return create_model(
        data.__name__,
        __base__=Event[data],  # type: ignore[valid-type]  # a class chosen at run time
        __doc__=data.__doc__,
        type=(Literal[type_], type_),  # type: ignore[arg-type]  # a literal made at run time
    )


def new_event(
    data: New,
    *,
    id: UUID,
    time: datetime,
    subject: str,
    correlationid: UUID,
    causationid: UUID | None,
) -> Event[New]:
    """Wrap ``data``, checking the envelope's attributes; ``time`` must be aware."""
    return envelope(data.TYPE)(  # type: ignore[call-arg]  # the type is fixed there
        id=id,
        source=f"/wafd/{topic_of(data.TYPE)}",
        subject=subject,
        time=time,
        correlationid=correlationid,
        causationid=causationid,
        data=data,
    )


def read_event(type_: str, raw: bytes) -> Event[Any]:
    """Decode one event of a known type.

    Raises `UnknownEventType`, or `pydantic.ValidationError` when ``raw`` is not such an event.
    """
    return envelope(type_).model_validate_json(raw)


class AnyData(EventData):
    """The data of an event of any type, known here or not, as it came."""

    model_config = ConfigDict(extra="allow")


def read_any_event(raw: bytes) -> Event[AnyData]:
    """Decode one event whatever its type. Raises `pydantic.ValidationError`."""
    return Event[AnyData].model_validate_json(raw)
