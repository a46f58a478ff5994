"""Watches over the mail for health and metrics: whether it can be sent, and how much waits."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from runtime.errors import is_outage
from runtime.transaction import Transactions
from services.notifications import store
from services.notifications.mail import Post, Sender, Unusable

log = structlog.get_logger()

PROBE_SECONDS = 10
"""How often a mail server that cannot be used is tried again; one that can is known by the mail it takes."""

COUNT_SECONDS = 15
"""How often the notices are counted for the metrics."""


class Watched(Protocol):
    """What the watch needs of the desk."""

    @property
    def post(self) -> Post:
        """The way to the mail server."""

    @property
    def sender(self) -> Sender:
        """Whom messages come from."""

    @property
    def watch(self) -> "MailWatch":
        """What is known."""


@dataclass(eq=False)
class MailWatch(Collector):
    """What the last delivery or probe found out about the mail server, and the last count of notices."""

    since: datetime | None = None
    reason: str = ""
    figures: store.Figures | None = None

    @property
    def trouble(self) -> str | None:
        """Why no mail can be sent, and since when; None when it can, as far as is known."""
        if self.since is None:
            return None
        return f"mail cannot be sent since {self.since:%Y-%m-%d %H:%M:%SZ}: {self.reason}"

    def worked(self) -> None:
        """Note that the mail server did its work."""
        if self.since is not None:
            log.info("mail can be sent again", since=self.since.isoformat())
        self.since, self.reason = None, ""

    def failed(self, reason: str, at: datetime) -> None:
        """Note that the mail server could not be used at all."""
        if self.since is None:
            log.error("mail cannot be sent", reason=reason)
        self.since, self.reason = self.since or at, reason

    def collect(self) -> Iterator[Metric]:
        """List the metrics; none of the notices before the first count."""
        usable = 0 if self.since else 1
        yield GaugeMetricFamily("wafd_mail_server_usable", "Whether mail can be sent (1) or not.", usable)
        found = self.figures
        if found is None:
            return
        yield GaugeMetricFamily("wafd_notices_waiting", "Notices to be sent.", found.waiting)
        yield GaugeMetricFamily(
            "wafd_notices_oldest_waiting_seconds",
            "Age of the oldest notice to be sent.",
            found.oldest_seconds,
        )
        yield CounterMetricFamily("wafd_notices_sent", "Notices a mail server has taken.", found.delivered)
        yield CounterMetricFamily("wafd_notices_failed", "Notices given up.", found.failed)
        yield CounterMetricFamily(
            "wafd_notices_suppressed", "Notices to nobody's address, not sent on purpose.", found.suppressed
        )


def watching(desk: Watched) -> "Lifespan":
    """Make the service's lifespan: probes the mail server at the start and while it fails, and counts."""

    @asynccontextmanager
    async def watch(transactions: Transactions) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(_probe(desk, transactions), name="mail probe"),
            asyncio.create_task(_count(desk.watch, transactions), name="notices count"),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    return watch


class Lifespan(Protocol):
    """What runs as long as the service."""

    def __call__(self, transactions: Transactions, /) -> AbstractAsyncContextManager[None]:
        """Start it."""


async def _probe(desk: Watched, transactions: Transactions) -> None:
    await probe(desk, await _first_failure(transactions))
    while True:
        await asyncio.sleep(PROBE_SECONDS)
        if desk.watch.since:
            await probe(desk, transactions.now())


async def probe(desk: Watched, since: datetime) -> None:
    """Ask the mail server whether it would take a message from the Centre; if not, that holds ``since``."""
    try:
        await desk.post.check(desk.sender.address)
    except Unusable as error:
        desk.watch.failed(str(error), since)
    else:
        desk.watch.worked()


async def _first_failure(transactions: Transactions) -> datetime:
    """When the process before this one saw the mail server fail for a notice that still waits; else now."""
    now = transactions.now()
    try:
        async with transactions() as tx:
            return await store.first_failure(tx.connection) or now
    except Exception as error:
        if not is_outage(error):
            raise
        return now


async def _count(watch: MailWatch, transactions: Transactions) -> None:
    while True:
        try:
            async with transactions() as tx:
                watch.figures = await store.figures(tx.connection, tx.now)
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning("notices cannot be counted", error=type(error).__name__)
        await asyncio.sleep(COUNT_SECONDS)
