import smtplib
import sys
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiosmtplib
import httpx
import pytest

from embedded.children import free_port
from embedded.process import Process
from embedded.processes import Supervisor


def notice(number: int) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "visits@centre.example"
    message["To"] = "host@body.example"
    message["Subject"] = "زيارة"
    message["Message-ID"] = f"<{number}@centre.example>"
    message.set_content("مرحبا")
    message["Content-Language"] = "ar"
    return message


class Mailbox:
    def __init__(self, data: Path) -> None:
        self.smtp, self.http = free_port(), free_port()
        ports = (f"--smtp-port={self.smtp}", f"--http-port={self.http}")
        self.process = Process(
            "mailbox", [sys.executable, "-m", "embedded.mailbox", f"--data={data}", *ports]
        )
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.http}", trust_env=False)

    async def send(self, message: EmailMessage) -> None:
        await aiosmtplib.send(message, hostname="127.0.0.1", port=self.smtp)

    async def messages(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = (await self.client.get("/api/messages")).json()
        return listed

    async def restart(self) -> None:
        await self.process.stop()
        await self.process.start()
        await self.ready()

    async def ready(self) -> None:
        async with Supervisor() as supervisor:
            await supervisor.wait_ready(f"http://127.0.0.1:{self.http}")


@pytest.fixture
async def mailbox(tmp_path):
    mailbox = Mailbox(tmp_path)
    await mailbox.process.start()
    await mailbox.ready()
    yield mailbox
    await mailbox.client.aclose()
    await mailbox.process.stop()


async def test_an_accepted_message_is_still_there_after_a_restart(mailbox):
    await mailbox.send(notice(1))
    before = await mailbox.messages()
    await mailbox.restart()
    assert await mailbox.messages() == before
    assert [(one["to"], one["subject"], one["language"]) for one in before] == [
        (["host@body.example"], "زيارة", "ar")
    ]


async def test_a_repeated_message_is_one_message(mailbox):
    for _ in range(3):
        await mailbox.send(notice(1))
    assert [one["repeated"] for one in await mailbox.messages()] == [2]


async def test_asked_to_refuse_it_refuses_that_many_recipients(mailbox):
    await mailbox.client.put("/api/faults", json={"code": 451, "count": 1})
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refusal:
        await mailbox.send(notice(1))
    assert refusal.value.recipients[0].code == 451
    await mailbox.send(notice(1))
    assert len(await mailbox.messages()) == 1


async def test_a_message_refused_at_its_end_is_not_kept(mailbox):
    await mailbox.client.put("/api/faults", json={"code": 554, "count": 1, "at": "data"})
    with pytest.raises(aiosmtplib.SMTPDataError):
        await mailbox.send(notice(1))
    assert await mailbox.messages() == []


async def test_a_message_whose_acceptance_was_not_heard_is_kept(mailbox):
    await mailbox.client.put("/api/faults", json={"count": 1, "at": "reply"})
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await mailbox.send(notice(1))
    await mailbox.send(notice(1))
    assert [one["repeated"] for one in await mailbox.messages()] == [1]


async def test_a_message_over_ten_mebibytes_is_refused(mailbox):
    message = notice(1)
    message.add_attachment(b"\0" * 8_000_000, maintype="application", subtype="pdf")
    with pytest.raises(aiosmtplib.SMTPResponseException) as refusal:
        await mailbox.send(message)
    assert refusal.value.code == smtplib.SMTPSenderRefused(552, b"", "").smtp_code
    assert await mailbox.messages() == []
