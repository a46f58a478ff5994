"""Examples for the OpenAPI document."""

from datetime import UTC, datetime, timedelta
from typing import Any


def _what_if() -> dict[str, Any]:
    soon = datetime.now(UTC).date() + timedelta(days=30)
    return {
        "country": "QA",
        "kind": "study",
        "themes": ["national-referral-mechanism", "victim-identification"],
        "sites": ["shelter"],
        "windows": [{"first": str(soon), "last": str(soon + timedelta(days=11))}],
        "days": 2,
        "size": 6,
        "members": [{"role": "head", "rank": "director"}],
        "languages": ["ar"],
        "confidentiality_signed": True,
    }


WHAT_IF = _what_if()
"""A study visit of two days next month."""
