"""A client that believes an acknowledgement only after it stands on the disk, and its journal."""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.faults.oracle import Order

ANSWERED_WITHIN = 15.0
"""Seconds; an order without an answer is asked for again under its number."""


class Journal:
    """What was asked for and what was acknowledged, a line each."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._lines = file.open("a", encoding="utf-8")

    def attempted(self, key: str, n: int) -> None:
        """Note an order before it is sent."""
        self._lines.write(f"? {key} {n}\n")
        self._lines.flush()

    def acknowledged(self, key: str, n: int) -> None:
        """Note an acknowledgement; it may be believed when this returns."""
        self._lines.write(f"! {key} {n}\n")
        self._lines.flush()
        os.fsync(self._lines.fileno())

    def close(self) -> None:
        """Note nothing more."""
        self._lines.close()

    def read(self) -> tuple[list[Order], list[Order]]:
        """What was attempted and what acknowledged, as it stands in the file."""
        found: dict[str, list[Order]] = {"?": [], "!": []}
        for line in self.file.read_text("utf-8").splitlines():
            mark, key, n = line.split(" ")
            found[mark].append((key, int(n)))
        return found["?"], found["!"]


@dataclass
class Client:
    """Orders under several keys at once, each key's orders one after the other."""

    journal: Journal
    ports: Callable[[], Sequence[int]]
    """Where intake processes listen at the moment."""
    keys: Sequence[str]
    pause: float = 0.1
    """Seconds between an acknowledgement and the next order of the key; the client is not to take the
    machine from those it tests."""
    words: Callable[[str, int], str] = field(default=lambda _key, n: str(n))
    answers: Counter[int] = field(default_factory=Counter)
    """How often each status was answered; 0 stands for no answer."""
    _numbers: Counter[str] = field(default_factory=Counter)
    _stopped: asyncio.Event = field(default_factory=asyncio.Event)
    _running: asyncio.Task[None] | None = None

    @property
    def acknowledged(self) -> int:
        """How many orders were acknowledged."""
        return self.answers[httpx.codes.ACCEPTED]

    def start(self) -> None:
        """Begin to order."""
        self._stopped.clear()
        self._running = asyncio.create_task(self._order(), name="client")

    async def stop(self, within: float = 120) -> None:
        """Order nothing new; return when what was asked for is acknowledged, or given up."""
        self._stopped.set()
        if self._running is not None:
            async with asyncio.timeout(within):
                await self._running
        self._running = None

    async def until_acknowledged(self, orders: int, within: float = 120) -> None:
        """Wait until so many orders more are acknowledged."""
        wanted = self.acknowledged + orders
        async with asyncio.timeout(within):
            while self.acknowledged < wanted:
                assert self._running is not None
                if self._running.done():
                    await self._running
                await asyncio.sleep(0.02)

    async def _order(self) -> None:
        # Connections are given up before the server closes them: a request on a closed one has no answer.
        limits = httpx.Limits(max_connections=len(self.keys) + 5, keepalive_expiry=1)
        async with (
            httpx.AsyncClient(timeout=ANSWERED_WITHIN, trust_env=False, limits=limits) as http,
            asyncio.TaskGroup() as tasks,
        ):
            for key in self.keys:
                tasks.create_task(self._order_under(key, http))

    async def _order_under(self, key: str, http: httpx.AsyncClient) -> None:
        while not self._stopped.is_set():
            self._numbers[key] += 1
            n = self._numbers[key]
            self.journal.attempted(key, n)
            for attempt in range(10_000):
                ports = self.ports()
                answer = await self._ask(http, ports[(attempt + n) % len(ports)], key, n)
                self.answers[answer] += 1
                if answer == httpx.codes.ACCEPTED:
                    self.journal.acknowledged(key, n)
                    break
                await asyncio.sleep(0.1)
            await asyncio.sleep(self.pause)

    async def _ask(self, http: httpx.AsyncClient, port: int, key: str, n: int) -> int:
        asked = {"key": key, "n": n, "words": self.words(key, n)}
        try:
            answer = await http.post(f"http://127.0.0.1:{port}/orders", json=asked)
        except httpx.TransportError:
            return 0
        return answer.status_code
