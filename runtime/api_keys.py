"""API keys as clients send them: `wafd_<prefix>_<secret>`, of which only the secret's digest is compared."""

import hashlib
import re
from typing import NamedTuple

_FORM = re.compile(r"wafd_([a-z0-9]{12})_([A-Za-z0-9_-]{43})", re.ASCII)


class ApiKey(NamedTuple):
    """A key as it is looked for: its prefix, which is no secret, and the SHA-256 of its secret."""

    prefix: str
    digest: bytes


def parsed(text: str) -> ApiKey | None:
    """The key that a client sent; None when it has not the form of one."""
    parts = _FORM.fullmatch(text)
    return None if parts is None else ApiKey(parts[1], digest(parts[2]))


def digest(secret: str) -> bytes:
    """What is kept of a secret: it has 256 random bits, so no slow hash is needed."""
    return hashlib.sha256(secret.encode()).digest()
