"""Mail headers: what a ministry writes stays inside the header it was written for, and is readable there."""

import email
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parseaddr
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifications.mail import Mail, Refused, Sender, compose
from services.notifications.render import Letter, one_line

SENDER = Sender(
    "visits@centre.example", "المركز الإقليمي للتدريب وبناء القدرات", "desk@centre.example", "c.example"
)
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


def test_the_name_of_the_centre_keeps_its_spaces() -> None:
    assert mailbox(received(mail())["From"]) == (SENDER.name, SENDER.address)


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
