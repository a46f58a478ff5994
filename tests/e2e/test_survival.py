"""SIGKILL in the middle of the work: what was acknowledged is finished exactly once after the restart."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.visits.clients import Role
from tests.e2e.stack import Stack, request
from tests.kafka.cluster import Cluster

pytestmark = pytest.mark.e2e

REQUESTS = (
    "01-morocco-commission",
    "03-uae-human-rights-director",
    "04-uk-ambassador-courtesy",
    "06-jordan-anti-trafficking-unit",
    "07-saudi-human-rights-commission",
    "10-oman-public-prosecution",
)


@pytest.fixture
async def empty_kafka(outside_kafka: Cluster | None) -> AsyncIterator[Cluster | None]:
    """The topics have fixed names, and each test has a database of its own."""
    yield outside_kafka
    if outside_kafka:
        await outside_kafka.wipe()


@pytest.mark.parametrize("seconds", [0.0, 1.5])
async def test_a_killed_system_finishes_every_acknowledged_request_once(
    tmp_path: Path, empty_kafka: Cluster | None, seconds: float
) -> None:
    stack = Stack(tmp_path, empty_kafka)
    await stack.start()
    key, officer = await stack.key("Ministry"), await stack.key("Officer", Role.OFFICER)
    visits = [await stack.submit(key, request(name)) for name in REQUESTS]
    for visit in visits:
        await stack.approve(officer, visit)
    await asyncio.sleep(seconds)
    await stack.kill()

    await stack.start()
    for visit in visits:
        assert await stack.until_state(key, visit, "proposed", "waitlisted") == "proposed"
        told = await stack.until_told(visit, "scheduling.programme.proposed.v1")
        assert len({row["recipient"] for row in told}) == len(told)
        await stack.until_told(visit, "visits.request.submitted.v1")
    scheduling = await stack.connect("scheduling")
    proposals = await scheduling.fetch(
        "SELECT key, count(*) FROM outbox WHERE type = 'scheduling.programme.proposed.v1' GROUP BY key"
    )
    assert {row["key"]: row["count"] for row in proposals} == dict.fromkeys(visits, 1)
    await scheduling.close()
    messages = await stack.messages()
    assert len({message["message_id"] for message in messages}) == len(messages)
    assert await stack.stop() == 0
