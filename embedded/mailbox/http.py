"""The pages and the JSON interface of the mailbox."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import AwareDatetime, BaseModel, Field
from starlette.middleware.trustedhost import TrustedHostMiddleware

from embedded.mailbox.reading import Part, entries_of, parts_of
from embedded.mailbox.smtp import Faults, Stage
from embedded.mailbox.store import Kept, Store

PAGE_SIZE: Final = 100
PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'self'"
)
MESSAGE_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
"""For what a sender wrote: no script, no form, nothing fetched, an origin of its own."""

PAGES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class Message(BaseModel):
    """A message as the JSON interface lists it."""

    id: str
    to: list[str]
    sender: str = Field(serialization_alias="from")
    subject: str
    message_id: str
    received_at: datetime
    language: str | None
    has_calendar: bool
    repeated: int


class FullMessage(Message):
    """A message with its readable bodies and calendars."""

    text: str | None
    html: str | None
    calendars: list[str]


class FaultsWanted(BaseModel):
    """Answer the next ``count`` commands at the stage ``at`` with ``code``."""

    code: int = Field(default=451, ge=400, le=599)
    count: int = Field(ge=0, le=1_000_000)
    at: Stage = "rcpt"


def application(store: Store, faults: Faults) -> FastAPI:
    """The mailbox's web application. It answers on loopback names only: other sites must not read mail."""
    app = FastAPI(title="Wafd mailbox", version="1")
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    app.middleware("http")(_guard)
    _add_pages(app, store)
    _add_interface(app, store, faults)
    return app


async def _guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    if request.url.path not in {"/docs", "/openapi.json"}:
        response.headers.setdefault("Content-Security-Policy", PAGE_POLICY)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response


def _add_pages(app: FastAPI, store: Store) -> None:
    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    def messages(to: str = "", page: Annotated[int, Query(ge=1)] = 1) -> str:
        found = store.find(to=to)[::-1]
        first = (page - 1) * PAGE_SIZE
        shown, more = found[first : first + PAGE_SIZE], len(found) > first + PAGE_SIZE
        return PAGES.get_template("list.html").render(
            messages=shown, to=to, page=page, more=more, count=len(found)
        )

    @app.get("/messages/{id}", response_class=HTMLResponse, include_in_schema=False)
    def message(id: str) -> str:
        kept = _kept(store, id)
        return PAGES.get_template("message.html").render(message=kept, parts=_shown(store.source(id)))

    @app.get("/messages/{id}/source", response_class=PlainTextResponse, include_in_schema=False)
    def source(id: str) -> Response:
        _kept(store, id)
        return PlainTextResponse(store.source(id), headers={"Content-Security-Policy": MESSAGE_POLICY})

    @app.get("/messages/{id}/parts/{number}", include_in_schema=False)
    def part(id: str, number: int, *, download: bool = False) -> Response:
        _kept(store, id)
        found = next((part for part in parts_of(store.source(id)) if part.number == number), None)
        if found is None:
            raise HTTPException(404, "this message has no such part")
        return _part_response(found, download=download)


def _part_response(part: Part, *, download: bool) -> Response:
    headers = {"Content-Security-Policy": MESSAGE_POLICY}
    if part.kind == "text/html" and not download:
        return HTMLResponse(part.text, headers=headers)
    ending = "ics" if part.kind == "text/calendar" else "bin"
    headers["Content-Disposition"] = f'attachment; filename="part-{part.number}.{ending}"'
    kind = "text/calendar" if ending == "ics" else "application/octet-stream"
    return Response(part.content, media_type=kind, headers=headers)


def _shown(raw: bytes) -> list[dict[str, Any]]:
    """The parts as the page shows them: a calendar with its events, or why it has none."""
    shown = []
    for part in parts_of(raw):
        item: dict[str, Any] = {"part": part, "method": "", "entries": [], "problem": ""}
        if part.kind == "text/calendar":
            try:
                item["method"], item["entries"] = entries_of(part.text or "")
            except ValueError as problem:
                item["problem"] = str(problem)
        shown.append(item)
    return shown


def _add_interface(app: FastAPI, store: Store, faults: Faults) -> None:
    @app.get("/api/messages")
    def list_messages(to: str = "", since: AwareDatetime | None = None) -> list[Message]:
        """Messages, oldest first; `to` is part of a recipient's address, `since` an instant with offset."""
        return [Message(**_facts(kept)) for kept in store.find(to=to, since=since)]

    @app.get("/api/messages/{id}")
    def show_message(id: str) -> FullMessage:
        """One message with its bodies."""
        kept, parts = _kept(store, id), parts_of(store.source(id))
        texts = {part.kind: part.text for part in reversed(parts)}
        return FullMessage(
            **_facts(kept),
            text=texts.get("text/plain"),
            html=texts.get("text/html"),
            calendars=[part.text or "" for part in parts if part.kind == "text/calendar"],
        )

    @app.delete("/api/messages")
    def delete_messages() -> dict[str, int]:
        """Delete every message."""
        return {"deleted": store.clear()}

    @app.get("/api/faults")
    def show_faults() -> Faults:
        """What is left to be refused."""
        return faults

    @app.put("/api/faults")
    def set_faults(wanted: FaultsWanted) -> Faults:
        """Refuse the next commands; `count` 0 ends it."""
        faults.code, faults.count, faults.at = wanted.code, wanted.count, wanted.at
        return faults

    @app.get("/health/ready", include_in_schema=False)
    @app.get("/health/live", include_in_schema=False)
    def health() -> dict[str, str]:
        return {"status": "ready"}


def _kept(store: Store, id: str) -> Kept:
    kept = store.get(id)
    if kept is None:
        raise HTTPException(404, "there is no such message; it may have been deleted")
    return kept


def _facts(kept: Kept) -> dict[str, Any]:
    headers = kept.headers
    return {
        "id": kept.id,
        "to": list(kept.to),
        "sender": headers.sender or kept.sender,
        "subject": headers.subject,
        "message_id": headers.message_id,
        "received_at": kept.received_at,
        "language": headers.language,
        "has_calendar": headers.has_calendar,
        "repeated": kept.repeated,
    }
