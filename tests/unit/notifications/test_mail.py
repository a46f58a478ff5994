"""Messages as a mail client reads them, and their hand-over to a real SMTP server."""

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest
from icalendar import Calendar

from embedded.children import free_port
from services.notifications.domain import notices_of
from services.notifications.invitation import Invitation, Organiser, invitation
from services.notifications.mail import Delayed, Mail, Post, Refused, Sender, compose, post
from services.notifications.render import Letter, letter
from tests.unit.notifications.events import NOW, OFFICE, VISIT, cancelled, event, proposed
from tests.unit.notifications.mail_server import MailServer, mail_server

SENDER = Sender("visits@centre.example", "المركز الإقليمي", "protocol@centre.example", "centre.example")
LETTER = Letter("Your visit – V-2026-000017", "Good day\n", "<p>Good day</p>")


def _mail(
    address: str = "noora@centre.example",
    *,
    name: str | None = "نورة آل خليفة",
    letter: Letter = LETTER,
    invitations: tuple[Invitation, ...] = (),
) -> Mail:
    return Mail(VISIT, address, name, "ar", letter, invitations)


def _read(message: EmailMessage) -> EmailMessage:
    return message_from_bytes(message.as_bytes(), policy=default)


def _told(person: str, data) -> Mail:
    notice = next(n for n in notices_of(event(data), OFFICE, {}) if n.recipient.person == person)
    invitations = tuple(
        invitation(
            entry,
            notice.recipient,
            visit=str(VISIT),
            reference="V-2026-000017",
            description="…",
            organiser=Organiser(OFFICE, "centre.example"),
            stamp=NOW,
        )
        for entry in notice.entries
    )
    return _mail(letter=letter(notice, data), invitations=invitations)


def test_a_message_has_the_headers_that_mail_systems_need():
    message = _read(compose(_mail(), SENDER, NOW))

    assert message["Message-ID"] == f"<{VISIT}@centre.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == "ar"
    assert message["Date"].datetime == NOW
    assert message["Subject"] == "Your visit – V-2026-000017"
    assert message["From"].addresses[0].display_name == "المركز الإقليمي"
    assert message["Reply-To"].addresses[0].addr_spec == "protocol@centre.example"
    assert message["To"].addresses[0].addr_spec == "noora@centre.example"
    assert message["To"].addresses[0].display_name == "نورة آل خليفة"


def test_the_same_notice_is_the_same_message_to_the_letter_but_for_its_boundaries():
    assert compose(_mail(), SENDER, NOW).items()[:-1] == compose(_mail(), SENDER, NOW).items()[:-1]


def test_a_message_without_invitations_offers_text_and_page():
    message = _read(compose(_mail(), SENDER, NOW))

    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


def test_a_single_invitation_is_an_alternative_with_its_method():
    message = _read(compose(_told("p-021", cancelled()), SENDER, NOW))

    *_, calendar = message.iter_parts()
    assert message.get_content_type() == "multipart/alternative"
    assert calendar.get_content_type() == "text/calendar"
    assert calendar["Content-Type"].params == {"charset": "utf-8", "method": "CANCEL"}
    assert calendar["Content-Disposition"] is None
    assert Calendar.from_ical(calendar.get_content())["METHOD"] == "CANCEL"


def test_several_invitations_are_parts_of_their_own_that_survive_the_journey():
    mail = _told("p-001", proposed())

    message = _read(compose(mail, SENDER, NOW))

    body, *calendars = message.iter_parts()
    assert message.get_content_type() == "multipart/mixed"
    assert [part.get_content_type() for part in body.iter_parts()] == ["text/plain", "text/html"]
    assert [part.get_filename() for part in calendars] == ["welcome.ics", "referral.ics"]
    assert [part["Content-Type"].params["method"] for part in calendars] == ["REQUEST", "REQUEST"]
    sent = [Calendar.from_ical(each.ics) for each in mail.invitations]
    assert [Calendar.from_ical(part.get_content()) for part in calendars] == sent


def test_a_line_break_in_a_name_or_subject_adds_no_header():
    broken = Letter("Visit\r\nBcc: all@evil.example", "…", "…")

    message = _read(compose(_mail(name="Eve\r\nBcc: all@evil.example", letter=broken), SENDER, NOW))

    assert message["Bcc"] is None
    assert message["To"].addresses[0].addr_spec == "noora@centre.example"
    assert len(message["To"].addresses) == 1


@pytest.mark.parametrize("address", ["a@b.example\r\nBcc: x@evil.example", "a b@c.example\n", "", "@"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(Refused):
        compose(_mail(address=address), SENDER, NOW)


@pytest.fixture
def server() -> Iterator[tuple[MailServer, Post]]:
    with mail_server() as (handler, port):
        yield handler, post(f"smtp://127.0.0.1:{port}", "offered")


async def _deliver(way: Post, mail: Mail) -> None:
    await way.deliver(compose(mail, SENDER, NOW), mail.address)


async def test_a_message_arrives_whole(server):
    handler, way = server
    mail = _told("p-001", proposed())

    await _deliver(way, mail)

    (message,) = handler.taken
    assert handler.recipients == ["noora@centre.example"]
    assert message["Message-ID"] == f"<{VISIT}@centre.example>"
    body = message.get_body(("plain",))
    assert body is not None
    assert body.get_content().splitlines() == mail.letter.text.splitlines()


async def test_a_recipient_put_off_is_tried_again_and_then_served(server):
    handler, way = server
    handler.to_recipient = ["451 4.7.1 Greylisted, come back"]

    with pytest.raises(Delayed, match=r"put off the recipient: 451 4\.7\.1$"):
        await _deliver(way, _mail())
    await _deliver(way, _mail())

    assert len(handler.taken) == 1


async def test_an_unknown_recipient_is_refused_without_repeating_the_address(server):
    handler, way = server
    handler.to_recipient = ["550 5.1.1 <noora@centre.example>: user unknown"]

    with pytest.raises(Refused, match=r"refused the recipient: 550 5\.1\.1$"):
        await _deliver(way, _mail())


@pytest.mark.parametrize(("answer", "error"), [("554 5.7.1 Spam", Refused), ("452 4.3.1 Full", Delayed)])
async def test_a_message_is_refused_or_put_off_by_the_first_digit_of_the_answer(server, answer, error):
    handler, way = server
    handler.to_message = [answer]

    with pytest.raises(error, match=answer[:9]):
        await _deliver(way, _mail())


async def test_a_server_that_refuses_the_centre_itself_loses_no_notice(server):
    handler, way = server
    handler.to_sender = ["550 5.7.1 You may not send here"]

    with pytest.raises(Delayed, match=r"refused the Centre: 550 5\.7\.1"):
        await _deliver(way, _mail())


async def test_a_server_that_took_the_message_and_does_not_part_has_taken_it(server):
    handler, way = server
    handler.seconds_to_part = 60

    async with asyncio.timeout(30):
        await _deliver(way, _mail())

    assert len(handler.taken) == 1


async def test_a_server_that_is_down_delays_the_message():
    with pytest.raises(Delayed, match="cannot be reached"):
        await _deliver(post(f"smtp://127.0.0.1:{free_port()}", "offered"), _mail())


async def test_a_server_that_never_answers_delays_the_message():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        way = Post("127.0.0.1", silent.getsockname()[1], tls=False, start_tls="offered", seconds=0.2)

        with pytest.raises(Delayed, match="cannot be reached"):
            await _deliver(way, _mail())


@pytest.mark.parametrize(("connect_seconds", "seconds"), [(0.2, 30), (10, 0.2)])
async def test_neither_the_connection_nor_the_whole_delivery_is_waited_for_longer_than_set(
    connect_seconds, seconds
):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        way = Post("127.0.0.1", silent.getsockname()[1], tls=False, start_tls="offered")
        way = replace(way, connect_seconds=connect_seconds, seconds=seconds)

        async with asyncio.timeout(9):
            with pytest.raises(Delayed, match="cannot be reached"):
                await _deliver(way, _mail())


async def test_a_server_that_takes_its_time_over_a_message_is_waited_for(server):
    handler, way = server
    handler.seconds_to_answer = 3

    await _deliver(replace(way, connect_seconds=2.5), _mail())

    assert len(handler.taken) == 1


async def test_required_starttls_that_is_not_offered_sends_nothing(server):
    handler, way = server

    with pytest.raises(Delayed, match="lacks what the settings require"):
        await _deliver(post(f"smtp://127.0.0.1:{way.port}", "required"), _mail())
    assert handler.taken == []


async def test_an_address_beyond_ascii_reaches_a_server_that_takes_such(server):
    handler, way = server

    await _deliver(way, _mail("نورة@centre.example"))

    assert handler.recipients == ["نورة@centre.example"]


def test_the_servers_address_is_read_with_its_secrets_and_default_port():
    way = post("smtps://user%40centre:p%3Aw@mail.example", "offered")

    assert (way.host, way.port, way.tls, way.start_tls) == ("mail.example", 465, True, "never")
    assert (way.user, way.password) == ("user@centre", "p:w")
    assert "p:w" not in repr(way)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mail.example:25", "smtp://host:port"),
        ("https://mail.example", "smtp://host:port"),
        ("smtp://user:secret@mail.example", "travels in the clear"),
    ],
)
def test_a_wrong_or_unsafe_server_address_is_explained(url, message):
    with pytest.raises(ValueError, match=message) as caught:
        post(url, "offered")
    assert "secret" not in str(caught.value)
