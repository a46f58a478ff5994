"""Notices from event to mail server, with a real database and a real SMTP server."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import pytest

from embedded.children import free_port
from runtime.timers import Timers
from runtime.transaction import Transactions
from schemas.event import Event, read_event
from services.notifications import store
from services.notifications.delivery import Retries
from services.notifications.handlers import Desk, sending, telling
from services.notifications.mail import Post, Sender, post
from services.notifications.watch import probe
from tests.conftest import OpenTransactions
from tests.unit.notifications.events import (
    ALI,
    CLOSING,
    NOORA,
    NOW,
    OFFICE,
    REFERRAL,
    VISIT,
    WELCOME,
    YUSUF,
    cancelled,
    declined,
    event,
    proposed,
    released,
    revised,
    submitted,
)
from tests.unit.notifications.mail_server import MailServer, mail_server


@dataclass
class Notifications:
    """The service without its process: a clock to set, timers to fire."""

    transactions: Transactions
    server: MailServer
    desk: Desk
    now: datetime = field(default=NOW)

    async def told(self, told: Event[Any]) -> None:
        async with self.transactions(told.correlationid, told.id) as tx:
            await telling(self.desk)(tx, told)

    async def sent(self, later: timedelta = timedelta()) -> int:
        """Fire the timers that are due after ``later``; returns how many there were."""
        self.now += later
        timers = Timers(self.transactions, {"send": sending(self.desk)})
        fired = 0
        while await timers.fire_one():
            fired += 1
        return fired

    async def rows(self) -> list[dict[str, Any]]:
        query = "SELECT * FROM notice ORDER BY created_at, id"
        return [dict(row) for row in await self.transactions.pool.fetch(query)]

    async def events(self) -> list[Event[Any]]:
        rows = await self.transactions.pool.fetch("SELECT type, payload FROM outbox ORDER BY seq")
        return [read_event(row["type"], row["payload"]) for row in rows]


@pytest.fixture
async def notifications(transactions: OpenTransactions) -> AsyncIterator[Notifications]:
    with mail_server() as (server, port):
        desk = Desk(
            office=OFFICE,
            sender=Sender("visits@centre.example", "Centre", OFFICE.address, "centre.example"),
            post=post(f"smtp://127.0.0.1:{port}", "offered"),
            retries=Retries(attempts=3, first=timedelta(minutes=1)),
        )
        opened = Notifications(await transactions("notifications"), server, desk)
        opened.transactions.now = lambda: opened.now
        yield opened


def _recipients(server: MailServer) -> list[str]:
    return sorted(server.recipients)


async def test_each_recipient_of_an_event_gets_one_mail_and_the_delivery_is_told(notifications):
    await notifications.told(event(submitted()))
    await notifications.sent()

    assert _recipients(notifications.server) == [
        "mariam@mofa.example",
        "protocol@centre.example",
        "thomas@mission.example",
    ]
    assert {row["state"] for row in await notifications.rows()} == {"delivered"}
    delivered = await notifications.events()
    assert [each.type for each in delivered] == ["notifications.notice.delivered.v1"] * 3
    assert {each.subject for each in delivered} == {str(VISIT)}
    assert {each.causationid for each in delivered} == {event(submitted()).id}
    assert {each.data.people.address for each in delivered} == set(notifications.server.recipients)


async def test_an_event_told_twice_makes_one_mail_a_recipient(notifications):
    await notifications.told(event(submitted()))
    await notifications.sent()
    await notifications.told(event(submitted()))
    await notifications.sent()

    assert len(notifications.server.taken) == 3
    assert len(await notifications.rows()) == 3


async def test_two_events_of_one_type_are_two_causes(notifications):
    await notifications.told(event(declined(), 1))
    await notifications.told(event(declined(), 2))
    await notifications.sent()

    assert len(notifications.server.taken) == 4


async def test_a_person_without_address_is_reported_and_not_written_to(notifications):
    await notifications.told(event(proposed((CLOSING,), (YUSUF, ALI))))
    await notifications.sent()

    (suppressed, *_) = await notifications.events()
    assert suppressed.type == "notifications.notice.suppressed.v1"
    assert suppressed.data.person == "p-021"
    assert "no e-mail address" in suppressed.data.reason
    assert [row["state"] for row in await notifications.rows() if row["person"] == "p-021"] == ["suppressed"]


async def test_a_notice_put_off_is_sent_later_as_the_same_message(notifications):
    notifications.server.to_recipient = ["451 4.7.1 Come back"]
    await notifications.told(event(proposed((WELCOME,), (NOORA,))))
    await notifications.sent()
    waiting = [row for row in await notifications.rows() if row["state"] == "waiting"]
    assert [(row["attempts"], row["last_error"]) for row in waiting] == [
        (1, "the mail server put off the recipient: 451 4.7.1")
    ]

    assert await notifications.sent(timedelta(seconds=59)) == 0
    assert await notifications.sent(timedelta(seconds=16)) == 1

    ids = [message["Message-ID"] for message in notifications.server.taken]
    assert f"<{waiting[0]['id']}@centre.example>" in ids
    assert len(ids) == len(set(ids)) == 3
    (last,) = [e for e in await notifications.events() if e.data.notice == waiting[0]["id"]]
    assert (last.type, last.data.attempts) == ("notifications.notice.delivered.v1", 2)


async def test_a_refused_recipient_fails_at_once_and_harms_no_other(notifications):
    notifications.server.to_recipient = ["550 5.1.1 <x@mofa.example> unknown"]
    await notifications.told(event(declined()))
    await notifications.sent()

    failed = [e for e in await notifications.events() if e.type == "notifications.notice.failed.v1"]
    assert [(e.data.attempts, e.data.reason) for e in failed] == [
        (1, "the mail server refused the recipient: 550 5.1.1")
    ]
    assert len(notifications.server.taken) == 1
    assert await notifications.sent(timedelta(days=3)) == 0


async def test_a_server_that_stays_away_is_asked_as_often_as_set_and_no_more(notifications):
    way = replace(notifications.desk.post, port=free_port())
    notifications.desk = replace(notifications.desk, post=way)
    await notifications.told(event(declined()))

    fired = [await notifications.sent(timedelta(hours=hours)) for hours in range(5)]

    assert fired == [2, 2, 2, 0, 0]
    assert {(row["state"], row["attempts"]) for row in await notifications.rows()} == {("failed", 3)}
    assert [e.type for e in await notifications.events()] == ["notifications.notice.failed.v1"] * 2


async def test_a_server_that_is_away_is_known_by_the_first_notice_until_it_is_back(notifications):
    here = notifications.desk.post
    watch = notifications.desk.watch
    notifications.desk = replace(notifications.desk, post=replace(here, port=free_port()))
    await notifications.told(event(declined()))
    await notifications.sent()
    assert watch.trouble is not None
    assert watch.trouble.startswith(f"mail cannot be sent since {NOW:%Y-%m-%d %H:%M:%SZ}: the mail server")
    assert "cannot be reached" in watch.trouble

    await probe(notifications.desk, NOW + timedelta(hours=1))
    assert watch.since == NOW, "it is still the same failure"
    async with notifications.transactions() as tx:
        assert await store.first_failure(tx.connection) == NOW, "and a new process knows since when"

    notifications.desk = replace(notifications.desk, post=here)
    await probe(notifications.desk, NOW + timedelta(hours=2))
    assert watch.trouble is None
    assert notifications.server.taken == [], "asking sends nothing"


@pytest.mark.parametrize("answer", ["451 4.7.1 Come back", "550 5.1.1 Unknown"])
async def test_a_server_that_does_its_work_is_not_blamed_for_a_recipient(notifications, answer):
    notifications.server.to_recipient = [answer] * 2
    await notifications.told(event(declined()))
    await notifications.sent()
    assert notifications.desk.watch.trouble is None


async def test_a_server_that_refuses_the_centre_is_known_as_such(notifications):
    notifications.server.to_sender = ["550 5.7.1 Not you"]
    await probe(notifications.desk, NOW)
    assert notifications.desk.watch.reason == "the mail server refused the Centre: 550 5.7.1"


async def test_notices_are_counted_by_what_became_of_them(notifications):
    notifications.server.to_recipient = ["550 5.1.1 Unknown", "451 4.7.1 Come back"]
    await notifications.told(event(submitted()))
    await notifications.sent()
    await notifications.told(event(proposed((CLOSING,), (ALI,)), 2))
    async with notifications.transactions() as tx:
        found = await store.figures(tx.connection, NOW + timedelta(minutes=5))
    assert found == store.Figures(waiting=3, oldest_seconds=300, delivered=1, failed=1, suppressed=2)
    watch = notifications.desk.watch
    watch.figures = found
    metrics = {sample.name: sample.value for metric in watch.collect() for sample in metric.samples}
    assert metrics == {
        "wafd_mail_server_usable": 1,
        "wafd_notices_waiting": 3,
        "wafd_notices_oldest_waiting_seconds": 300,
        "wafd_notices_sent_total": 1,
        "wafd_notices_failed_total": 1,
        "wafd_notices_suppressed_total": 2,
    }


class Broken(Post):
    """A way to the mail server with a fault in its program."""

    async def deliver(self, message: EmailMessage, address: str) -> None:
        raise KeyError(message["To"], address)


async def test_a_failure_that_nobody_foresaw_is_tried_as_often_as_set_and_then_told(notifications):
    notifications.desk = replace(
        notifications.desk, post=Broken("127.0.0.1", 25, tls=False, start_tls="never")
    )
    await notifications.told(event(declined()))

    fired = [await notifications.sent(timedelta(hours=hours)) for hours in range(5)]

    assert fired == [2, 2, 2, 0, 0]
    failed = await notifications.events()
    assert [(e.type, e.data.attempts, e.data.reason) for e in failed] == [
        ("notifications.notice.failed.v1", 3, "sending failed unexpectedly: KeyError")
    ] * 2


async def test_a_message_that_was_taken_before_a_crash_is_recognisable_when_it_is_sent_again(notifications):
    await notifications.told(event(proposed((WELCOME,), (NOORA,))))
    notice = next(row["id"] for row in await notifications.rows() if row["person"] == "p-001")

    with pytest.raises(RuntimeError):
        await _send_and_die(notifications, str(notice))
    await notifications.sent()

    ids = [m["Message-ID"] for m in notifications.server.taken if m["To"].addresses[0].username == "noora"]
    assert ids == [f"<{notice}@centre.example>"] * 2


async def _send_and_die(notifications: Notifications, notice: str) -> None:
    async with notifications.transactions() as tx:
        await sending(notifications.desk)(tx, notice)
        raise RuntimeError("the process dies before the commit")


async def test_a_notice_that_was_sent_is_not_sent_by_a_late_timer(notifications):
    await notifications.told(event(declined()))
    await notifications.sent()
    async with notifications.transactions() as tx:
        for row in await notifications.rows():
            await sending(notifications.desk)(tx, str(row["id"]))

    assert len(notifications.server.taken) == 2


def _calendar_methods(server: MailServer, user: str) -> list[list[tuple[str, str]]]:
    """For each message to ``user``, its calendar parts as (file or session, method)."""
    return [
        [
            (_session(part.get_content()), part["Content-Type"].params["method"])
            for part in message.walk()
            if part.get_content_type() == "text/calendar"
        ]
        for message in server.taken
        if message["To"].addresses[0].username == user
    ]


def _session(ics: str) -> str:
    uid = next(line for line in ics.splitlines() if line.startswith("UID:"))
    return uid.removeprefix("UID:").split(".")[0]


async def test_a_person_hears_of_their_sessions_through_the_life_of_a_programme(notifications):
    without = REFERRAL.model_copy(update={"assignments": REFERRAL.assignments[:1]})
    life: list[Callable[[], Any]] = [
        proposed,
        released,
        lambda: revised((WELCOME, without, CLOSING), changed=("referral",), affected=("p-001",)),
        lambda: cancelled((WELCOME, without, CLOSING), release=2),
    ]
    for number, data in enumerate(life):
        await notifications.told(event(data(), number))
        await notifications.sent()

    assert _calendar_methods(notifications.server, "noora") == [
        [("welcome", "REQUEST"), ("referral", "REQUEST")],
        [("welcome", "REQUEST"), ("referral", "REQUEST")],
        [("referral", "CANCEL")],
        [("welcome", "CANCEL")],
    ]


async def test_personal_data_can_be_erased_from_a_settled_notice(notifications):
    await notifications.told(event(declined()))
    await notifications.sent()

    await notifications.transactions.pool.execute(
        "UPDATE notice SET recipient = id::text, address = NULL, name = NULL, subject = NULL, "
        "body_text = NULL, body_html = NULL, invitations = NULL"
    )

    assert "mofa.example" not in str(await notifications.rows())
    assert all(isinstance(row["cause"], UUID) for row in await notifications.rows())
