"""One node of Apache Kafka, broker and controller in one process: its settings, start and end."""

import asyncio
import os
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from embedded.children import EmbeddedServerError, NotRunning, end, ended, free_port, port_is_taken, spawn
from embedded.directory import open_log
from tests.kafka.jars import classpath, java
from tests.kafka.proxy import Link

STARTS_WITHIN: Final = 120.0
STOPS_WITHIN: Final = 30.0
LOGGING: Final = Path(__file__).parent / "log4j2.properties"
CLUSTER_ID: Final = "wafd-tests-wafd-testsw"
"""22 characters of base64url, as the format wants it."""

JAVA_OPTIONS: Final = ("-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""Small and soon there; a test has no use for the second compiler."""

SETTINGS: Final[Mapping[str, object]] = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "INTERNAL",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1000,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.num.partitions": 4,
    # A node that died is given up after seconds, so that a test sees the failover.
    "broker.session.timeout.ms": 3000,
    "broker.heartbeat.interval.ms": 500,
    "controller.quorum.fetch.timeout.ms": 1000,
    "controller.quorum.election.timeout.ms": 500,
    "controller.quorum.election.backoff.max.ms": 500,
    "replica.lag.time.max.ms": 5000,
    # Small enough for the heap: the cleaner alone would take 128 MiB.
    "log.cleaner.dedupe.buffer.size": 2 * 1024 * 1024,
    "num.network.threads": 2,
    "num.io.threads": 4,
}


class NodeDidNotStart(EmbeddedServerError):
    """The Kafka node {number} did not start: {reason} (its log: {file})."""

    def __init__(self, number: int, reason: str, file: Path) -> None:
        super().__init__(f"the Kafka node {number} did not start: {reason} (its log: {file})")


@dataclass
class Node:
    """A node on free ports of the loopback address that it keeps for its whole life."""

    number: int
    data: Path
    settings: Mapping[str, object]
    """What the cluster adds to `SETTINGS`."""
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Passwords of the users that exist from the beginning."""
    link: Link | None = None
    """What clients go through, if anything; other nodes do not."""
    port: int = field(default_factory=free_port)
    internal_port: int = field(default_factory=free_port)
    controller_port: int = field(default_factory=free_port)
    _process: asyncio.subprocess.Process | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        """Where clients find it, host:port."""
        return self.link.address if self.link else f"127.0.0.1:{self.port}"

    @property
    def internal_address(self) -> str:
        """Where the other nodes find it: no link lies between, nobody has to log in."""
        return f"127.0.0.1:{self.internal_port}"

    @property
    def pid(self) -> int:
        """The process id. Raises `NotRunning`."""
        if self._process is None:
            raise NotRunning(f"Kafka node {self.number}")
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether its process runs or is paused."""
        return self._process is not None and self._process.returncode is None

    @property
    def log(self) -> Path:
        """What it and its format said."""
        return self.data / "broker.log"

    async def format(self) -> None:
        """Make the empty storage, with the users, once; `launch` copies it. Raises `NodeDidNotStart`."""
        self.data.mkdir(parents=True)
        self._properties.write_text("".join(f"{k}={v}\n" for k, v in self._all_settings().items()))
        users = [
            f"--add-scram=SCRAM-SHA-512=[name={name},password={password}]"
            for name, password in self.users.items()
        ]
        await self._run("kafka.tools.StorageTool", "format", f"--cluster-id={CLUSTER_ID}",
                        f"--config={self._properties}", *users)  # fmt: skip
        if await ended(self._running) != 0:
            raise NodeDidNotStart(self.number, "its storage could not be formatted", self.log)
        self._process = None
        self._storage.rename(self._formatted)

    async def launch(self) -> None:
        """Start its process; returns at once. Not while it runs."""
        assert not self.runs, f"node {self.number} runs"
        if not self._storage.exists():
            shutil.copytree(self._formatted, self._storage)
        await self._run("kafka.Kafka", self._properties)

    async def start(self) -> None:
        """Start it and return when it serves, which it does while most of the nodes run."""
        await self.launch()
        await self.wait_ready()

    async def wait_ready(self) -> None:
        """Wait until it answers and counts itself among the brokers. Raises `NodeDidNotStart`."""
        try:
            async with asyncio.timeout(STARTS_WITHIN):
                while not await self._serves():
                    await asyncio.sleep(0.05)
        except TimeoutError:
            reason = f"port {self.internal_port} gave no answer for {STARTS_WITHIN:.0f} s"
            raise NodeDidNotStart(self.number, reason, self.log) from None

    async def stop(self) -> None:
        """Let it hand over what it leads, then end it (SIGTERM)."""
        if self.runs:
            self.resume()
            await end(self._running, signal.SIGTERM, within=STOPS_WITHIN)
        self._process = None

    async def kill(self) -> None:
        """End it as a crash would (SIGKILL)."""
        if self.runs:
            self._running.kill()
            await ended(self._running)
        self._process = None

    def pause(self) -> None:
        """Have it stand still, its connections open (SIGSTOP). Raises `NotRunning`."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Have a paused node go on (SIGCONT). Raises `NotRunning`."""
        os.kill(self.pid, signal.SIGCONT)

    async def restart(self) -> None:
        """Stop and start it; what it held stays."""
        await self.stop()
        await self.start()

    def erase(self) -> None:
        """Delete all that a node held which does not run; it starts empty, under its old name."""
        assert not self.runs, f"node {self.number} runs"
        shutil.rmtree(self._storage, ignore_errors=True)

    async def _run(self, main: str, *arguments: str | Path) -> None:
        program = (await java(), *JAVA_OPTIONS, f"-Dlog4j2.configurationFile={LOGGING}")
        with open_log(self.log) as output:
            self._process = await spawn(
                [*program, "-cp", await classpath(), main, *arguments],
                dies_by=signal.SIGKILL,
                output=output,
                env={"PATH": os.defpath},
                cwd=self.data,
            )

    async def _serves(self) -> bool:
        if not self.runs:
            raise NodeDidNotStart(self.number, "it ended at once", self.log)
        if not port_is_taken(self.internal_port):
            return False
        client = AIOKafkaClient(bootstrap_servers=self.internal_address, request_timeout_ms=3000)
        try:
            await client.bootstrap()
            return self.number in {broker.nodeId for broker in client.cluster.brokers()}
        except KafkaError:
            return False
        finally:
            await client.close()

    def _all_settings(self) -> dict[str, object]:
        here = {"CLIENT": self.port, "INTERNAL": self.internal_port}
        listeners = {**here, "CONTROLLER": self.controller_port}
        advertised = {"CLIENT": self.address, "INTERNAL": self.internal_address}
        return {
            **SETTINGS,
            "node.id": self.number,
            "log.dirs": self._storage,
            "listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, port in listeners.items()),
            "advertised.listeners": ",".join(f"{name}://{place}" for name, place in advertised.items()),
            **self.settings,
        }

    @property
    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise NotRunning(f"Kafka node {self.number}")
        return self._process

    @property
    def _properties(self) -> Path:
        return self.data / "server.properties"

    @property
    def _storage(self) -> Path:
        return self.data / "storage"

    @property
    def _formatted(self) -> Path:
        return self.data / "formatted"
