"""Asks a process whether it is ready."""

import json
import urllib.error
import urllib.request
from typing import Final

DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Past any proxy of the environment, which does not know the loopback address."""


def why_not_ready(url: str) -> str | None:
    """Ask ``<url>/health/ready`` once; None when it answers 200, else why not, in words."""
    try:
        with DIRECT.open(f"{url.rstrip('/')}/health/ready", timeout=5):
            return None
    except urllib.error.HTTPError as refusal:
        with refusal:
            return _reason(refusal.read()) or f"HTTP {refusal.code}"
    except OSError as problem:
        return str(problem)


def _reason(body: bytes) -> str:
    try:
        problems = json.loads(body)["problems"]
    except (ValueError, KeyError, TypeError):
        return ""
    return "; ".join(map(str, problems))
