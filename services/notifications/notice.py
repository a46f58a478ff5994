"""What a notice is: to whom, about which sessions, with which calendar entries."""

from dataclasses import dataclass
from typing import Literal

from schemas.scheduling import Slot
from schemas.terms import Bilingual, NoticeLanguage, PersonName

CENTRE = Bilingual(
    ar="المركز الإقليمي للتدريب وبناء القدرات لمكافحة الاتجار بالأشخاص",
    en="Regional Centre of Excellence and Capacity Building for Combatting Trafficking in Persons",
)

Role = Literal["host", "expert", "interpreter", "escort"]
Audience = Literal["ministry", "office"] | Role


@dataclass(frozen=True, slots=True)
class Office:
    """The Centre's protocol desk: it screens requests and organises every session."""

    address: str
    language: NoticeLanguage


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a notice is for; no address means that it cannot be sent."""

    audience: Audience
    person: str | None
    name: PersonName | None
    address: str | None
    language: NoticeLanguage

    @property
    def shown_name(self) -> str | None:
        """The name in the script of the recipient's language."""
        if self.name is None:
            return None
        return self.name.arabic if self.language == "ar" else self.name.latin

    @property
    def key(self) -> str:
        """What makes two recipients of one event the same: the person's code, else the mailbox.

        Persons who share a mailbox get a message each, since their sessions differ; so does the office,
        which a ministry must not be able to silence by naming its mailbox.
        """
        return self.person or ("office" if self.audience == "office" else (self.address or "").lower())


@dataclass(frozen=True, slots=True)
class Entry:
    """One session to be written into the recipient's calendar or taken out of it (RFC 5546)."""

    slot: Slot
    method: Literal["REQUEST", "CANCEL"]
    status: Literal["TENTATIVE", "CONFIRMED", "CANCELLED"]
    sequence: int


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to one recipient for one event.

    ``slots`` are the sessions that concern the recipient from now on: a person's own, the whole
    programme for a ministry. ``entries`` change the recipient's calendar.
    """

    recipient: Recipient
    template: str
    slots: tuple[Slot, ...] = ()
    entries: tuple[Entry, ...] = ()

    @property
    def cancelled(self) -> tuple[Slot, ...]:
        """The sessions that the recipient is released from."""
        return tuple(entry.slot for entry in self.entries if entry.method == "CANCEL")

    @property
    def unsendable(self) -> str | None:
        """Why the notice cannot be sent, in words; None when it can."""
        return None if self.recipient.address else "there is no e-mail address for this person"
