"""Plays ministries and officer through the API of a running system, following each visit in the event log."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Self

import asyncpg
import httpx

from cli.examples import INFEASIBLE, PROPOSED, RELEASED, Story
from runtime.database import encode_json
from runtime.errors import OperationError
from runtime.operations import operating
from runtime.transaction import new_id
from services.eventlog import store as log_store
from services.visits.clients import Role, add_client

SETTLES_WITHIN = 120.0


async def register(ready: dict[str, Any], name: str, country: str, role: Role) -> str:
    """Register a client of the running system; returns its API key."""
    async with operating(ready["postgres"], "visits") as transactions, transactions() as tx:
        made = await add_client(
            tx.connection, id=tx.new_id(), name=name, country=country, role=role, now=tx.now
        )
    return made.api_key


class Walk:
    """Plays ministries and officer through the API, and reads the event log."""

    def __init__(self, ready: dict[str, Any], tell: Callable[[str], None]) -> None:
        self._ready = ready
        self._tell = tell
        self._keys: dict[str, str] = {}
        self._http = httpx.AsyncClient(base_url=ready["api"], timeout=30, trust_env=False)

    async def __aenter__(self) -> Self:
        dsn = self._ready["postgres"]
        self._log = await asyncpg.connect(dsn, server_settings={"search_path": "eventlog"})
        await encode_json(self._log)
        return self

    async def __aexit__(self, *_failure: object) -> None:
        await self._http.aclose()
        await self._log.close()

    async def _key(self, name: str, country: str, role: Role) -> str:
        if name not in self._keys:
            self._keys[name] = await register(self._ready, name, country, role)
        return self._keys[name]

    async def _post(self, path: str, body: object, key: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": str(new_id())}
        return await self._http.post(path, json=body, headers=headers)

    async def submit(self, stories: Sequence[Story]) -> None:
        """Every ministry submits."""
        for story in stories:
            key = await self._key(story.client, story.country, Role.MINISTRY)
            answer = await self._post("/v1/visit-requests", story.request, key)
            if answer.status_code == httpx.codes.ACCEPTED:
                story.id, story.accepted_at = answer.json()["id"], datetime.now(UTC)
            elif answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
                story.refusal = answer.json()
            else:
                raise OperationError(
                    f"{story.name} was answered with {answer.status_code}: {answer.text[:300]}"
                )
            self._tell(f"submitted {story.name}")

    async def decide(self, stories: Sequence[Story]) -> None:
        """The officer approves what was accepted."""
        key = await self._key("Visits officer", "BH", Role.OFFICER)
        for story in stories:
            if story.id:
                path = f"/v1/visit-requests/{story.id}/decision"
                answer = await self._post(path, {"decision": "approve"}, key)
                if not answer.is_success:
                    raise OperationError(f"{story.name} was not approved: {answer.text[:300]}")
                story.approved_at = datetime.now(UTC)
            self._tell(f"approved {story.name}")

    async def answer(self, stories: Sequence[Story]) -> None:
        """Every ministry accepts the programme proposed to it."""
        for story in stories:
            if story.id:
                proposal = await self._await(story, PROPOSED, INFEASIBLE)
                if proposal["type"] == PROPOSED:
                    await self._accept(story, proposal["data"]["release"])
            self._tell(f"scheduled {story.name}")

    async def _accept(self, story: Story, release: int) -> None:
        """Accept as soon as the proposal has reached the visit, moments after the log."""
        key = self._keys[story.client]
        path = f"/v1/visit-requests/{story.id}/programme/acceptance"
        async with asyncio.timeout(SETTLES_WITHIN):
            while True:
                answer = await self._post(path, {"release": release}, key)
                if answer.is_success:
                    return
                if answer.status_code != httpx.codes.CONFLICT:
                    raise OperationError(f"{story.name} could not be accepted: {answer.text[:300]}")
                await asyncio.sleep(0.1)

    async def settle(self, stories: Sequence[Story]) -> None:
        """Wait until everybody concerned has been told."""
        for story in stories:
            if story.id:
                await self._await(story, RELEASED, INFEASIBLE)
                async with asyncio.timeout(SETTLES_WITHIN):
                    while not all_told(story):
                        await asyncio.sleep(0.1)
                        story.events = await log_store.trace(self._log, story.id)
            self._tell(f"told everybody of {story.name}")

    async def _await(self, story: Story, *types: str) -> asyncpg.Record:
        """Wait for the first event of one of ``types`` in the story."""
        assert story.id is not None  # noqa: S101 -- only accepted requests get here
        try:
            async with asyncio.timeout(SETTLES_WITHIN):
                while True:
                    story.events = await log_store.trace(self._log, story.id)
                    if event := story.first(*types):
                        return event
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise OperationError(f"{story.name} did not come to {' or '.join(types)}") from None


def all_told(story: Story) -> bool:
    """Whether everybody whom scheduling's news concerns has a settled notice of it."""
    return all(
        len([n for n in story.notices if n["data"]["cause"] == str(event["id"])]) >= expected(story, event)
        for event in story.events
        if event["type"] in {PROPOSED, RELEASED, INFEASIBLE}
    )


def expected(story: Story, news: asyncpg.Record) -> int:
    """How many are to be told: the ministry, and the persons of a programme or else the office."""
    return story.focal_points + (1 if news["type"] == INFEASIBLE else len(persons(news)))


def persons(programme: asyncpg.Record) -> set[str]:
    """Everybody of the Centre with a part in a programme event."""
    return {a["person"] for slot in programme["data"]["slots"] for a in slot["assignments"]}
