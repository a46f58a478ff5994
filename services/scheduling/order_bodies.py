"""The bodies of what officers order, and of the answers. Instants are UTC."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field

from schemas.scheduling import Score, Slot
from schemas.terms import Code, Country, Instant, Line, Text
from services.scheduling.disruptions import Block
from services.scheduling.releases import Kind, Release, difference
from services.scheduling.waitlist import Waiting


class BlockOrder(BaseModel):
    """Take something out of use for a span of time."""

    resource: str = Field(examples=["person:host-01", "venue:hall", "centre"], max_length=200)
    starts: Instant
    ends: Instant
    reason: Text = Field(description="In free words, which may name people.")


class BlockView(BaseModel):
    """Something that is out of use for a span of time."""

    id: UUID
    resource: str
    starts: datetime
    ends: datetime
    reason: str
    added_by: str

    @classmethod
    def of(cls, block: Block) -> Self:
        """Show a block."""
        return cls(
            id=block.id,
            resource=block.resource,
            starts=block.span.start,
            ends=block.span.end,
            reason=block.reason,
            added_by=block.added_by,
        )


class BlockAdded(BlockView):
    """A new block, and the references of the visits that it hits."""

    hits: tuple[str, ...]


class BlocksView(BaseModel):
    """What is out of use now or later."""

    blocks: tuple[BlockView, ...]


class PinOrder(BaseModel):
    """Keep slots of a release as they are."""

    release: int = Field(ge=1, description="The release that you saw.")
    keys: tuple[Code, ...] = Field(min_length=1, max_length=100)


class PinsView(BaseModel):
    """The slots that stay as they are."""

    pinned: tuple[Code, ...]


class MoveOrder(BaseModel):
    """Move one slot of a release to another start, venue or person."""

    release: int = Field(ge=1, description="The release that you saw.")
    key: Code
    starts: Instant | None = None
    venue: Code | None = None
    person: Code | None = None
    instead_of: Code | None = Field(default=None, description="Whom the person is to replace.")


class ReplanOrder(BaseModel):
    """Plan a visit anew with least change."""

    reason: Text


class ReplanView(BaseModel):
    """A visit that is going to be planned."""

    visit: UUID
    reference: Line


class ReleaseView(BaseModel):
    """One release of a programme, and what it changed against the one before it."""

    release: int
    revision: int
    kind: Kind
    made_at: datetime
    cause: str
    score: Score | None
    slots: tuple[Slot, ...]
    removed: tuple[Code, ...] = Field(description="Keys of slots that are no more.")
    changed: tuple[Code, ...] = Field(description="Keys of slots that are new or differ.")
    affected: tuple[Code, ...] = Field(description="Persons whose part is another.")

    @classmethod
    def all_of(cls, releases: Sequence[Release]) -> tuple[Self, ...]:
        """Show every release beside the one before it."""
        before = [(), *(one.slots for one in releases)]
        return tuple(cls._of(release, old) for release, old in zip(releases, before, strict=False))

    @classmethod
    def _of(cls, release: Release, old: tuple[Slot, ...]) -> Self:
        what = difference(old, release.slots)
        return cls(
            release=release.release,
            revision=release.revision,
            kind=release.kind,
            made_at=release.made_at,
            cause=release.cause,
            score=release.score,
            slots=release.slots,
            removed=tuple(slot.key for slot in what.removed),
            changed=what.changed,
            affected=what.affected,
        )


class ReleasesView(BaseModel):
    """Every release of a visit's programme, in order; show instants in ``time_zone``."""

    time_zone: str
    releases: tuple[ReleaseView, ...]


class WaitingView(BaseModel):
    """A visit that waits for a programme."""

    visit: UUID
    reference: Line
    country: Country
    urgency: Literal["routine", "urgent", "emergency"]
    waiting_since: datetime
    last_day: date

    @classmethod
    def of(cls, waiting: Waiting) -> Self:
        """Show a waiting visit."""
        return cls(
            visit=waiting.id,
            reference=waiting.reference,
            country=waiting.country,
            urgency=waiting.urgency,
            waiting_since=waiting.since,
            last_day=waiting.last_day,
        )


class WaitlistView(BaseModel):
    """Who waits, in the order in which they are tried again."""

    waiting: tuple[WaitingView, ...]
