"""Logs are JSON lines that carry ids and no personal data."""

import json
import logging
import subprocess
import sys

from runtime.logging import OnceIn

PROGRAM = """
import structlog
from runtime.logging import configure
configure("visits", "info")
log = structlog.get_logger()
log.info("note for somebody", address="noor@ministry.example", key="visit-1")
try:
    raise ValueError("no such person: Ahmed Example")
except ValueError as error:
    try:
        raise RuntimeError("Ahmed again") from error
    except RuntimeError as second:
        log.error("failed", exc_info=second)
import logging
logging.getLogger("uvicorn.error").error("a library says noor@ministry.example")
log.debug("not shown")
"""


def test_lines_are_json_without_addresses_and_without_the_texts_of_exceptions() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert "@ministry" not in done.stderr
    assert "Ahmed" not in done.stderr
    note, failed, library = map(json.loads, done.stderr.splitlines())
    assert note["service"] == "visits"
    assert note["level"] == "info"
    assert note["key"] == "visit-1"
    assert "builtins.RuntimeError" in failed["failed_at"]
    assert "builtins.ValueError" in failed["failed_at"]
    assert library["event"] == "a library says [redacted]"


def test_a_library_says_the_same_thing_once_in_a_while() -> None:
    once = OnceIn(10)

    def record(text: str, at: float) -> logging.LogRecord:
        made = logging.LogRecord("aiokafka", logging.ERROR, "x", 1, text, (), None)
        made.created = at
        return made

    shown = [once.filter(record("lost %s", at)) for at in (0, 1, 9.9, 10.1, 11)]
    assert shown == [True, False, False, True, False]
    assert once.filter(record("another", 11))
