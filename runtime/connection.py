"""How a client of Kafka gets in: addresses, encryption, login."""

import ssl
from typing import Any

from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.helpers import create_ssl_context
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from runtime.errors import UsageError
from runtime.settings import KafkaSettings


def connection_options(settings: KafkaSettings) -> dict[str, Any]:
    """What every aiokafka client has to be given: address, encryption, login."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka,
        "security_protocol": settings.kafka_security_protocol,
    }
    if settings.kafka_security_protocol.startswith("SASL"):
        assert settings.kafka_password is not None  # noqa: S101 -- the settings see to it
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_username,
            "sasl_plain_password": settings.kafka_password.get_secret_value(),
        }
    if settings.kafka_security_protocol.endswith("SSL"):
        options["ssl_context"] = create_ssl_context(cafile=settings.kafka_ca_file)
    return options


def security(settings: KafkaSettings) -> BaseSecurity | None:
    """Encryption and login as FastStream wants them said."""
    if settings.kafka_security_protocol == "PLAINTEXT":
        return None
    options = connection_options(settings)
    context: ssl.SSLContext | None = options.get("ssl_context")
    if "sasl_mechanism" not in options:
        return BaseSecurity(context, use_ssl=True)
    kinds = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}
    return kinds[options["sasl_mechanism"]](
        options["sasl_plain_username"], options["sasl_plain_password"], context, use_ssl=context is not None
    )


async def check_login(settings: KafkaSettings) -> None:
    """See whether the broker takes our login, which aiokafka's clients report as an outage.

    Raises `UsageError` when it does not. Says nothing when there is no login or no broker answers.
    """
    if not settings.kafka_security_protocol.startswith("SASL"):
        return
    options = connection_options(settings)
    del options["bootstrap_servers"]
    for address in settings.kafka.split(","):
        host, _, port = address.rpartition(":")
        try:
            connection = await create_conn(host, int(port), **options, request_timeout_ms=10_000)
        except (SaslAuthenticationFailed, UnsupportedSaslMechanismError, AuthenticationFailedError) as error:
            raise UsageError(
                f"Kafka refuses the user {settings.kafka_username} ({type(error).__name__}): correct "
                "WAFD_KAFKA_USERNAME, WAFD_KAFKA_PASSWORD or WAFD_KAFKA_SASL_MECHANISM"
            ) from None
        except (KafkaError, OSError):
            continue  # another one may answer; if none does, the clients say so
        connection.close()
        return
