"""Personal data stands in an event's `people` and nowhere else, for only that block gets encrypted."""

import re
import typing
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, EmailStr, NameEmail

from schemas.contracts import EMITTERS
from schemas.event import EVENTS, EventData, Frozen
from schemas.scheduling import CentrePerson, Place
from schemas.terms import Bilingual, Contact, Line, PersonName, Text
from schemas.visits import Guest

assert EMITTERS, "importing the emitters fills EVENTS"

LONGEST_TEXT = 4000  # of a `schemas.terms.Text`; a `Line` is a name, a number or a word
PERSONAL_TYPES = (PersonName, EmailStr, NameEmail, Contact, Guest, CentrePerson)
PERSONAL_NAMES = re.compile(
    r"(^|_)(e?mails?|(tele)?phones?|mobile|fax|passports?|identity|national_id|cpr|iban|birth\w*|dob|nationality"
    r"|surname|(first|last|full|given|family|middle|maiden|person|guest|contact|head|host|officer|operator)_names?"
    r"|latin|arabic|guests?|contacts?|focal_points?|operator|recipient|delegates?|people|photo|signature)($|_)"
)


def personal_fields(model: type[BaseModel], place: str = "") -> Iterator[str]:
    """The places in a model, but for the block `people` of an event, where a person could be named."""
    for name, field in model.model_fields.items():
        here = f"{place}/{name}"
        if not place and name == "people":
            continue
        if PERSONAL_NAMES.search(name):
            yield f"{here} is named like personal data"
        for part in parts_of(field.annotation):
            if part in PERSONAL_TYPES:
                yield f"{here} is of type {part.__name__}"
            elif part is Any or part is object:
                yield f"{here} may hold anything"
            elif isinstance(part, type) and issubclass(part, BaseModel):
                yield from personal_fields(part, here)
    if model.model_config.get("extra") == "allow":
        yield f"{place}/ keeps any further field"


def parts_of(annotation: Any) -> Iterator[Any]:
    """The types that an annotation is made of: `tuple[Slot, ...] | None` is `Slot` and `None`."""
    annotation = getattr(annotation, "__value__", annotation)
    if typing.get_origin(annotation) is Annotated:
        yield from parts_of(typing.get_args(annotation)[0])
        return
    arguments = typing.get_args(annotation)
    if not arguments:
        yield annotation
    for argument in arguments:
        yield from parts_of(argument)


@pytest.mark.parametrize("type_", sorted(EVENTS))
def test_an_event_names_people_only_in_its_block_for_them(type_: str):
    assert list(personal_fields(EVENTS[type_])) == []


def free_texts(node: dict[str, Any], root: dict[str, Any], place: str = "") -> Iterator[str]:
    """The places in a schema, but for the block `people` of an event, of what people write in sentences.

    A `Bilingual` is written by a program or stands in the Centre's master data.
    """
    name = node.get("$ref", "").rpartition("/")[2]
    if name == "Bilingual":
        return
    node = root["$defs"][name] if name else node
    if node.get("maxLength") == LONGEST_TEXT:
        yield place
    for field, part in node.get("properties", {}).items():
        if place or field != "people":
            yield from free_texts(part, root, f"{place}/{field}")
    for part in (*node.get("anyOf", ()), *([node["items"]] if "items" in node else ())):
        yield from free_texts(part, root, place)


def free_texts_of(data: type[EventData]) -> list[str]:
    schema = data.model_json_schema()
    return list(free_texts(schema, schema))


@pytest.mark.parametrize("type_", sorted(EVENTS))
def test_what_people_write_in_free_words_stands_in_their_block(type_: str):
    assert free_texts_of(EVENTS[type_]) == []


class Letter(EventData):
    """A made-up event that is in no registry."""

    subject: Line
    body: Text
    answer: Text | None = None
    lines: tuple[Text, ...] = ()
    needs: Bilingual


def test_free_text_is_found_whatever_it_is_wrapped_in():
    assert free_texts_of(Letter) == ["/body", "/answer", "/lines"]


class Bilateral(Frozen):
    place: Place
    chaired: tuple[Guest, ...] | None = None


class Gossip(EventData):
    """A made-up event that is in no registry, for it has no `type`."""

    reference: Line
    contact_email: Line
    told_by: PersonName | None
    cc: Annotated[EmailStr, "whoever wants to know"]
    meetings: dict[str, list[Bilateral]]
    passport: int
    notes: dict[str, Any]
    people: Contact


class Chatter(Frozen):
    model_config = ConfigDict(extra="allow")


class Nested(EventData):
    chatter: Chatter
    needs: Gossip


def test_a_leak_is_found_by_type_by_name_and_at_any_depth():
    assert sorted(personal_fields(Gossip)) == [
        "/cc is of type EmailStr",
        "/contact_email is named like personal data",
        "/meetings/chaired is of type Guest",
        "/notes may hold anything",
        "/passport is named like personal data",
        "/told_by is of type PersonName",
    ]


def test_a_block_named_people_deeper_down_protects_nothing():
    found = list(personal_fields(Nested))
    assert "/needs/people is named like personal data" in found
    assert "/needs/people is of type Contact" in found
    assert "/needs/passport is named like personal data" in found
    assert "/chatter/ keeps any further field" in found


@pytest.mark.parametrize("type_", sorted(EVENTS))
def test_the_block_for_people_is_an_object_that_can_be_encrypted_as_a_whole(type_: str):
    field = EVENTS[type_].model_fields.get("people")
    assert field is None or (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel))


def test_the_made_up_events_are_in_no_registry():
    assert not {Gossip, Nested} & set(EVENTS.values())
