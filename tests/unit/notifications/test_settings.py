"""The service's settings, as an operator gets them wrong."""

import pytest

from runtime.errors import UsageError
from services.notifications.app import service
from services.notifications.domain import LETTERS

GOOD = {
    "WAFD_DATABASE": "postgresql://wafd@127.0.0.1/wafd",
    "WAFD_KAFKA": "127.0.0.1:9092",
    "WAFD_SMTP": "smtp://127.0.0.1:1025",
    "WAFD_MAIL_FROM": "visits@centre.example",
    "WAFD_OFFICE_EMAIL": "protocol@centre.example",
    "WAFD_MAIL_DOMAIN": "centre.example",
}


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)


def test_the_service_consumes_what_it_tells_of_and_sends_by_a_timer():
    described = service()

    assert set(described.handlers) == set(LETTERS)
    assert set(described.timers) == {"send"}


@pytest.mark.parametrize("name", ["WAFD_SMTP", "WAFD_MAIL_FROM", "WAFD_OFFICE_EMAIL", "WAFD_MAIL_DOMAIN"])
def test_a_missing_setting_is_named(monkeypatch, name):
    monkeypatch.delenv(name)

    with pytest.raises(UsageError, match=f"{name} is not set"):
        service()


def test_a_password_in_the_clear_is_refused_and_not_shown(monkeypatch):
    monkeypatch.setenv("WAFD_SMTP", "smtp://wafd:hush@mail.example")

    with pytest.raises(UsageError, match="WAFD_SMTP is wrong: a password needs smtps://") as caught:
        service()
    assert "hush" not in str(caught.value)


def test_a_password_under_required_starttls_is_accepted(monkeypatch):
    monkeypatch.setenv("WAFD_SMTP", "smtp://wafd:hush@mail.example")
    monkeypatch.setenv("WAFD_SMTP_STARTTLS", "required")

    assert "hush" not in repr(service().settings)


@pytest.mark.parametrize(("workers", "enough"), [("6", True), ("7", False)])
def test_mail_workers_leave_database_connections_to_the_rest(monkeypatch, workers, enough):
    monkeypatch.setenv("WAFD_DATABASE_CONNECTIONS", "10")
    monkeypatch.setenv("WAFD_MAIL_WORKERS", workers)

    if enough:
        assert service().timer_workers == 6
        return
    with pytest.raises(UsageError, match="must be at least WAFD_MAIL_WORKERS \\+ 4 = 11") as caught:
        service()
    assert str(caught.value).startswith("WAFD_DATABASE_CONNECTIONS is 10 but")
