"""`wafd up` as a process that tests start, kill and start again."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil

from cli.examples import REQUESTS, read_examples
from runtime.database import encode_json
from runtime.operations import operating
from runtime.transaction import new_id
from services.visits.clients import Role, add_client
from tests.kafka.cluster import Cluster

STARTS_WITHIN = 120


def request(name: str, **changes: Any) -> dict[str, Any]:
    """An example request, its sender's reference made unique."""
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
    story = next(story for story in read_examples(REQUESTS, tomorrow) if story.name == name)
    return {**story.request, "sender_reference": f"T-{new_id()}", **changes}


class Stack:
    """One running system on one data folder, with its own embedded broker unless a Kafka is given."""

    def __init__(self, data: Path, kafka: Cluster | None = None) -> None:
        self.data = data
        self.kafka = kafka
        self.ready: dict[str, Any] = {}
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, *options: str) -> None:
        program = (sys.executable, "-m", "cli.main", "up", f"--data={self.data}", "--api-port=0", *options)
        environment = dict(os.environ)
        if self.kafka:
            program += (f"--kafka={self.kafka.address}",)
            environment["WAFD_KAFKA_SESSION_SECONDS"] = "2"  # as on the embedded broker
        with (self.data / "wafd.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *program, stdout=asyncio.subprocess.PIPE, stderr=log, env=environment
            )
        assert self.process.stdout is not None
        async with asyncio.timeout(STARTS_WITHIN):
            line = await self.process.stdout.readline()
        assert line, (self.data / "wafd.log").read_text()[-2000:]
        self.ready = json.loads(line)

    async def kill(self) -> None:
        """SIGKILL the supervisor; its children must not outlive it."""
        assert self.process is not None
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()
        _, alive = await asyncio.to_thread(psutil.wait_procs, children, 30)
        assert not alive, [child.cmdline() for child in alive]

    async def stop(self) -> int:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await self.process.wait()

    def child(self, words: Sequence[str]) -> psutil.Process:
        """The child process whose command line holds all ``words``."""
        assert self.process is not None
        for child in psutil.Process(self.process.pid).children(recursive=True):
            try:
                line = " ".join(child.cmdline())
            except psutil.Error:  # it has just ended
                continue
            if all(word in line for word in words):
                return child
        raise AssertionError(f"no child process with {words}")

    async def connect(self, service: str) -> asyncpg.Connection:
        connection: asyncpg.Connection = await asyncpg.connect(
            self.ready["postgres"], server_settings={"search_path": f"{service}, public"}
        )
        await encode_json(connection)
        return connection

    async def key(self, name: str, role: Role = Role.MINISTRY) -> str:
        async with operating(self.ready["postgres"], "visits") as transactions, transactions() as tx:
            made = await add_client(
                tx.connection, id=tx.new_id(), name=name, country="QA", role=role, now=tx.now
            )
        return made.api_key

    async def call(
        self, method: str, path: str, key: str, body: object = None, *, of: str = "api"
    ) -> httpx.Response:
        """Call the API as a careful client does: repeated under one idempotency key until it answers."""
        headers = {"Authorization": f"Bearer {key}"} | (
            {"Idempotency-Key": str(new_id())} if method == "POST" else {}
        )
        async with httpx.AsyncClient(base_url=self.ready[of], timeout=30, trust_env=False) as http:
            for _ in range(150):
                try:
                    answer = await http.request(method, path, json=body, headers=headers)
                except httpx.TransportError:
                    await asyncio.sleep(0.2)
                else:
                    if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                        return answer
                    await asyncio.sleep(0.2)
        raise AssertionError(f"{method} {path} was not answered")

    async def submit(self, key: str, body: dict[str, Any]) -> str:
        answer = await self.call("POST", "/v1/visit-requests", key, body)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    async def approve(self, officer: str, visit: str) -> None:
        path = f"/v1/visit-requests/{visit}/decision"
        answer = await self.call("POST", path, officer, {"decision": "approve"})
        assert answer.is_success, answer.text

    async def state(self, key: str, visit: str) -> str:
        return str((await self.call("GET", f"/v1/visit-requests/{visit}", key)).json()["state"])

    async def until_state(self, key: str, visit: str, *states: str) -> str:
        state = ""
        async with asyncio.timeout(90):
            while state not in states:
                await asyncio.sleep(0.2)
                state = await self.state(key, visit)
        return state

    async def messages(self, to: str | None = None) -> list[dict[str, Any]]:
        async with httpx.AsyncClient(base_url=self.ready["mailbox"], timeout=30, trust_env=False) as http:
            answer = await http.get("/api/messages", params={"to": to} if to else {})
            found: list[dict[str, Any]] = answer.json()
            return found

    async def message(self, id_: str) -> dict[str, Any]:
        async with httpx.AsyncClient(base_url=self.ready["mailbox"], timeout=30, trust_env=False) as http:
            found: dict[str, Any] = (await http.get(f"/api/messages/{id_}")).json()
            return found

    async def until_told(self, visit: str, cause_type: str) -> list[asyncpg.Record]:
        """Wait until every notice of the visit's newest event of a type is settled; returns the notices."""
        notices = await self.connect("notifications")
        try:
            async with asyncio.timeout(60):
                while True:
                    rows = await notices.fetch(
                        "SELECT * FROM notice WHERE visit_id::text = $1 AND cause_type = $2",
                        visit,
                        cause_type,
                    )
                    if rows and not any(row["state"] in {"waiting", "sending"} for row in rows):
                        return rows
                    await asyncio.sleep(0.2)
        finally:
            await notices.close()

    async def wafd(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command against this system: exit code, stdout, stderr."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cli.main", *arguments,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "WAFD_DATA": str(self.data)},
        )  # fmt: skip
        out, err = await process.communicate()
        return process.returncode or 0, out.decode(), err.decode()
