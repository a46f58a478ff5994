"""Apache Kafka for the tests: one or three nodes that may be stopped, killed, paused, cut off and wiped."""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code

from cli.target import SERVICES
from runtime.kafka import TOPICS
from tests.kafka.access import ADMIN, MECHANISM, PROTOCOL, Credentials, allow, rules, users
from tests.kafka.node import Node
from tests.kafka.proxy import Link

ELECTED_WITHIN = 60.0
AUTHORIZER = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"


@dataclass
class Cluster:
    """The nodes, each broker and controller in one; what they hold ends with their folder."""

    nodes: list[Node]
    credentials: Mapping[str, Credentials] = field(default_factory=dict, repr=False)
    """Of each user, when clients have to log in."""
    name: str = "Kafka"

    @property
    def address(self) -> str:
        """The bootstrap addresses, host:port,…"""
        return ",".join(node.address for node in self.nodes)

    @property
    def internal_address(self) -> str:
        """The same for those who inspect the cluster past links and logins."""
        return ",".join(node.internal_address for node in self.nodes)

    @property
    def links(self) -> list[Link]:
        """What clients go through: one link a node, or none."""
        return [node.link for node in self.nodes if node.link]

    def client(self, user: str = ADMIN) -> dict[str, str]:
        """The arguments with which aiokafka's clients connect, as a user if the cluster is secured."""
        login = self.credentials[user].client() if self.credentials else {}
        return {"bootstrap_servers": self.address, **login}

    async def start(self) -> None:
        """Start every node that does not run and wait until all serve. Raises an `EmbeddedServerError`."""
        for node in self.nodes:
            if not node.runs:
                await node.launch()
        await self.wait_ready()

    async def wait_ready(self) -> None:
        """Wait until every node serves."""
        await asyncio.gather(*(node.wait_ready() for node in self.nodes))

    async def stop(self) -> None:
        """Let every node end in order (SIGTERM)."""
        await asyncio.gather(*(node.stop() for node in self.nodes))

    async def kill(self) -> None:
        """End every node at once (SIGKILL)."""
        await asyncio.gather(*(node.kill() for node in self.nodes))

    async def wipe(self) -> None:
        """Lose everything: kill the nodes, delete what they held, start them empty."""
        await self.kill()
        for node in self.nodes:
            node.erase()
        await self.start()
        await self._secure()

    async def restore(self) -> None:
        """Undo what a test did to nodes and links: all run, nothing is paused or cut off."""
        for node in self.nodes:
            if node.runs:
                node.resume()
        for link in self.links:
            await link.heal()
        await self.start()

    async def end(self) -> None:
        """Kill the nodes and close the links; for the end of a test, when nothing is needed any more."""
        await self.kill()
        for link in self.links:
            await link.stop()

    async def leader(self, topic: str, partition: int = 0) -> Node:
        """The running node that leads a partition; waits until one is elected."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.internal_address)
        await admin.start()
        try:
            async with asyncio.timeout(ELECTED_WITHIN):
                while True:
                    (described,) = await admin.describe_topics([topic])
                    leaders = {part["partition"]: part["leader"] for part in described["partitions"]}
                    for node in self.nodes:
                        if node.runs and node.number == leaders.get(partition):
                            return node
                    await asyncio.sleep(0.1)
        finally:
            await admin.close()

    async def create_topics(self, *names: str, partitions: int = 6) -> None:
        """Create topics on all nodes. Raises KafkaError."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.internal_address)
        await admin.start()
        try:
            new = [NewTopic(name, partitions, len(self.nodes)) for name in names]
            for _, code, message in (await admin.create_topics(new)).topic_errors:
                if code:
                    raise for_code(code)(message)
        finally:
            await admin.close()

    async def _secure(self) -> None:
        """Create the topics and let every service's user do what its service needs, if users log in."""
        if not self.credentials:
            return
        await self.create_topics(*TOPICS)
        admin = AIOKafkaAdminClient(**self.client())
        await admin.start()
        try:
            await allow(admin, *(rule for service in SERVICES for rule in rules(service)))
        finally:
            await admin.close()


async def start(data: Path, *, nodes: int = 1, through_link: bool = False, secured: bool = False) -> Cluster:
    """Start a cluster on free ports with its data in ``data``, a folder that does not exist or is empty.

    With ``through_link`` clients reach each node through a link only; if ``secured``, one of `users` has
    to log in, and a service's may do what the service needs and nothing else.
    Raises `KafkaUnavailable` when this machine lacks what it takes, or another `EmbeddedServerError`.
    """
    passwords = {user: secrets.token_urlsafe(12) for user in users()} if secured else {}
    made: list[Node] = []
    for number in range(1, nodes + 1):
        node = Node(number, data / f"node-{number}", {}, passwords)
        if through_link:
            node.link = Link(node.port)
        made.append(node)
    for node in made:
        node.settings = _settings(made, secured=secured)
    cluster = Cluster(made, {user: Credentials(user, password) for user, password in passwords.items()})
    try:
        await asyncio.gather(*(node.format() for node in made))
        for link in cluster.links:
            await link.start()
        await cluster.start()
        await cluster._secure()
    except BaseException:
        await cluster.end()
        raise
    return cluster


def _settings(nodes: list[Node], *, secured: bool) -> dict[str, object]:
    """What the nodes have to know of one another and of security."""
    replicas, in_sync = (3, 2) if len(nodes) >= 3 else (1, 1)
    protocols = {"CLIENT": PROTOCOL if secured else "PLAINTEXT", "INTERNAL": "PLAINTEXT"}
    protocols["CONTROLLER"] = "PLAINTEXT"
    settings: dict[str, object] = {
        "controller.quorum.voters": ",".join(
            f"{node.number}@127.0.0.1:{node.controller_port}" for node in nodes
        ),
        "listener.security.protocol.map": ",".join(f"{name}:{by}" for name, by in protocols.items()),
        "default.replication.factor": replicas,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
    }
    if not secured:
        return settings
    return settings | {
        "authorizer.class.name": AUTHORIZER,
        # Anonymous is who comes by the ports between the nodes, which no client is told.
        "super.users": f"User:{ADMIN};User:ANONYMOUS",
        "sasl.enabled.mechanisms": MECHANISM,
        f"listener.name.client.{MECHANISM.lower()}.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
    }
