"""When a notice is tried again."""

from datetime import timedelta
from uuid import UUID

import pytest

from services.notifications.delivery import Retries
from tests.unit.notifications.events import NOW

PLAIN = UUID("01990a6e-3c00-7000-8000-000000000000")
LATE = UUID("01990a6e-3c00-7000-8000-00000000ffff")


def _wait(notice: UUID, attempts: int) -> timedelta:
    until = Retries().next_attempt(notice, attempts, NOW)
    assert until is not None
    return until - NOW


def test_the_wait_doubles_from_attempt_to_attempt():
    waits = [_wait(PLAIN, attempts) for attempts in (1, 2, 3)]

    assert waits == [timedelta(seconds=90), timedelta(seconds=180), timedelta(seconds=360)]


def test_notices_that_fail_together_come_back_spread_over_a_quarter_of_the_wait():
    assert _wait(LATE, 1) == timedelta(seconds=90 * 1.25)
    assert _wait(LATE, 1) == _wait(LATE, 1)


def test_twelve_attempts_take_about_two_days():
    total = sum((_wait(PLAIN, attempts) for attempts in range(1, 12)), timedelta())

    assert timedelta(days=2) < total < timedelta(days=2.5)


@pytest.mark.parametrize(("attempts", "more"), [(11, True), (12, False), (13, False)])
def test_the_last_attempt_is_the_last(attempts, more):
    assert (Retries().next_attempt(PLAIN, attempts, NOW) is not None) == more
