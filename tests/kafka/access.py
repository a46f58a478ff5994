"""Who may do what on a secured cluster: one user a service, and an admin who makes topics and rules."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import for_code
from aiokafka.protocol.admin import CreateAclsRequest

from cli.target import SERVICES
from runtime.kafka import TOPICS

ADMIN: Final = "admin"
MECHANISM: Final = "SCRAM-SHA-512"
PROTOCOL: Final = "SASL_PLAINTEXT"

CONSUMES: Final[Mapping[str, tuple[str, ...]]] = {
    "visits": ("scheduling",),
    "scheduling": ("visits",),
    "notifications": ("scheduling", "visits"),
    "eventlog": TOPICS,
}
"""The topics that each service reads."""


class Resource(IntEnum):
    """Kafka's numbers of what a rule is about."""

    TOPIC = 2
    GROUP = 3


class Operation(IntEnum):
    """Kafka's numbers of what a rule allows; reading and writing include describing."""

    READ = 3
    WRITE = 4
    DESCRIBE = 8


LITERAL: Final = 3
ALLOW: Final = 3


class Rule(NamedTuple):
    """One user may do one thing to one topic or group."""

    user: str
    operation: Operation
    resource: Resource
    name: str


@dataclass(frozen=True)
class Credentials:
    """How a user logs in."""

    username: str
    password: str

    def client(self) -> dict[str, str]:
        """The arguments of aiokafka's clients."""
        return {
            "security_protocol": PROTOCOL,
            "sasl_mechanism": MECHANISM,
            "sasl_plain_username": self.username,
            "sasl_plain_password": self.password,
        }

    def environment(self) -> dict[str, str]:
        """The settings of a service."""
        return {
            "WAFD_KAFKA_SECURITY_PROTOCOL": PROTOCOL,
            "WAFD_KAFKA_SASL_MECHANISM": MECHANISM,
            "WAFD_KAFKA_USERNAME": self.username,
            "WAFD_KAFKA_PASSWORD": self.password,
        }


def rules(service: str) -> Iterator[Rule]:
    """Exactly what a service needs: see all topics, write its own and `eventlog`, read in its group."""
    user = f"wafd-{service}"
    yield Rule(user, Operation.READ, Resource.GROUP, f"wafd-{service}")
    for topic in sorted({service, "eventlog"}):  # what operators do to a service is told by it
        yield Rule(user, Operation.WRITE, Resource.TOPIC, topic)
    for topic in CONSUMES[service]:
        yield Rule(user, Operation.READ, Resource.TOPIC, topic)
    for topic in TOPICS:
        yield Rule(user, Operation.DESCRIBE, Resource.TOPIC, topic)


def users() -> list[str]:
    """The names of the users of a secured cluster."""
    return [ADMIN, *(f"wafd-{service}" for service in SERVICES)]


async def allow(admin: AIOKafkaAdminClient, *wanted: Rule) -> None:
    """Make rules; the admin client of aiokafka has no call for it, only the protocol. Raises KafkaError."""
    for user, operation, resource, name in wanted:
        request = CreateAclsRequest(resource, name, LITERAL, f"User:{user}", "*", operation, ALLOW)
        answer = await admin._send_request(request)
        for code, message in answer.creation_responses:
            if code:
                raise for_code(code)(message)
