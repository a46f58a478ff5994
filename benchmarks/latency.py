"""Time from an accepted call to the e-mail handed over by SMTP, on an idle system, solver included."""

import asyncio
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from runtime.transaction import clock, new_id

SETTLES_WITHIN = 60.0


@dataclass
class Figures:
    """Milliseconds, one for each request."""

    receipt: list[float] = field(default_factory=list)
    programme: list[float] = field(default_factory=list)


async def latency(
    ready: Mapping[str, Any],
    ministry_key: str,
    officer_key: str,
    bodies: list[dict[str, Any]],
    tell: Callable[[str], None],
) -> dict[str, Any]:
    """Submit and approve ``bodies`` one after the other on the system of the ready line ``ready``.

    The mailbox says when it took each message over; its clock is this machine's.
    """
    figures = Figures()
    async with (
        httpx.AsyncClient(base_url=ready["api"], timeout=30, trust_env=False) as api,
        httpx.AsyncClient(base_url=ready["mailbox"], timeout=30, trust_env=False) as mailbox,
    ):
        for number, body in enumerate(bodies):
            answer = await _post(api, "/v1/visit-requests", ministry_key, body)
            accepted, visit = clock(), answer["reference"]
            figures.receipt.append(await _until_message(mailbox, visit, accepted))
            path = f"/v1/visit-requests/{answer['id']}/decision"
            await _post(api, path, officer_key, {"decision": "approve"})
            figures.programme.append(await _until_message(mailbox, visit, clock()))
            await _until_quiet(mailbox)
            tell(f"request {number + 1} of {len(bodies)}")
    return {
        "requests": len(bodies),
        "submission_202_to_receipt_ms": _summary(figures.receipt),
        "approval_to_programme_notice_ms": _summary(figures.programme),
    }


async def _post(api: httpx.AsyncClient, path: str, key: str, body: object) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": str(new_id())}
    answer = await api.post(path, json=body, headers=headers)
    answer.raise_for_status()
    content: dict[str, Any] = answer.json()
    return content


async def _until_message(mailbox: httpx.AsyncClient, reference: str, since: datetime) -> float:
    """Milliseconds from ``since`` until the mailbox took over the first message about a visit."""
    async with asyncio.timeout(SETTLES_WITHIN):
        while True:
            answer = await mailbox.get("/api/messages", params={"since": since.isoformat()})
            times = [
                datetime.fromisoformat(message["received_at"])
                for message in answer.json()
                if reference in message["subject"]
            ]
            if times:
                return (min(times) - since).total_seconds() * 1000
            await asyncio.sleep(0.05)


async def _until_quiet(mailbox: httpx.AsyncClient) -> None:
    """Wait until no message has come for half a second: the next request meets an idle system."""
    count, since = -1, time.monotonic()
    while time.monotonic() - since < 0.5:  # noqa: PLR2004
        messages = len((await mailbox.get("/api/messages")).json())
        if messages != count:
            count, since = messages, time.monotonic()
        await asyncio.sleep(0.1)


def _summary(figures: list[float]) -> dict[str, float]:
    ordered = sorted(figures)
    return {
        "median": round(statistics.median(ordered)),
        "max": round(ordered[-1]),
        "p99": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]),
    }
