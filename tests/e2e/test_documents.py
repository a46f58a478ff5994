"""The documents' examples, run as they stand: the calls of docs/api.md, the README's request by hand."""

import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.examples import CENTRE_ZONE
from services.visits.clients import Role
from tests.e2e.stack import Stack, request

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
CALL = re.compile(
    r"(?P<method>[A-Z]+) (?P<path>\S+) +# (?P<who>ministry|officer): (?P<what>\d{3}|until \w+)\n"
)
ENDS = ("decline", "/withdrawal", "/cancellation")


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    running = Stack(tmp_path_factory.mktemp("documents"))
    await running.start()
    yield running
    assert await running.stop() == 0


@dataclass(frozen=True)
class Call:
    """One example of a call."""

    method: str
    path: str
    who: str
    what: str
    body: str

    @property
    def ends(self) -> bool:
        """Whether it is one of several ends, for which a visit of its own is needed."""
        return any(word in self.path + self.body for word in ENDS)


def calls() -> list[Call]:
    text = (ROOT / "docs" / "api.md").read_text("utf-8")
    blocks = re.findall(r"^```http\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == text.count("```http")
    assert not re.search(r"```(?!http|\n)", text), "every example of a request is a block of http"
    found = []
    for block in blocks:
        call = CALL.match(block)
        assert call, block
        found.append(Call(**call.groupdict(), body=block[call.end() :].strip()))
    return found


@dataclass
class Reader:
    """Somebody who sends the examples one after the other."""

    stack: Stack
    keys: dict[str, str]
    shift: timedelta
    id: str = ""
    answers: list[Any] = field(default_factory=list)

    async def send(self, call: Call) -> None:
        path = call.path.replace("{id}", self.id)
        if call.what.startswith("until "):
            wanted = call.what.removeprefix("until ")
            assert await self.stack.until_state(self.keys[call.who], self.id, wanted, "waitlisted") == wanted
            return
        if call.path.endswith("/report"):
            await self.complete()
        of = "scheduling" if path.startswith("/v1/programme") else "api"
        answer = await self.stack.call(call.method, path, self.keys[call.who], self.dated(call.body), of=of)
        assert answer.status_code == int(call.what), (call, answer.text)
        if "location" in answer.headers and answer.status_code == 202:
            self.id = answer.json()["id"]

    def dated(self, body: str) -> Any:
        """The body with its days moved into the future, as the text asks for."""
        moved = re.sub(r"(?<=\")20\d\d-\d\d-\d\d(?=\")", lambda day: self.moved(day[0]), body)
        return json.loads(moved) if moved else None

    def moved(self, day: str) -> str:
        return str(date.fromisoformat(day) + self.shift)

    async def complete(self) -> None:
        """Let the visit be over: the examples do not wait for it."""
        await self.stack.until_state(self.keys["ministry"], self.id, "confirmed")
        connection = await self.stack.connect("visits")
        await connection.execute(
            "UPDATE visit SET state = 'completed', report_due = '2027-01-01', chase_at = now() "
            "WHERE id::text = $1",
            self.id,
        )
        await connection.close()


async def test_every_example_of_a_call_is_answered_as_the_page_says(stack: Stack) -> None:
    first_window = date(2027, 1, 10)
    reader = Reader(
        stack,
        {"ministry": await stack.key("Ministry"), "officer": await stack.key("Officer", Role.OFFICER)},
        datetime.now(UTC).astimezone(CENTRE_ZONE).date() + timedelta(days=30) - first_window,
    )
    examples = calls()
    assert len(examples) > 15
    for call in examples:
        if call.ends:
            reader.id = await stack.submit(reader.keys["ministry"], request("04-uk-ambassador-courtesy"))
        await reader.send(call)
    for release in (1, 3):
        assert any(f'"release": {release}' in call.body for call in examples)

    async with asyncio.timeout(60):
        while not (await stack.wafd("log", "search", "--type", "visits.request.withdrawn.v1"))[1]:
            await asyncio.sleep(0.5)
    for free_text in ("cannot travel", "accompanied", "comes alone", "being rebuilt", "next steps"):
        _, found, _ = await stack.wafd("log", "search", free_text)
        assert found == "", "what people wrote is not searched"


def test_no_body_of_a_request_stands_outside_the_examples_that_are_run() -> None:
    text = (ROOT / "docs" / "api.md").read_text("utf-8")
    outside = re.sub(r"^```http\n.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert not re.search(r"`\{\"", outside)


def by_hand() -> list[str]:
    text = (ROOT / "README.md").read_text("utf-8").partition("## A request by hand")[2]
    block = re.search(r"```sh\n(.*?)```", text, re.DOTALL)
    assert block
    return block[1].replace("\\\n", " ").strip().splitlines()


@pytest.mark.skipif(not shutil.which("curl"), reason="the README's request by hand uses curl")
async def test_the_request_by_hand_of_the_readme_can_be_pasted(stack: Stack) -> None:
    lines = by_hand()
    assert lines[0].startswith(".venv/bin/wafd up &")
    assert lines[-1].startswith(".venv/bin/wafd log trace")
    said: dict[str, str] = {"http://127.0.0.1:8000": stack.ready["api"]}
    before = ""
    for line in lines[1:]:
        command = line
        for placeholder, value in said.items():
            command = command.replace(placeholder, value)
        command = command.replace(".venv/bin/wafd", f"{sys.executable} -m cli.main")
        if re.match(r"export|VISIT=", command):
            before += command + "\n"
            continue
        out = await shell(stack, before + command)
        if "client add" in command:
            who = "<the officer's>" if "officer" in command else "<the ministry's>"
            said[who] = json.loads(out)["api_key"]
        if "submit" in command:
            said |= {"<id>": json.loads(out)["id"], "<reference>": json.loads(out)["reference"]}
            assert await shell(stack, before + command) == out, "the same file is the same request"
        if "/decision" in command:
            assert json.loads(out)["state"] == "approved"
        if "/acceptance" in command:
            assert json.loads(out)["state"] == "confirmed"
    assert "scheduling.programme.proposed.v1" in out
    key = said["<the ministry's>"]
    async with asyncio.timeout(60):
        release = 0
        while release != 2:
            shown = await stack.call("GET", f"/v1/visit-requests/{said['<id>']}/programme", key)
            release = shown.json()["release"]


async def shell(stack: Stack, script: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "bash", "-ec", script, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "WAFD_DATA": str(stack.data), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"},
    )  # fmt: skip
    async with asyncio.timeout(90):
        out, err = await process.communicate()
    assert process.returncode == 0, (script, err.decode())
    return out.decode()
