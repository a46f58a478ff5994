"""Faults at named points of a service process, put in from outside: production code has no hooks.

`WAFD_LAB_FAULT` is ``point:n:action``, or several of them with blanks between: at the n-th pass of the
point the process kills itself (``kill``) or stands still until SIGCONT (``stop``), or at every n-th it
waits (``0.5`` seconds).
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import Any, cast

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from asyncpg.transaction import Transaction as Block

from runtime import inbox, outbox
from runtime.timers import Timers
from runtime.transaction import TimerHandler, Transaction, Transactions

VARIABLE = "WAFD_LAB_FAULT"
SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}

POINTS = (
    "before_request_commit", "after_request_commit",
    "before_inbox_commit", "amid_inbox_commit", "after_inbox_commit",
    "before_send", "amid_send", "before_mark", "after_mark",
    "before_offset", "after_offset",
    "amid_timer", "after_timer", "amid_redrive", "after_redrive",
)  # fmt: skip

doing: ContextVar[str] = ContextVar("doing", default="")
"""What the task in hand is about: a request, the inbox, a timer or a redrive."""


@contextmanager
def about(what: str) -> Iterator[None]:
    """Say what the block is about, for points that are passed on several occasions."""
    token = doing.set(what)
    try:
        yield
    finally:
        doing.reset(token)


@dataclass
class Fault:
    """What happens at one point: once at the n-th pass, or, if it is a delay, at every n-th."""

    point: str
    n: int
    action: str
    passes: int = 0

    async def at(self, point: str) -> None:
        """Pass a point; if it is this fault's, and its turn, the fault happens."""
        if point != self.point:
            return
        self.passes += 1
        if self.action in SIGNALS:
            if self.passes == self.n:
                os.kill(os.getpid(), SIGNALS[self.action])
        elif self.passes % self.n == 0:
            await asyncio.sleep(float(self.action))


@dataclass
class Faults:
    """All that goes wrong in a process."""

    faults: Sequence[Fault]

    async def at(self, point: str) -> None:
        """Pass a point."""
        for fault in self.faults:
            await fault.at(point)


def read() -> Faults | None:
    """Make the faults that the environment names."""
    texts = os.environ.get(VARIABLE, "").split()
    return Faults([_fault(*text.split(":")) for text in texts]) if texts else None


def _fault(point: str, n: str, action: str) -> Fault:
    assert point in POINTS, point
    return Fault(point, int(n), action)


def install(fault: Faults) -> None:
    """Have this process pass the points."""
    _around_commits(fault)
    _around_publication(fault)
    _around_offsets(fault)
    _around_timers(fault)


def wrap(owner: Any, name: str, around: Callable[..., Awaitable[Any]]) -> None:
    """Put ``around``, which takes the original first, in the place of ``owner``'s coroutine ``name``."""
    original = getattr(owner, name)

    @wraps(original)  # FastStream looks at the parameters
    async def wrapped(*arguments: Any, **named: Any) -> Any:
        return await around(original, *arguments, **named)

    setattr(owner, name, wrapped)


def _around_commits(fault: Faults) -> None:
    async def leave(original: Any, block: Block, kind: Any, error: Any, trace: Any) -> Any:
        if kind is not None or cast("Any", block)._nested:
            return await original(block, kind, error, trace)
        await fault.at(f"before_{doing.get()}_commit")
        committing = asyncio.ensure_future(original(block, kind, error, trace))
        await asyncio.sleep(0)  # COMMIT is sent, its answer is not there
        await fault.at(f"amid_{doing.get()}_commit")
        result = await committing
        await fault.at(f"after_{doing.get()}_commit")
        return result

    wrap(Block, "__aexit__", leave)

    async def consume(original: Any, *arguments: Any) -> None:
        with about("inbox"):
            await original(*arguments)

    wrap(inbox.Inbox, "consume", consume)


def _around_publication(fault: Faults) -> None:
    async def send_all(original: Any, *arguments: Any) -> Any:
        await fault.at("before_send")
        results = await original(*arguments)
        await fault.at("before_mark")
        return results

    wrap(outbox, "send_all", send_all)

    async def send(original: Any, *arguments: Any, **named: Any) -> Any:
        future = await original(*arguments, **named)
        await fault.at("amid_send")
        return future

    wrap(AIOKafkaProducer, "send", send)

    async def publish_once(original: Any, *arguments: Any) -> bool:
        if some := await original(*arguments):
            await fault.at("after_mark")
        return bool(some)

    wrap(outbox.Relay, "publish_once", publish_once)


def _around_offsets(fault: Faults) -> None:
    async def commit(original: Any, *arguments: Any, **named: Any) -> None:
        await fault.at("before_offset")
        await original(*arguments, **named)
        await fault.at("after_offset")

    wrap(AIOKafkaConsumer, "commit", commit)


def _around_timers(fault: Faults) -> None:
    def passing(name: str, handler: TimerHandler) -> TimerHandler:
        async def handle(tx: Transaction, key: str) -> None:
            await handler(tx, key)
            doing.set("redrive" if name == "redrive" else "timer")
            await fault.at(f"amid_{doing.get()}")

        return handle if name != "sweep" else handler

    make = Timers.__init__

    def init(self: Timers, transactions: Transactions, handlers: Mapping[str, TimerHandler]) -> None:
        make(self, transactions, {name: passing(name, handler) for name, handler in handlers.items()})

    Timers.__init__ = init  # type: ignore[method-assign]

    async def fire_one(original: Any, *arguments: Any) -> bool:
        with about(""):
            fired = await original(*arguments)
            await fault.at(f"after_{doing.get()}")
        return bool(fired)

    wrap(Timers, "fire_one", fire_one)
