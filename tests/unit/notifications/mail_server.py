"""A real SMTP server for the tests, which answers what a test says."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from aiosmtpd.controller import Controller

from embedded.children import free_port


class MailServer:
    """Answers what a test says, and keeps what it takes."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.as_sent: list[bytes] = []
        self.recipients: list[str] = []
        self.to_sender: list[str] = []
        self.to_recipient: list[str] = []
        self.to_message: list[str] = []
        self.seconds_to_answer = 0.0
        self.seconds_to_part = 0.0

    async def handle_MAIL(self, _server, _session, envelope, address, _options):  # noqa: N802 -- aiosmtpd's name
        if self.to_sender:
            return self.to_sender.pop(0)
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802
        if self.to_recipient:
            return self.to_recipient.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802
        await asyncio.sleep(self.seconds_to_answer)
        if self.to_message:
            return self.to_message.pop(0)
        self.as_sent.append(envelope.content)
        self.taken.append(message_from_bytes(envelope.content, policy=default))
        self.recipients += envelope.rcpt_tos
        return "250 OK"

    async def handle_QUIT(self, _server, _session, _envelope):  # noqa: N802
        await asyncio.sleep(self.seconds_to_part)
        return "221 Bye"


def new_controller(handler: MailServer, port: int) -> Controller:
    """Listens on ``port`` of the loopback address once it is started, however long its thread takes."""
    return Controller(handler, hostname="127.0.0.1", port=port, ready_timeout=60)


@contextmanager
def mail_server() -> Iterator[tuple[MailServer, int]]:
    """Listens on a free loopback port."""
    handler = MailServer()
    controller = new_controller(handler, free_port())
    controller.start()
    try:
        yield handler, controller.port
    finally:
        controller.stop()
