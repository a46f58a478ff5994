import asyncio
import json
import os
import signal
import sys
import textwrap
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from embedded.children import EmbeddedServerError, NotRunning, free_port
from embedded.probe import why_not_ready
from embedded.process import Process
from embedded.processes import NotReady, ProcessRefused, Supervisor, WatchFailed

ROOT = Path(__file__).parents[2]

LIVES = "import time; print('alive', flush=True); time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
)
PARENT = """
    import asyncio, sys
    from embedded.process import Process
    from embedded.processes import Supervisor

    async def main():
        async with Supervisor() as supervisor:
            process = Process("child", [sys.executable, "-c", sys.argv[1]])
            await supervisor.run(process)
            print(process.pid, flush=True)
            await asyncio.sleep(600)

    asyncio.run(main())
"""


def process(code: str, name: str = "child") -> Process:
    return Process(name, [sys.executable, "-c", textwrap.dedent(code)])


async def until(condition: Callable[[], bool], within: float = 60.0) -> None:
    async with asyncio.timeout(within):
        while not condition():  # another process's doing
            await asyncio.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def runs(process: Process) -> bool:
    try:
        return alive(process.pid)
    except NotRunning:  # it is being started
        return False


async def said_all(process: Process) -> None:
    """Wait until all that an ended process said was passed on."""
    assert process._relay
    await asyncio.wait_for(asyncio.shield(process._relay), 60)


def members(group: int) -> list[list[str]]:
    """The living processes of a process group."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):  # others end meanwhile
            fields = stat.read_text().rpartition(")")[2].split()
            if fields[2] == str(group) and fields[0] != "Z":
                found.append(fields)
    return found


async def test_a_process_that_dies_is_started_again(tmp_path):
    marks = tmp_path / "starts"
    code = f"open({str(marks)!r}, 'a').write('x'); raise SystemExit(1)"
    async with Supervisor() as supervisor:
        await supervisor.run(process(code))
        await until(lambda: marks.exists() and len(marks.read_text()) == 3)


async def test_a_restart_waits_longer_each_time(monkeypatch):
    pauses = []
    sleep = asyncio.sleep

    async def note(seconds):
        task = asyncio.current_task()
        if task and task.get_name() == "child":  # and not anybody else's pauses
            pauses.append(seconds)
        await sleep(0)

    monkeypatch.setattr("embedded.processes.asyncio.sleep", note)
    async with Supervisor() as supervisor:
        await supervisor.run(process("raise SystemExit(1)"))
        async with asyncio.timeout(60):
            while len(pauses) < 7:
                await sleep(0.02)
    assert pauses[:7] == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


async def test_an_adopted_server_is_followed_by_what_it_needs_after_a_restart():
    refilled = asyncio.Event()

    async def refill():
        refilled.set()

    server = process(LIVES, "broker")
    await server.start()
    async with Supervisor() as supervisor:
        supervisor.adopt(server, refill=refill)
        await until(lambda: server.last_line == "alive")
        os.kill(server.pid, signal.SIGKILL)
        await asyncio.wait_for(refilled.wait(), 60)


async def test_while_a_refill_fails_the_server_is_started_anew_and_the_services_wait_for_it():
    account: list[str] = []

    class Broker(Process):
        async def start(self) -> None:
            account.append("started")
            await super().start()

        async def stop(self) -> None:
            account.append("stopped")
            await super().stop()

    async def refill():
        account.append("refill")
        if account.count("refill") == 1:
            raise asyncpg.CannotConnectNowError("the database system is starting up")
        account.append("refilled")

    class Service(Process):
        async def start(self) -> None:
            account.append("service")
            await super().start()

    server, service = (kind(kind.__name__, [sys.executable, "-c", LIVES]) for kind in (Broker, Service))
    await server.start()
    async with Supervisor() as supervisor:
        supervisor.adopt(server, refill=refill)
        await supervisor.run(service)
        await until(lambda: server.last_line == service.last_line == "alive")
        first = service.pid
        os.kill(server.pid, signal.SIGKILL)
        await until(lambda: account.count("service") == 2 and runs(service))
        assert service.pid != first
        assert not alive(first)
        assert alive(server.pid)
    assert account[:-1] == [
        *("started", "service"),
        *("started", "refill", "stopped"),
        *("started", "refill", "refilled", "service"),
    ]


async def test_a_server_that_cannot_be_started_again_is_tried_until_it_can():
    class Blocked(Process):
        attempts = 0

        async def start(self) -> None:
            self.attempts += 1
            if self.attempts in {2, 3}:
                raise EmbeddedServerError(f"attempt {self.attempts}")
            await super().start()

    server = Blocked("postgres", [sys.executable, "-c", LIVES])
    await server.start()
    async with Supervisor() as supervisor:
        supervisor.adopt(server)
        os.kill(server.pid, signal.SIGKILL)
        await until(lambda: server.attempts == 4)
        await until(lambda: server.last_line == "alive")


async def test_a_watch_that_fails_is_told_and_not_lost_in_silence():
    class Lost(Process):
        async def wait(self) -> int:
            raise LookupError("no such child")

    server = Lost("postgres", [sys.executable, "-c", LIVES])
    await server.start()
    async with Supervisor() as supervisor:
        supervisor.adopt(server)
        told = await asyncio.wait_for(supervisor.refused(), 60)
        assert isinstance(told, WatchFailed)
        assert str(told) == "the watch over postgres failed: LookupError('no such child')"
        with pytest.raises(WatchFailed):
            await supervisor.wait_ready(f"http://127.0.0.1:{free_port()}", within=60)
        Lost.wait = Process.wait  # type: ignore[method-assign]  # to stop it


async def test_stopping_ends_all_and_the_servers_after_the_services():
    ended = []

    class Noted(Process):
        async def stop(self) -> None:
            await super().stop()
            ended.append(self.name)

    children = [Noted(name, [sys.executable, "-c", LIVES]) for name in ("postgres", "broker", "visits")]
    async with Supervisor() as supervisor:
        for server in children[:2]:
            await server.start()
            supervisor.adopt(server)
        await supervisor.run(children[2])
        pids = [child.pid for child in children]
    assert ended == ["visits", "broker", "postgres"]
    assert not any(map(alive, pids))


async def test_one_that_does_not_stop_is_killed_with_its_children(monkeypatch):
    monkeypatch.setattr("embedded.process.STOPS_WITHIN", 0.3)
    parent = process(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {STUBBORN!r}])")
    await parent.start()
    group = parent.pid
    await until(lambda: parent.last_line == "deaf")
    assert len(members(group)) == 2
    await parent.stop()
    await until(lambda: not members(group))


async def test_a_wrong_setting_is_final_and_its_sentence_is_told():
    code = "import sys; print('starting'); print('WAFD_KAFKA is not set', file=sys.stderr); sys.exit(2)"
    sentence = r"^visits cannot run as it was started: WAFD_KAFKA is not set$"
    async with Supervisor() as supervisor:
        await supervisor.run(Process("visits", [sys.executable, "-u", "-c", code]))
        with pytest.raises(ProcessRefused, match=sentence):
            await supervisor.wait_ready(f"http://127.0.0.1:{free_port()}", within=60)
        assert isinstance(await supervisor.refused(), ProcessRefused)


async def test_one_that_never_gets_ready_is_named_with_its_reason():
    reply = json.dumps({"problems": ["the database does not answer"]})
    code = f"""
        import http.server

        class Unready(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(503); self.end_headers(); self.wfile.write({reply!r}.encode())

        http.server.HTTPServer(("127.0.0.1", PORT), Unready).serve_forever()
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with Supervisor() as supervisor:
        await supervisor.run(process(code.replace("PORT", str(port))))
        async with asyncio.timeout(60):
            while "database" not in (await asyncio.to_thread(why_not_ready, url) or ""):
                await asyncio.sleep(0.05)
        with pytest.raises(NotReady, match=f"within 3 s: {url}: the database does not answer"):
            await supervisor.wait_ready(url, within=3)


async def test_lines_of_several_processes_stay_whole(capfdbinary):
    code = """
        import json, sys

        for _ in range(200):
            sys.stderr.write(json.dumps({{"by": {0}, "x": "ي" * 3000}}) + chr(10))
    """
    children = [process(code.format(number), f"p{number}") for number in range(3)]
    for child in children:
        await child.start()
    for child in children:
        assert await child.wait() == 0
        await said_all(child)
        await child.stop()
    lines = capfdbinary.readouterr().err.splitlines()
    assert sorted(json.loads(line)["by"] for line in lines) == [0] * 200 + [1] * 200 + [2] * 200


async def test_a_last_line_without_an_end_is_not_lost(capfdbinary):
    child = process("print('no newline', end='')")
    await child.start()
    await child.wait()
    await said_all(child)
    await child.stop()
    assert child.last_line == "no newline"
    assert capfdbinary.readouterr().err == b"no newline\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
async def test_no_process_outlives_a_killed_supervisor():
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", textwrap.dedent(PARENT), "import time; time.sleep(600)"),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert parent.stdout
    pid = int(await asyncio.wait_for(parent.stdout.readline(), 60))
    await until(lambda: b"tether" not in Path(f"/proc/{pid}/cmdline").read_bytes())
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    await until(lambda: not alive(pid))
