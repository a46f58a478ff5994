"""The two kinds of broker as things to break: the embedded one and a node of Apache Kafka."""

import os
import signal
from dataclasses import dataclass
from typing import Protocol

from embedded.broker import Broker
from tests.kafka.cluster import Cluster


class Breakable(Protocol):
    """What recipes do to a broker."""

    def pause(self) -> None:
        """Have it stand still, its connections open."""

    def resume(self) -> None:
        """Have it go on."""

    async def lose(self) -> None:
        """Kill it, lose all it held and start it empty."""


@dataclass
class InMemory:
    """The embedded broker, which loses all with its process."""

    server: Broker

    def pause(self) -> None:
        """Have it stand still, its connections open."""
        os.kill(self.server.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Have it go on."""
        os.kill(self.server.pid, signal.SIGCONT)

    async def kill(self) -> None:
        """End it at once."""
        os.kill(self.server.pid, signal.SIGKILL)
        await self.server.wait()

    async def lose(self) -> None:
        """Kill it, lose all it held and start it empty."""
        await self.kill()
        await self.server.start()


@dataclass
class OneNode:
    """Apache Kafka with one node."""

    cluster: Cluster

    def pause(self) -> None:
        """Have it stand still, its connections open."""
        self.cluster.nodes[0].pause()

    def resume(self) -> None:
        """Have it go on."""
        self.cluster.nodes[0].resume()

    async def lose(self) -> None:
        """Kill it, lose all it held and start it empty."""
        await self.cluster.wipe()
