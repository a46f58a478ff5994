"""Logs as JSON lines on stderr, one event each, carrying the ids of what is being handled."""

import logging
import re
import sys
import traceback
from contextvars import ContextVar
from typing import Any

import structlog

from schemas.event import Event

in_hand: ContextVar[Event[Any] | None] = ContextVar("in_hand", default=None)
"""The event that is being handled: its ids stand in every line, and cost nothing while nothing is logged."""

_EMAIL = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+\.[^\s@<>\"']+")


def name_event(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Add the ids of the event in hand to a line."""
    handled = in_hand.get()
    if handled is not None:
        event.setdefault("correlation_id", str(handled.correlationid))
        event.setdefault("event_id", str(handled.id))
        event.setdefault("type", handled.type)
        event.setdefault("key", handled.subject)
    return event


def redact(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Blank out what looks like an e-mail address, wherever an exception's text brought it in."""
    return {
        key: _EMAIL.sub("[redacted]", value) if isinstance(value, str) and "@" in value else value
        for key, value in event.items()
    }


def where_it_failed(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Put an exception's classes and frames in place of its text, which may quote personal data."""
    info = event.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info[1] if isinstance(info, tuple) else info
    lines: list[str] = []
    while isinstance(error, BaseException):
        frames = traceback.extract_tb(error.__traceback__)
        lines += [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
        lines.append(f"{type(error).__module__}.{type(error).__qualname__}")
        error = error.__cause__ or error.__context__
    if lines:
        event["failed_at"] = lines
    return event


class OnceIn(logging.Filter):
    """Lets a library say the same thing once in ``seconds``: in an outage it says it hundreds of times."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds
        self._said: dict[tuple[str, int, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the format of this message was not used within the time."""
        what = (record.name, record.levelno, str(record.msg)[:200])
        if record.created - self._said.get(what, -self._seconds) < self._seconds:
            return False
        self._said[what] = record.created
        if len(self._said) > 1000:  # noqa: PLR2004 -- formats are few; a bound all the same
            self._said.clear()
        return True


def configure(service: str, level: str) -> None:
    """Route structlog and the standard library's loggers to JSON lines on stderr."""
    shared: list[structlog.typing.Processor] = [
        name_event,
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                where_it_failed,
                redact,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for talkative in list(logging.root.manager.loggerDict):
        if talkative.startswith("aiokafka"):
            logging.getLogger(talkative).addFilter(OnceIn(10))
    for noisy in ("aiokafka", "wafd.kafka", "uvicorn", "asyncio", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
