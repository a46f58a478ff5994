"""The page of the API's calls, and requests that are cut short."""

import asyncio
import re
from typing import Any

import httpx
from fastapi import FastAPI

from runtime.http import Correlated, new_app


async def test_the_page_of_the_calls_needs_no_other_host() -> None:
    transport = httpx.ASGITransport(new_app("Wafd test"))
    async with httpx.AsyncClient(transport=transport, base_url="http://wafd.example") as client:
        page = (await client.get("/docs")).text
        needed = re.findall(r'(?:src|href)="([^"]+)"', page) + re.findall(r"url: '([^']+)'", page)
        assert "/openapi.json" in needed
        assert any(each.endswith(".js") for each in needed)
        assert any(each.endswith(".css") for each in needed)
        for each in needed:
            assert each.startswith("/"), each
            assert (await client.get(each)).status_code == 200, each
    assert "://" not in page.replace("window.location.origin", "")


async def test_a_request_that_the_end_of_its_process_cuts_short_may_be_sent_again() -> None:
    app, waiting = FastAPI(), asyncio.Event()

    @app.post("/orders")
    async def place() -> None:
        waiting.set()
        await asyncio.Event().wait()

    served: list[asyncio.Task[None]] = []

    async def serve(*call: Any) -> None:
        served.append(asyncio.create_task(Correlated(app)(*call)))
        await served[0]

    async with httpx.AsyncClient(transport=httpx.ASGITransport(serve), base_url="http://x") as client:
        asked = asyncio.create_task(client.post("/orders"))
        await waiting.wait()
        served[0].cancel()
        answer = await asked
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.headers["x-correlation-id"]
    assert "send the request again" in answer.json()["detail"]
