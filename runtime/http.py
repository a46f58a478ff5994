"""The HTTP side of every service: health, metrics, and a correlation id for each request."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from uuid import UUID

import structlog
import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.transaction import correlation, new_id

log = structlog.get_logger()

QUIET = ("/health", "/metrics", "/docs-assets")
"""Paths that are asked every few seconds, or several at a time, and not worth a line each."""


class Server(uvicorn.Server):
    """Leaves the signals to the process that it is a part of."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Install no handlers."""
        yield


def new_app(title: str) -> FastAPI:
    """Make an application whose page of its calls, ``/docs``, needs nothing from other hosts."""
    return FastAPIOffline(
        title=title,
        version="1",
        docs_url="/docs",
        redoc_url=None,
        static_url="/docs-assets",
        redirect_slashes=False,  # a redirect would name whatever host the client wrote
    )


def new_server(app: FastAPI, host: str, port: int) -> Server:
    """Serve ``app`` on ``host`` and ``port`` until `should_exit` is set."""
    return Server(
        uvicorn.Config(
            Correlated(app),
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=8,
        )
    )


class Correlated:
    """Gives each request a correlation id: in its log lines, its events, and ``X-Correlation-Id``."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request and log how it was answered; its body and query are never logged."""
        if scope["type"] != "http" or scope["path"].startswith(QUIET):
            await self._app(scope, receive, send)
            return
        id_, began, status, begun = new_id(), time.perf_counter(), 500, False

        async def send_marked(message: Message) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                status, begun = message["status"], True
                message["headers"] = [*message["headers"], (b"x-correlation-id", str(id_).encode())]
            await send(message)

        with self._bound(id_, scope):
            try:
                await self._app(scope, receive, send_marked)
            except asyncio.CancelledError:
                if begun:
                    raise
                await _away()(scope, receive, send_marked)
            finally:
                milliseconds = round((time.perf_counter() - began) * 1000, 1)
                log.info("request answered", status=status, milliseconds=milliseconds)

    @contextmanager
    def _bound(self, id_: UUID, scope: Scope) -> Generator[None, None, None]:
        token = correlation.set(id_)
        kind = f"{scope['method']} {scope['path'][:200]}"
        try:
            with structlog.contextvars.bound_contextvars(correlation_id=str(id_), type=kind):
                yield
        finally:
            correlation.reset(token)


def _away() -> JSONResponse:
    """What a request is told that the end of its process cut short: it may be sent again."""
    problem = {
        "type": "about:blank", "title": "Service unavailable", "status": 503,
        "detail": "the service is being stopped: send the request again",
    }  # fmt: skip
    return JSONResponse(problem, 503, {"Retry-After": "5"}, "application/problem+json")


def add_health(
    app: FastAPI, problems: Callable[[], Awaitable[list[str]]], registry: CollectorRegistry
) -> None:
    """Add ``/health/live``, ``/health/ready`` (503 with a sentence for each problem) and ``/metrics``."""

    @app.get("/health/live", include_in_schema=False)
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @app.get("/health/ready", include_in_schema=False)
    async def ready() -> JSONResponse:
        found = await problems()
        body = {"status": "not ready" if found else "ready", "problems": found}
        return JSONResponse(body, 503 if found else 200)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
