"""`wafd serve` and `wafd migrate`: one service process, and the database it needs."""

import importlib
import os
from typing import Annotated, Any

import asyncpg
import typer
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from cli.target import SERVICES, command, failures, run_file
from runtime.database import migrate as migrate_service
from runtime.errors import UsageError
from runtime.service import Service, run
from runtime.settings import Dsn, load_settings


class MigrationSettings(BaseSettings):
    """How to reach the database as its owner, and the passwords that the services log in with."""

    model_config = SettingsConfigDict(env_prefix="WAFD_", env_nested_delimiter="__", extra="ignore")

    admin_database: Dsn = Field(description="the owner's DSN, postgresql://user:password@host:port/name")
    passwords: dict[str, SecretStr] = {}


def load_service(name: str) -> Service:
    """Wire the service ``name``. Raises `UsageError` for an unknown one or wrong settings."""
    if name not in SERVICES:
        raise UsageError(f"there is no service {name!r}: it is one of {', '.join(SERVICES)}")
    module: Any = importlib.import_module(f"services.{name}.app")
    service: Service = module.service()
    return service


def serve(service: Annotated[str, typer.Argument(help=", ".join(SERVICES))]) -> None:
    """Run one service until it is told to stop; settings come from WAFD_ variables."""
    with failures():
        run(load_service(service))


@command
async def migrate() -> None:
    """Bring every service's schema and role up to date (WAFD_ADMIN_DATABASE, WAFD_PASSWORDS__VISITS, …)."""
    if "WAFD_ADMIN_DATABASE" not in os.environ:
        os.environ["WAFD_ADMIN_DATABASE"] = str(run_file()["admin_database"])
    settings = load_settings(MigrationSettings)
    unknown = set(settings.passwords) - set(SERVICES)
    if unknown:
        raise UsageError(f"WAFD_PASSWORDS__{min(unknown).upper()} names no service of {', '.join(SERVICES)}")
    admin = await asyncpg.connect(str(settings.admin_database), timeout=30)
    for name in SERVICES:
        applied = await migrate_service(admin, name, settings.passwords.get(name))
        print(f"{name}: {', '.join(applied) or 'up to date'}")
    await admin.close()
