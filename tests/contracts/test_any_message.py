"""Whatever a contract allows is read, and is written so that the contract allows it."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.event import read_event
from tests.contracts.messages import assert_kept_schema_accepts, kept_types, messages


@pytest.mark.parametrize("type_", kept_types())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_message_a_contract_allows_survives_reading_and_writing(type_: str, data: st.DataObject):
    message = data.draw(messages(type_))

    event = read_event(type_, json.dumps(message).encode())
    written = event.model_dump_json()

    assert read_event(type_, written.encode()) == event
    assert_kept_schema_accepts(type_, json.loads(written))
    assert event.time.utcoffset() is not None
