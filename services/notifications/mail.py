"""E-mail: one notice as a MIME message, and its hand-over to the mail server."""

import asyncio
import re
import ssl
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTPUTF8, EmailPolicy
from typing import Any, Literal
from urllib.parse import unquote, urlsplit
from uuid import UUID

import aiosmtplib

from schemas.terms import NoticeLanguage
from services.notifications.invitation import Invitation
from services.notifications.render import Letter, one_line

StartTls = Literal["required", "offered", "never"]

_FAREWELL_SECONDS = 1


class Refused(Exception):
    """The message cannot be delivered to this recipient, now or later."""


class Delayed(Exception):
    """The message was not delivered this time; later it may be."""


class Unusable(Delayed):
    """The mail server takes no message at all: it is away, refuses the Centre, or lacks what is required."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Whom messages come from, who reads the answers, and the domain of their ids."""

    address: str
    name: str
    replies: str
    domain: str


@dataclass(frozen=True, slots=True)
class Mail:
    """A message to one recipient, as it was rendered when its cause happened."""

    notice: UUID
    address: str
    name: str | None
    language: NoticeLanguage
    letter: Letter
    invitations: tuple[Invitation, ...]


def compose(mail: Mail, sender: Sender, date: datetime) -> EmailMessage:
    """Build the message; the same notice always has the same Message-ID.

    A single invitation is an alternative of the text, which mail clients show with buttons to
    answer; several are parts of their own, since clients read one object a message and only the
    first event of an object. Raises `Refused` when the address fits in no header.
    """
    message = EmailMessage(policy=_WORDS if mail.address.isascii() else SMTPUTF8)
    message["From"] = _address(sender.name, sender.address)
    message["To"] = _address(mail.name or "", mail.address)
    message["Reply-To"] = _address(sender.name, sender.replies)
    message["Subject"] = one_line(mail.letter.subject)
    message["Date"] = date
    message["Message-ID"] = f"<{mail.notice}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.letter.text, charset="utf-8")
    message.add_alternative(mail.letter.html, subtype="html", charset="utf-8")
    _add_invitations(message, mail.invitations)
    message["Content-Language"] = mail.language  # last, or it moves into the first part
    _check_headers(message)
    return message


class _Words(EmailPolicy):
    """Folds headers beyond ASCII as encoded words; the library's own folding drops spaces between them."""

    def fold(self, name: str, value: Any) -> str:
        """Write one header with its line end."""
        if str(value).isascii():
            return str(super().fold(name, value))
        if hasattr(value, "addresses"):
            words = [_encoded(each.display_name, name) + f" <{each.addr_spec}>" for each in value.addresses]
            return f"{name}: {', '.join(words)}{self.linesep}"
        return f"{name}: {_encoded(str(value), name)}{self.linesep}"

    def fold_binary(self, name: str, value: Any) -> bytes:
        """Write one header with its line end, as bytes."""
        return self.fold(name, value).encode("ascii", "surrogateescape")


_WORDS = _Words(linesep="\r\n", cte_type="7bit")
_LINE = 76
"""Characters of a header line that holds encoded words (RFC 2047, 2)."""


def _encoded(text: str, header: str) -> str:
    """Write a text beyond ASCII as encoded words (RFC 2047), a word of the text whole wherever it fits.

    The space between two words stands inside the first: a reader drops what is between encoded words.
    """
    if text.isascii():
        return text
    return "\r\n ".join(
        f"=?utf-8?b?{b64encode(part.encode()).decode()}?=" for part in _pieces(text, len(header) + 2)
    )


def _pieces(text: str, taken: int) -> Iterator[str]:
    """Cut a text into what fits on a line each; ``taken`` characters of the first one are used."""
    piece = ""
    for word in re.findall(r"\S*\s*", text):
        for part in (word,) if _fits(word, 1) else word:  # a word longer than a line is cut anywhere
            if piece and not _fits(piece + part, taken):
                yield piece
                piece, taken = "", 1
            piece += part
    yield piece


def _fits(piece: str, taken: int) -> bool:
    return len(piece.encode()) <= (_LINE - taken - len("=?utf-8?b??=")) // 4 * 3


def _check_headers(message: EmailMessage) -> None:
    """Read the message back: what somebody wrote must not have become a header of its own."""
    head = _written(message).partition(b"\r\n\r\n")[0]
    names = [line.partition(b":")[0] for line in head.split(b"\r\n") if line[:1] not in b" \t"]
    if sorted(name.decode("ascii", "replace") for name in names) != sorted(message.keys()):
        raise Refused("the message would have other headers than it was given")


def _written(message: EmailMessage) -> bytes:
    """Write the message out, without the marks that writing leaves in it."""
    return deepcopy(message).as_bytes()


def _address(name: str, address: str) -> Address:
    # Given in two parts: `addr_spec` takes no local part beyond ASCII.
    local, at, domain = address.rpartition("@")
    if not (local and at and domain) or one_line(address) != address or any(c in address for c in '"<>,;\\'):
        raise Refused("the address is none that a mail header can hold")
    return Address(one_line(name), local, domain)


def _add_invitations(message: EmailMessage, invitations: tuple[Invitation, ...]) -> None:
    if len(invitations) == 1:
        single = invitations[0]
        message.add_alternative(
            single.ics, subtype="calendar", charset="utf-8", params={"method": single.method}
        )
        return
    for each in invitations:
        message.add_attachment(
            each.ics,
            subtype="calendar",
            charset="utf-8",
            filename=each.filename,
            params={"method": each.method, "name": each.filename},
        )


@dataclass(frozen=True, slots=True)
class Post:
    """The way to the mail server: one connection a message, closed after it.

    A delivery may take ``seconds`` in all, since a worker and its database connection wait for it;
    ``connect_seconds`` of them until the server is ready. The server's answer to the message may take
    all that is left: whoever does not wait for it sends the message twice.
    """

    host: str
    port: int
    tls: bool
    start_tls: StartTls
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    connect_seconds: float = 10
    seconds: float = 30
    context: ssl.SSLContext | None = None

    async def deliver(self, message: EmailMessage, address: str) -> None:
        """Hand ``message`` over; returns when the server has taken it.

        Raises `Refused` when the server rejects the recipient or the message for good, `Delayed`
        when it says later, and `Unusable` when it cannot be reached or rejects the Centre itself (a
        wrong setting must not lose notices). The reasons name no person.
        """
        client = self._client()
        # Written here and checked as written: the client's own way folds headers by the library's policy,
        # which drops spaces.
        options = [] if address.isascii() else ["SMTPUTF8", "BODY=8BITMIME"]
        try:
            with _of_the_server():
                async with asyncio.timeout(self.seconds):
                    async with asyncio.timeout(self.connect_seconds):
                        await client.connect()
                    await self._send(client, message, address, options)
        finally:
            await _leave(client)

    async def check(self, sender: str) -> None:
        """Ask the server whether it would take a message from ``sender``; sends none. Raises `Unusable`."""
        client = self._client()
        try:
            with _of_the_server():
                async with asyncio.timeout(self.connect_seconds):
                    await client.connect()
                    await client.mail(sender)
        finally:
            await _leave(client)

    async def _send(
        self, client: aiosmtplib.SMTP, message: EmailMessage, address: str, options: list[str]
    ) -> None:
        sender = message["From"].addresses[0].addr_spec
        try:
            await client.sendmail(sender, [address], _written(message), mail_options=options)
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _answer("the recipient", *_reply(error.recipients[0])) from error
        except aiosmtplib.SMTPDataError as error:
            raise _answer("the message", *_reply(error)) from error
        except aiosmtplib.SMTPNotSupported as error:
            if address.isascii():
                raise
            raise Refused("the mail server takes no addresses beyond ASCII") from error

    def _client(self) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            username=self.user,
            password=self.password,
            use_tls=self.tls,
            start_tls={"required": True, "offered": None, "never": False}[self.start_tls],
            timeout=self.seconds,
            tls_context=self.context,
        )


def post(url: str, start_tls: StartTls) -> Post:
    """Read ``smtp://[user:password@]host[:port]`` or ``smtps://…``.

    Raises `ValueError` when it is neither, or when the password would travel in the clear.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise ValueError("write smtp://host:port or smtps://host:port, with user:password@ if needed")
    tls = parts.scheme == "smtps"
    if parts.username and not tls and start_tls != "required":
        raise ValueError(
            "a password needs smtps:// or WAFD_SMTP_STARTTLS=required, or it travels in the clear"
        )
    return Post(
        host=parts.hostname,
        port=parts.port or (465 if tls else 25),
        tls=tls,
        start_tls="never" if tls else start_tls,
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


@contextmanager
def _of_the_server() -> Iterator[None]:
    """Tell a failure of the server as such from one that concerns a message."""
    try:
        yield
    except aiosmtplib.SMTPResponseException as error:
        raise Unusable(f"the mail server refused the Centre: {_code(*_reply(error))}") from error
    except OSError as error:
        raise Unusable(f"the mail server cannot be reached: {type(error).__name__}") from error
    except aiosmtplib.SMTPException as error:
        raise Unusable("the mail server lacks what the settings require") from error


async def _leave(client: aiosmtplib.SMTP) -> None:
    """Say good-bye; what goes wrong now changes nothing about the message."""
    with suppress(aiosmtplib.SMTPException, OSError):
        async with asyncio.timeout(_FAREWELL_SECONDS):
            await client.quit()
    client.close()


def _reply(error: aiosmtplib.SMTPResponseException) -> tuple[int, str]:
    return error.code, error.message


def _code(code: int, text: str) -> str:
    """The codes alone: a server's words often repeat the address."""
    enhanced = re.match(r"[245]\.\d{1,3}\.\d{1,3}\b", text)
    return f"{code} {enhanced.group()}" if enhanced else str(code)


def _answer(what: str, code: int, text: str) -> Refused | Delayed:
    if 500 <= code < 600:  # noqa: PLR2004 -- RFC 5321, 4.2.1
        return Refused(f"the mail server refused {what}: {_code(code, text)}")
    return Delayed(f"the mail server put off {what}: {_code(code, text)}")
