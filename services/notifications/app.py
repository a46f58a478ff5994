"""Wires the `notifications` service."""

from datetime import timedelta
from typing import Annotated, Self

import asyncpg
from pydantic import EmailStr, Field, SecretStr, StringConstraints, model_validator

from runtime.service import Service
from runtime.settings import Settings, load_settings
from schemas.terms import NoticeLanguage
from services.notifications.delivery import Retries
from services.notifications.domain import LETTERS
from services.notifications.handlers import Desk, sending, telling
from services.notifications.mail import Sender, StartTls, post
from services.notifications.notice import CENTRE, Office
from services.notifications.watch import watching

OTHER_CONNECTIONS = 4
"""Database connections that events, the outbox and whoever asks for the state need beside the mail."""

Domain = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)*$", max_length=200)]


class NotificationsSettings(Settings):
    """What the service needs to know beside what every service does."""

    smtp: SecretStr = Field(description="smtp://[user:password@]host:port or smtps://…")
    smtp_starttls: StartTls = "offered"
    mail_from: EmailStr = Field(description="the address that notices come from")
    office_email: EmailStr = Field(description="the protocol desk, which also gets the answers")
    office_language: NoticeLanguage = "ar"
    mail_domain: Domain = Field(
        description="in the ids of messages and calendar entries; never change it, or entries are doubled"
    )
    mail_attempts: int = Field(default=12, ge=1, le=20)
    mail_first_retry_seconds: float = Field(default=90, gt=0, le=3600)
    mail_workers: int = Field(default=4, ge=1, le=32, description="notices sent at one time")

    @model_validator(mode="after")
    def _server_is_readable(self) -> Self:
        try:
            post(self.smtp.get_secret_value(), self.smtp_starttls)
        except ValueError as error:
            raise ValueError(f"WAFD_SMTP is wrong: {error}") from None
        return self

    @model_validator(mode="after")
    def _mail_leaves_connections(self) -> Self:
        if self.mail_workers + OTHER_CONNECTIONS > self.database_connections:
            raise ValueError(
                f"WAFD_DATABASE_CONNECTIONS is {self.database_connections} but must be at least "
                f"WAFD_MAIL_WORKERS + {OTHER_CONNECTIONS} = {self.mail_workers + OTHER_CONNECTIONS}, "
                "since each mail worker holds a connection while it sends"
            )
        return self


def desk(settings: NotificationsSettings) -> Desk:
    """Put together what the orders need."""
    office = Office(settings.office_email, settings.office_language)
    name = CENTRE.ar if settings.office_language == "ar" else CENTRE.en
    return Desk(
        office=office,
        sender=Sender(settings.mail_from, name, settings.office_email, settings.mail_domain),
        post=post(settings.smtp.get_secret_value(), settings.smtp_starttls),
        retries=Retries(settings.mail_attempts, timedelta(seconds=settings.mail_first_retry_seconds)),
    )


def service() -> Service:
    """Describe the service to the runtime. Raises `UsageError` when a setting is wrong."""
    settings = load_settings(NotificationsSettings)
    orders = desk(settings)
    tell = telling(orders)

    async def why_not_ready(connection: asyncpg.Connection) -> str | None:
        await connection.execute("SELECT 1")
        return orders.watch.trouble

    return Service(
        name="notifications",
        settings=settings,
        handlers=dict.fromkeys(LETTERS, tell),
        timers={"send": sending(orders)},
        timer_workers=settings.mail_workers,
        ready=why_not_ready,
        lifespan=watching(orders),
        collectors=(orders.watch,),
    )
