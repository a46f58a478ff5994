"""Mail headers: what a ministry writes stays inside the header it was written for, and is readable there."""

import email
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from email.policy import default
from email.utils import parseaddr
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifications.mail import Mail, Refused, Sender, compose, post
from services.notifications.notice import CENTRE
from services.notifications.render import Letter, one_line
from tests.unit.notifications.mail_server import mail_server

SENDER = Sender("visits@centre.example", CENTRE.ar, "desk@centre.example", "c.example")
INJECTION = "=?utf-8?q?x=22_=3Cv=40victim.example=3E=0D=0ASubject=3A_Urgent=0D=0A=0D=0Aforged?="
NAMES = {
    "From", "To", "Reply-To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Language",
    "MIME-Version", "Content-Type",
}  # fmt: skip


def mail(name: str = "Noor", subject: str = "V-1", address: str = "noor@ministry.example") -> Mail:
    letter = Letter(subject=subject, text="Body.\n", html="<p>Body.</p>")
    return Mail(UUID(int=1), address, name, "en", letter, ())


def received(sent: Mail) -> Message:
    """The message as a reader decodes it; the newer parser of the library puts spaces into names."""
    return email.message_from_bytes(compose(sent, SENDER, datetime(2026, 1, 5, tzinfo=UTC)).as_bytes())


def decoded(header: str) -> str:
    return str(make_header(decode_header(header)))


def mailbox(header: str) -> tuple[str, str]:
    name, address = parseaddr(header)
    return decoded(name), address


@pytest.mark.parametrize("where", ["name", "subject"])
def test_an_encoded_word_adds_no_header_and_no_body(where: str) -> None:
    message = received(mail(**{where: INJECTION}))
    assert set(message.keys()) == NAMES
    assert [part.get_content_type() for part in message.walk()][1:] == ["text/plain", "text/html"]


@pytest.mark.parametrize(
    "address",
    [
        "=?utf-8?q?x=0D=0ABcc=3A_b=40evil.example?=@y.example",
        '"a, b"@y.example',
        "a@y.example\r\nBcc: b@z.example",
    ],
)
def test_an_address_that_is_more_than_an_address_is_refused(address: str) -> None:
    with pytest.raises(Refused):
        compose(mail(address=address), SENDER, datetime(2026, 1, 5, tzinfo=UTC))


async def as_it_arrives(sent: Mail) -> bytes:
    """The bytes that a mail server gets."""
    with mail_server() as (server, port):
        way = post(f"smtp://127.0.0.1:{port}", "offered")
        await way.deliver(compose(sent, SENDER, datetime(2026, 1, 5, tzinfo=UTC)), sent.address)
    (raw,) = server.as_sent
    return raw


async def test_the_name_of_the_centre_arrives_with_its_spaces() -> None:
    raw = await as_it_arrives(mail(subject=CENTRE.ar))
    legacy = email.message_from_bytes(raw)
    assert mailbox(legacy["From"]) == (CENTRE.ar, SENDER.address)
    assert mailbox(legacy["Reply-To"]) == (CENTRE.ar, SENDER.replies)
    assert decoded(legacy["Subject"]) == CENTRE.ar
    modern = email.message_from_bytes(raw, policy=default)
    assert isinstance(modern, EmailMessage)
    for name in ("From", "Reply-To"):
        shown = modern[name].addresses[0].display_name
        # This parser keeps what is between the encoded words of a name, so a space there is shown twice.
        assert " ".join(shown.split()) == CENTRE.ar
    assert modern["Subject"] == CENTRE.ar
    assert all(len(line) <= 78 for line in raw.partition(b"\r\n\r\n")[0].split(b"\r\n"))
    assert raw.isascii(), "a server that takes seven bits only gets the same"


async def test_the_name_of_the_centre_arrives_with_its_spaces_at_an_address_beyond_ascii() -> None:
    raw = await as_it_arrives(mail(address="نورة@ministry.example"))
    modern = email.message_from_string(raw.decode(), policy=default)
    assert modern["From"].addresses[0].display_name == CENTRE.ar


@given(
    st.text(
        st.sampled_from("ابتثج حخدذ رزسش صضطظ عغفق كلمن هوي abc, .;:'\"()<>@=?-"), min_size=1, max_size=120
    )
)
def test_names_and_subjects_arrive_as_they_were_written(text: str) -> None:
    message = received(mail(name=text, subject=text))
    assert set(message.keys()) == NAMES
    assert decoded(message["Subject"]) == one_line(text)
    assert mailbox(message["To"]) == (one_line(text), "noor@ministry.example")


@given(st.lists(st.text("ابتثجحخدذرزسش", min_size=1, max_size=15), min_size=1, max_size=30))
def test_no_word_of_a_name_is_cut(words: list[str]) -> None:
    sent = compose(mail(name=" ".join(words)), SENDER, datetime(2026, 1, 5, tzinfo=UTC)).as_bytes()
    modern = email.message_from_bytes(sent, policy=default)
    assert modern["To"].addresses[0].display_name.split() == words
