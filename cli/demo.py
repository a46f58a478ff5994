"""`wafd demo`: the examples, through the whole system, with a table of what became of each."""

import asyncio
import json
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

import asyncpg
import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from cli.target import DEFAULT_DATA, command
from runtime.database import encode_json
from runtime.errors import OperationError, UsageError
from runtime.operations import operating
from runtime.transaction import new_id
from services.eventlog import store as log_store
from services.visits.clients import Role, add_client

REQUESTS = Path(__file__).parent.parent / "examples" / "requests"
CENTRE_ZONE = ZoneInfo("Asia/Bahrain")
SETTLES_WITHIN = 120.0
STARTS_WITHIN = 120.0

console = Console(width=None if sys.stdout.isatty() else 150)


@dataclass
class Story:
    """One example on its way through the system."""

    name: str
    client: str
    country: str
    request: dict[str, Any]
    id: str | None = None
    accepted_at: datetime | None = None
    approved_at: datetime | None = None
    refusal: dict[str, Any] | None = None
    events: list[asyncpg.Record] = field(default_factory=list)

    @property
    def focal_points(self) -> int:
        """How many contacts of the ministry are told."""
        contacts = [self.request["focal_point"], *self.request.get("alternates", ())]
        return len({contact["email"].lower() for contact in contacts})


@command
async def demo(
    data: Annotated[Path, typer.Option(help="Emptied first; what happened stays there.")] = DEFAULT_DATA
    / "demo",
    requests: Annotated[Path, typer.Option(help="A folder of requests.")] = REQUESTS,
) -> None:
    """Run the examples through the embedded system and show what happened."""
    stories = read_examples(requests, datetime.now(CENTRE_ZONE).date())
    _empty(data)
    with progress_bar() as progress:
        task = progress.add_task("starting the servers", total=1 + 4 * len(stories))
        async with system(data) as ready:
            progress.advance(task)
            async with _Walk(ready, lambda text: progress.update(task, advance=1, description=text)) as walk:
                await walk.submit(stories)
                await walk.decide(stories)
                await walk.answer(stories)
                await walk.settle(stories)
    _show(stories, data)


def read_examples(folder: Path, today: date) -> list[Story]:
    """Read the example requests, their windows counted in days from ``today``. Raises `UsageError`."""
    stories = []
    for path in sorted(folder.glob("*.json")):
        try:
            content = json.loads(path.read_text("utf-8"))
            client = content["client"]
            stories.append(Story(path.stem, client["name"], client["country"], dated(content, today)))
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{path} is no example request ({error!r}): see examples/README.md") from None
    if not stories:
        raise UsageError(f"{folder} holds no requests (*.json)")
    return stories


def dated(example: dict[str, Any], today: date) -> dict[str, Any]:
    """The request of an example with its windows as dates."""
    windows = [
        {"first": str(today + timedelta(days=first)), "last": str(today + timedelta(days=last))}
        for first, last in example["windows_from_today"]
    ]
    return {**example["request"], "windows": windows}


def _empty(data: Path) -> None:
    if data.exists() and any(data.iterdir()) and not (data / "demo").exists():
        raise UsageError(f"{data} is not a folder of an earlier demo: name another with --data")
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    (data / "demo").touch()


def progress_bar() -> Progress:
    """Show on stderr how far the work has come."""
    columns = (TextColumn("{task.description:32}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


@asynccontextmanager
async def system(data: Path) -> AsyncIterator[dict[str, Any]]:
    """Run `wafd up` beside this process; its logs go to ``data/wafd.log``."""
    program = (sys.executable, "-m", "cli.main", "up", f"--data={data}", "--api-port=0")
    with (data / "wafd.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.PIPE, stderr=log)
    try:
        assert process.stdout is not None  # noqa: S101 -- a pipe was asked for
        async with asyncio.timeout(STARTS_WITHIN):
            line = await process.stdout.readline()
        if not line:
            raise OperationError(f"the system did not start: {_last_line(data / 'wafd.log')}")
        yield json.loads(line)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        code = await process.wait()
    if code:
        raise OperationError(f"the system ended with {code}: see {data / 'wafd.log'}")


def _last_line(path: Path) -> str:
    lines = path.read_text("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


async def register(ready: dict[str, Any], name: str, country: str, role: Role) -> str:
    """Register a client of the running system; returns its API key."""
    async with operating(ready["postgres"], "visits") as transactions, transactions() as tx:
        made = await add_client(
            tx.connection, id=tx.new_id(), name=name, country=country, role=role, now=tx.now
        )
    return made.api_key


class _Walk:
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
                proposal = await self._await(
                    story, "scheduling.programme.proposed.v1", "scheduling.programme.infeasible.v1"
                )
                if proposal["type"] == "scheduling.programme.proposed.v1":
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
                await self._await(
                    story, "scheduling.programme.released.v1", "scheduling.programme.infeasible.v1"
                )
                async with asyncio.timeout(SETTLES_WITHIN):
                    while not _all_told(story):
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
                    for event in story.events:
                        if event["type"] in types:
                            return event
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise OperationError(f"{story.name} did not come to {' or '.join(types)}") from None


def _all_told(story: Story) -> bool:
    """Whether each programme event has a settled notice for every person and focal point in it."""
    return all(
        len([n for n in _notices(story.events) if n["data"]["cause"] == str(event["id"])])
        >= story.focal_points + len(_persons(event))
        for event in story.events
        if event["type"] in {"scheduling.programme.proposed.v1", "scheduling.programme.released.v1"}
    )


def _persons(programme: asyncpg.Record) -> set[str]:
    return {a["person"] for slot in programme["data"]["slots"] for a in slot["assignments"]}


def _notices(events: Sequence[asyncpg.Record]) -> list[asyncpg.Record]:
    return [event for event in events if event["type"].startswith("notifications.notice.")]


def _show(stories: Sequence[Story], data: Path) -> None:
    table = Table(title="What became of the requests")
    for heading in ("request", "state", "programme", "people told"):
        table.add_column(heading)
    for heading in ("ms from 202\nto first notice", "ms from approval\nto its first notice"):
        table.add_column(heading, justify="right")
    for story in stories:
        table.add_row(story.name, *_row(story))
    console.print(table)
    for story in stories:
        for line in _reasons(story):
            console.print(f"  {story.name}: {line}", markup=False, highlight=False)
    console.print(
        f"\nMessages are in {data / 'mail'}, logs in {data / 'wafd.log'}.\n"
        f"To look around (mailbox page, API, event log): wafd up --data {data}",
        markup=False,
        highlight=False,
    )


def _row(story: Story) -> tuple[str, str, str, str, str]:
    if story.refusal:
        return "refused", f"{len(story.refusal['errors'])} wrong fields", "", "", ""
    kinds = {event["type"]: event for event in story.events}
    programme = kinds.get("scheduling.programme.released.v1")
    told = {
        (
            n["data"]["audience"],
            n["data"].get("person"),
            n["data"]["notice"] if not n["data"].get("person") else "",
        )
        for n in _notices(story.events)
        if n["type"] == "notifications.notice.delivered.v1"
    }
    people = len({person for _, person, _ in told if person}) + story.focal_points
    office = 1 if any(audience == "office" for audience, _, _ in told) else 0
    if programme is None:
        return (
            "waitlisted",
            _alternatives(story),
            str(story.focal_points + office),
            _first(story, 0),
            _first(story, 1),
        )
    slots = programme["data"]["slots"]
    first = datetime.fromisoformat(slots[0]["starts"]).astimezone(CENTRE_ZONE)
    last = datetime.fromisoformat(slots[-1]["ends"]).astimezone(CENTRE_ZONE)
    summary = f"{len(slots)} sessions, {first:%d %b %H:%M} – {last:%d %b %H:%M}"
    return "confirmed", summary, str(people + office), _first(story, 0), _first(story, 1)


def _alternatives(story: Story) -> str:
    for event in story.events:
        if event["type"] == "scheduling.programme.infeasible.v1":
            days = ", ".join(a["first_day"] for a in event["data"]["alternatives"])
            return f"none; possible from {days}" if days else "none"
    return "none"


def _first(story: Story, of_programme: int) -> str:
    """Milliseconds to the first delivered notice: from the 202, or of the programme from the approval."""
    start = story.approved_at if of_programme else story.accepted_at
    times = [
        n["time"]
        for n in _notices(story.events)
        if n["type"] == "notifications.notice.delivered.v1"
        and n["data"]["cause_type"].startswith("scheduling." if of_programme else "visits.")
    ]
    if start is None or not times:
        return ""
    return f"{max((min(times) - start).total_seconds(), 0) * 1000:.0f}"


def _reasons(story: Story) -> list[str]:
    if story.refusal:
        return [f"{error['pointer']}: {error['detail']}" for error in story.refusal["errors"]]
    return [
        reason["en"]
        for event in story.events
        if event["type"] == "scheduling.programme.infeasible.v1"
        for reason in event["data"]["reasons"]
    ]
