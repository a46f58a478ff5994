"""The next version of the lab's contracts, for processes that run beside those of the present one.

`WAFD_LAB_CONTRACT` names what the next version does: ``field`` adds an optional field to an event, ``v2``
says the worker's answer in a new version of its type, and reads both.
"""

from runtime.transaction import Transaction
from schemas.event import EVENTS, Event
from schemas.scheduling import ProgrammeInfeasible, VisitRef
from schemas.terms import Bilingual
from schemas.visits import MinistryPeople, RequestDeclined
from tests.faults import chain

VARIABLE = "WAFD_LAB_CONTRACT"
CHANNEL = "portal"


class DeclinedWithChannel(RequestDeclined):
    """The same event of the same version; its writer also says by which way the request came."""

    channel: str = "unknown"


def add_field() -> None:
    """Write the new field, and read it where it is there."""
    EVENTS[RequestDeclined.TYPE] = DeclinedWithChannel
    chain.RequestDeclined = DeclinedWithChannel  # type: ignore[attr-defined]
    chain.FACTS["channel"] = CHANNEL  # the answer, which has no such field, leaves it out


def add_version() -> None:
    """Write the second version of the answer, and read both."""

    class InfeasibleInOneWord(VisitRef, type="scheduling.programme.infeasible.v2"):
        reason: Bilingual
        people: MinistryPeople

    def second(first: ProgrammeInfeasible) -> InfeasibleInOneWord:
        return InfeasibleInOneWord(**chain.FACTS, reason=first.reasons[0], people=first.people)

    async def arrive(tx: Transaction, event: Event[InfeasibleInOneWord]) -> None:
        tx.write(chain.APPLY, event.subject, int(event.data.reason.en.split()[0]), event.id, "v2")

    chain.answer = lambda words: second(chain.answered(words))
    chain.ARRIVALS[InfeasibleInOneWord] = arrive


CONTRACTS = {"field": add_field, "v2": add_version}
