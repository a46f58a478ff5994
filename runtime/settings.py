"""Settings from the environment (prefix `WAFD_`); a wrong one ends in one sentence and exit 2."""

from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    Field,
    FilePath,
    PostgresDsn,
    SecretStr,
    StringConstraints,
    UrlConstraints,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from runtime.errors import UsageError
from runtime.ring import INBOX_DAYS, OUTBOX_DAYS

Dsn = Annotated[PostgresDsn, UrlConstraints(host_required=False)]


def _with_ports_that_exist(addresses: str) -> str:
    if not all(0 < int(address.rpartition(":")[2]) < 65536 for address in addresses.split(",")):  # noqa: PLR2004
        raise ValueError("a port is a number from 1 to 65535")
    return addresses


Bootstrap = Annotated[
    str,
    StringConstraints(pattern=r"^[^\s,:]+:[0-9]{1,5}(,[^\s,:]+:[0-9]{1,5})*$"),
    AfterValidator(_with_ports_that_exist),
]


class KafkaSettings(BaseSettings):
    """Where Kafka is, and how it is spoken to."""

    model_config = SettingsConfigDict(env_prefix="WAFD_", frozen=True, extra="ignore")

    kafka: Bootstrap = Field(description="host:port of one or more brokers, comma-separated")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_username: str | None = None
    kafka_password: SecretStr | None = None
    kafka_ca_file: FilePath | None = Field(
        default=None, description="certificates of the authority that signed the broker's, PEM"
    )

    @model_validator(mode="after")
    def _name_who_speaks(self) -> Self:
        named = bool(self.kafka_username and self.kafka_password)
        if self.kafka_security_protocol.startswith("SASL") and not named:
            raise ValueError(
                f"WAFD_KAFKA_SECURITY_PROTOCOL is {self.kafka_security_protocol}: "
                "set WAFD_KAFKA_USERNAME and WAFD_KAFKA_PASSWORD as well"
            )
        return self


class Settings(KafkaSettings):
    """What every service process needs to know."""

    database: Dsn = Field(description="postgresql://user:password@host:port/name")
    kafka_partitions: int = Field(default=6, ge=1, le=1000)
    kafka_replication: int = Field(default=1, ge=1, le=9)
    kafka_session_seconds: float = Field(default=6, ge=1, le=300)
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8000, ge=0, le=65535)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    batch_records: int = Field(default=500, ge=1, le=10_000)
    database_connections: int = Field(default=10, ge=6, le=200)
    outbox_retention_days: int = Field(default=7, ge=1, le=OUTBOX_DAYS - 3)
    kafka_retention_days: int = Field(default=10, ge=1)
    inbox_retention_days: int = Field(default=14, ge=2, le=INBOX_DAYS - 3)

    @model_validator(mode="after")
    def _remember_longer_than_replay(self) -> Self:
        for name in ("outbox", "kafka"):
            if self.inbox_retention_days <= getattr(self, f"{name}_retention_days"):
                raise ValueError(
                    f"WAFD_INBOX_RETENTION_DAYS must be greater than WAFD_{name.upper()}_RETENTION_DAYS, "
                    f"or what is read again from the {'outbox' if name == 'outbox' else 'topics'} "
                    "would not be recognised"
                )
        return self


S = TypeVar("S", bound=BaseSettings)


def load_settings(kind: type[S], **given: Any) -> S:
    """Read from the environment what is not ``given``. Raises `UsageError` naming every wrong variable."""
    try:
        return kind(**given)
    except ValidationError as error:
        raise UsageError("; ".join(_sentence(kind, problem) for problem in error.errors())) from None


def _sentence(kind: type[BaseSettings], problem: object) -> str:
    assert isinstance(problem, dict)  # noqa: S101 -- pydantic's ErrorDetails
    if not problem["loc"]:
        return str(problem["msg"]).removeprefix("Value error, ")
    name = str(problem["loc"][0])
    variable = f"{kind.model_config.get('env_prefix', '')}{name}".upper()
    field = kind.model_fields.get(name)
    hint = f" ({field.description})" if field and field.description else ""
    if problem["type"] == "missing":
        return f"{variable} is not set{hint}: set it in the environment"
    return f"{variable} is wrong{hint}: {problem['msg']}"
