"""`wafd demo`: every example comes out as its file says, and no folder of others is emptied."""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from cli.demo import MARKER
from cli.examples import REQUESTS
from services.visits.clients import Role
from tests.e2e.stack import Stack, request

pytestmark = pytest.mark.e2e


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    """A system that does not outlive its test, not even a failing one."""
    made = Stack(tmp_path)
    yield made
    if made.process:
        await made.stop()


async def test_the_demo_shows_every_example_with_the_outcome_its_file_expects(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    code, table, err = await Stack(data).wafd("demo", f"--data={data}")
    assert code == 0, err
    shown = dict(re.findall(r"^ +(\d\d-[\w-]+) +(\w+)", table, re.MULTILINE))
    expected = {path.stem: json.loads(path.read_text())["expect"] for path in REQUESTS.glob("*.json")}
    assert shown == expected
    assert {"confirmed", "waitlisted", "refused"} == set(shown.values())


async def test_a_folder_that_is_no_demos_is_not_emptied(tmp_path: Path) -> None:
    kept = tmp_path / "thesis.txt"
    kept.write_text("three years of work")
    code, out, err = await Stack(tmp_path).wafd("demo", f"--data={tmp_path}")
    assert (code, out) == (2, "")
    assert err == f"wafd: {tmp_path} is not a folder of an earlier demo: name another with --data\n"
    assert kept.read_text() == "three years of work"


async def test_a_folder_without_requests_is_named_before_anything_starts(tmp_path: Path) -> None:
    data, empty = tmp_path / "demo", tmp_path / "empty"
    empty.mkdir()
    code, out, err = await Stack(data).wafd("demo", f"--data={data}", f"--requests={empty}")
    assert (code, out, err) == (2, "", f"wafd: {empty} holds no requests (*.json)\n")
    assert not data.exists()


async def test_a_demo_leaves_the_system_that_runs_on_its_folder_alone(tmp_path: Path, stack: Stack) -> None:
    (tmp_path / MARKER).touch()  # as an earlier demo does
    await stack.start()
    code, out, err = await stack.wafd("demo", f"--data={tmp_path}")
    assert code != 0
    assert out == ""
    assert re.fullmatch(r"wafd: [^\n]+ is running on it; name another with --data\n", err), err

    key, officer = await stack.key("Ministry"), await stack.key("Officer", Role.OFFICER)
    visit = await stack.submit(key, request("04-uk-ambassador-courtesy"))
    await stack.approve(officer, visit)
    assert await stack.until_state(key, visit, "proposed", "waitlisted") == "proposed"
    await stack.until_told(visit, "scheduling.programme.proposed.v1")
    assert await stack.stop() == 0


async def test_a_demo_that_is_ended_leaves_nothing_running(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli.main", "demo", f"--data={data}", stderr=asyncio.subprocess.DEVNULL
    )
    children: list[psutil.Process] = []
    async with asyncio.timeout(120):
        while not (children and (data / "postgres.log").exists()):
            await asyncio.sleep(0.05)
            children = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    await process.wait()
    _, alive = await asyncio.to_thread(psutil.wait_procs, children, 120)
    assert not alive
