"""The kept messages: one .eml file each, an index in memory that is rebuilt from the files."""

import os
import secrets
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from embedded.mailbox.reading import Headers, read_headers

ENVELOPE_END = "X-Kept-By: Wafd mailbox\r\n"
"""Ends the headers put before a message: what follows is the sender's word."""

STAMP = "%Y%m%dT%H%M%S.%fZ"


@dataclass(frozen=True)
class Kept:
    """One kept message: when it came (aware, UTC), for whom, how often it came again."""

    id: str
    received_at: datetime
    sender: str
    to: tuple[str, ...]
    headers: Headers
    repeated: int = 0


class Store:
    """Messages in a folder. Like a mail store, it keeps one copy of a Message-ID for each recipient."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[str, Kept] = {}
        self._seen: dict[tuple[str, str], str] = {}
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # notices name persons
        for file in sorted(folder.glob("*.eml")):
            self._index(self._read(file))

    def add(self, raw: bytes, *, sender: str, to: Iterable[str], now: datetime) -> Kept:
        """Keep a message on the disk for good before returning; one known already is only counted.

        Raises OSError when it cannot be kept.
        """
        headers = read_headers(raw)
        recipients = tuple(dict.fromkeys(address.lower() for address in to))
        fresh = tuple(address for address in recipients if (headers.message_id, address) not in self._seen)
        if not fresh and headers.message_id:
            return self._repeat(self._seen[headers.message_id, recipients[0]])
        name = f"{now.astimezone(UTC).strftime(STAMP)}-{secrets.token_hex(4)}"
        envelope = f"Return-Path: <{sender}>\r\n" + "".join(f"Delivered-To: {one}\r\n" for one in fresh)
        envelope += ENVELOPE_END
        _write_durably(self._folder / f"{name}.eml", envelope.encode() + raw)
        kept = Kept(name, now, sender, fresh, headers)
        self._index(kept)
        return kept

    def find(self, *, to: str = "", since: datetime | None = None) -> list[Kept]:
        """Messages, oldest first: those a recipient's address contains ``to``, from ``since`` on."""
        wanted = to.strip().lower()
        return [
            kept
            for kept in list(self._kept.values())  # another thread may be adding one
            if (not wanted or any(wanted in address for address in kept.to))
            and (since is None or kept.received_at >= since)
        ]

    def get(self, id: str) -> Kept | None:
        """The message of that id."""
        return self._kept.get(id)

    def source(self, id: str) -> bytes:
        """The message's bytes as kept: the envelope as headers, then what was received. Raises KeyError."""
        return (self._folder / f"{self._kept[id].id}.eml").read_bytes()

    def clear(self) -> int:
        """Delete every message; returns how many there were."""
        deleted, self._kept, self._seen = self._kept, {}, {}  # what another thread adds meanwhile stays
        for name in deleted:
            for suffix in (".repeats", ".eml"):
                (self._folder / f"{name}{suffix}").unlink(missing_ok=True)
        return len(deleted)

    def _index(self, kept: Kept) -> None:
        self._kept[kept.id] = kept
        if kept.headers.message_id:
            self._seen.update({(kept.headers.message_id, address): kept.id for address in kept.to})

    def _repeat(self, name: str) -> Kept:
        with (self._folder / f"{name}.repeats").open("ab") as marks:  # one byte for each repetition
            marks.write(b".")
            marks.flush()
            os.fsync(marks.fileno())
        self._kept[name] = replace(self._kept[name], repeated=self._kept[name].repeated + 1)
        return self._kept[name]

    def _read(self, file: Path) -> Kept:
        raw = file.read_bytes()
        envelope: dict[str, list[str]] = defaultdict(list)
        lines, _, raw = raw.partition(ENVELOPE_END.encode())
        for line in lines.decode().splitlines():
            name, _, value = line.partition(": ")
            envelope[name].append(value)
        marks = self._folder / f"{file.name.removesuffix('.eml')}.repeats"
        return Kept(
            id=file.name.removesuffix(".eml"),
            received_at=datetime.strptime(file.name.split("-")[0], STAMP).replace(tzinfo=UTC),
            sender=envelope["Return-Path"][0].strip("<>"),
            to=tuple(envelope["Delivered-To"]),
            headers=read_headers(raw),
            repeated=marks.stat().st_size if marks.exists() else 0,
        )


def _write_durably(file: Path, content: bytes) -> None:
    """Write under another name first: a file that ends in .eml is whole."""
    fresh = file.with_name(f"{file.name}.new")
    with fresh.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
