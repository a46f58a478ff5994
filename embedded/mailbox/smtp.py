"""The SMTP side of the mailbox: keeps every message before it says 250, or refuses on demand."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

from embedded.mailbox.store import Store

log = structlog.get_logger()

SIZE_LIMIT: Final = 10 * 1024 * 1024
KEPT: Final = "250 2.0.0 kept"
Stage = Literal["rcpt", "data", "reply"]


@dataclass
class Faults:
    """What the next commands are answered with, for tests of the sender.

    ``at`` is where: at each recipient, at the message's end (not kept), or `reply`: the message is kept
    and the connection drops before the sender hears of it.
    """

    code: int = 451
    count: int = 0
    at: Stage = "rcpt"

    def take(self, stage: Stage) -> str | None:
        """The answer to give at this stage instead of the good one, and one fewer left."""
        if self.at != stage or self.count < 1:
            return None
        self.count -= 1
        return f"{self.code} {self.code // 100}.3.0 asked to refuse"


class Handler:
    """Answers aiosmtpd's questions."""

    def __init__(self, store: Store, faults: Faults) -> None:
        self._store = store
        self._faults = faults
        self._one_at_a_time = asyncio.Lock()

    async def handle_RCPT(  # noqa: N802  # the name aiosmtpd calls
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Accept every recipient, unless told to refuse."""
        refusal = self._faults.take("rcpt")
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802  # the name aiosmtpd calls
        self, server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Keep the message on the disk, then accept it."""
        refusal = self._faults.take("data")
        if refusal:
            return refusal
        try:
            await self._keep(envelope)
        except OSError as problem:
            log.error("message not kept", reason=problem.strerror)  # noqa: TRY400  # one line
            return "452 4.3.1 the message could not be kept"
        if self._faults.take("reply") and isinstance(server.transport, asyncio.WriteTransport):
            server.transport.abort()
        return KEPT

    async def _keep(self, envelope: Envelope) -> None:
        content = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content).encode()
        async with self._one_at_a_time:  # two copies that arrive together are one message
            kept = await asyncio.to_thread(
                self._store.add,
                content,
                sender=envelope.mail_from or "",
                to=envelope.rcpt_tos,
                now=datetime.now(UTC),
            )
        log.info("message kept", message=kept.id, recipients=len(kept.to), repeated=kept.repeated)


async def listen(store: Store, faults: Faults, port: int) -> asyncio.Server:
    """Accept mail on the loopback address. Raises OSError when the port is taken."""
    handler = Handler(store, faults)
    return await asyncio.get_running_loop().create_server(
        lambda: SMTP(
            handler,
            data_size_limit=SIZE_LIMIT,
            enable_SMTPUTF8=True,
            hostname="localhost",
            ident="Wafd mailbox",
        ),
        host="127.0.0.1",
        port=port,
    )
