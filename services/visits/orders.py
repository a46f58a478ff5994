"""Carrying out a command: read the visit, decide, write it, note it, tell the others, set the deadlines."""

from uuid import UUID

from runtime.transaction import Transaction
from schemas.visits import ConsultationFacts
from services.visits import commands as c
from services.visits import store
from services.visits.commands import Command
from services.visits.consulting import in_words
from services.visits.domain import decide
from services.visits.domain import submit as decide_submission
from services.visits.request import VisitRequest
from services.visits.store import Author, StoredVisit
from services.visits.transitions import State
from services.visits.visit import CENTRE, Decision

SYSTEM = Author(None)
"""Who gives the orders that follow from news and timers."""


class AlreadySubmitted(Exception):
    """The client has submitted a request under this reference of its own."""

    def __init__(self, existing: UUID, reference: str) -> None:
        super().__init__(
            f"A request with this sender_reference was submitted before: {reference}, id {existing}; "
            "amend that one, or use another sender_reference."
        )
        self.existing = existing


async def submit_request(
    tx: Transaction, request: VisitRequest, *, client: UUID, country: str
) -> StoredVisit:
    """Store a checked request and tell that it was submitted. Raises `AlreadySubmitted`."""
    before = await store.visit_by_sender_reference(tx.connection, client, request.sender_reference)
    if before:
        raise AlreadySubmitted(*before)
    reference = await store.next_reference(tx.connection, tx.now.astimezone(CENTRE).year)
    decision = decide_submission(
        id=tx.new_id(), reference=reference, client=client, country=country, request=request
    )
    version = await store.add_visit(tx.connection, decision.visit, tx.now)
    await _tell(tx, decision, command="Submit", before=None, author=Author(client), reason=None)
    return StoredVisit(decision.visit, version, tx.now, tx.now)


async def carry_out(tx: Transaction, command: Command, stored: StoredVisit, author: Author) -> StoredVisit:
    """Carry out ``command`` on a locked visit. Raises `Forbidden` or `Stale`."""
    decision = decide(command, stored.visit, tx.now)
    if decision == Decision(stored.visit):
        return stored
    version = await store.change_visit(tx.connection, decision.visit, tx.now)
    changed = [each for each in decision.visit.consultations if each not in stored.visit.consultations]
    await store.write_consultations(tx.connection, decision.visit.id, changed)
    await _tell(
        tx,
        decision,
        command=type(command).__name__,
        before=stored.visit.state,
        author=author,
        reason=_reason(command, decision),
    )
    return StoredVisit(decision.visit, version, stored.submitted_at, tx.now)


async def _tell(
    tx: Transaction,
    decision: Decision,
    *,
    command: str,
    before: State | None,
    author: Author,
    reason: str | None,
) -> None:
    visit = decision.visit
    await store.add_history(
        tx.connection, visit, before=before, command=command, author=author, reason=reason, now=tx.now
    )
    for event in decision.events:
        tx.emit(event, subject=str(visit.id))
    for name, at in decision.timers.items():
        if at is None:
            await tx.forget(name, str(visit.id))
        else:
            await tx.remind(name, str(visit.id), at)


def _reason(command: Command, decision: Decision) -> str | None:
    """Say why the command was given, for the history; None when it needs no reason."""
    match command:
        case c.AskInformation() | c.Decline() | c.Withdraw() | c.Cancel() | c.ExpireProposal():
            return decision.visit.reason
        case c.Amend(message=message):
            return message
        case c.RecordCancellation(reason=reason):
            return reason
        case c.RecordInfeasible(reasons=reasons):
            return " ".join(each.en for each in reasons)
        case c.Consult() | c.RecordAnswer() | c.ExpireConsultations():
            return " ".join(in_words(each) for each in decision.events if isinstance(each, ConsultationFacts))
        case _:
            return None
