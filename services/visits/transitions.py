"""The transition table: every state, every command, and where it leads."""

from collections.abc import Mapping
from enum import StrEnum

from services.visits import commands as c
from services.visits.commands import Command


class State(StrEnum):
    """Where a visit stands."""

    SUBMITTED = "submitted"
    INFORMATION_REQUESTED = "information_requested"
    APPROVED = "approved"
    WAITLISTED = "waitlisted"
    PROPOSED = "proposed"
    CONFIRMED = "confirmed"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    REPORTED = "reported"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    CANCELLED = "cancelled"


S = State

FINAL = frozenset({S.REPORTED, S.DECLINED, S.WITHDRAWN, S.CANCELLED})
"""States that nothing leaves."""

WITH_PROGRAMME = frozenset({S.PROPOSED, S.CONFIRMED, S.IN_PROGRESS, S.COMPLETED, S.REPORTED})
"""States in which there is a programme."""

HOLDING = frozenset({S.SUBMITTED, S.INFORMATION_REQUESTED, S.APPROVED})
"""States in which an earlier programme is held until an amendment is decided, and planned anew."""

CONSULTING = (S.SUBMITTED, S.INFORMATION_REQUESTED)
"""States in which a consultation can be open: approval waits for its end, and every end closes it."""

_WITHOUT_PROGRAMME = tuple(state for state in S if state not in WITH_PROGRAMME)

_BEFORE_COMPLETION = (
    S.SUBMITTED, S.INFORMATION_REQUESTED, S.APPROVED, S.WAITLISTED, S.PROPOSED, S.CONFIRMED, S.IN_PROGRESS,
)  # fmt: skip

TRANSITIONS: Mapping[type[Command], Mapping[State, tuple[State, ...]]] = {
    # An amendment that touches what was approved leads to the first state named, any other to the last.
    c.Amend: {
        S.SUBMITTED: (S.SUBMITTED,),
        S.INFORMATION_REQUESTED: (S.SUBMITTED,),
        S.APPROVED: (S.SUBMITTED, S.APPROVED),
        S.WAITLISTED: (S.SUBMITTED, S.WAITLISTED),
        S.PROPOSED: (S.SUBMITTED, S.PROPOSED),
        S.CONFIRMED: (S.SUBMITTED, S.CONFIRMED),
        S.IN_PROGRESS: (S.IN_PROGRESS,),
    },
    c.AskInformation: dict.fromkeys((S.SUBMITTED, S.INFORMATION_REQUESTED), (S.INFORMATION_REQUESTED,)),
    c.Consult: {S.SUBMITTED: (S.SUBMITTED,)},
    c.RecordAnswer: {state: (state,) for state in CONSULTING},
    c.ExpireConsultations: {state: (state,) for state in CONSULTING},
    c.Approve: dict.fromkeys((S.SUBMITTED, S.INFORMATION_REQUESTED, S.WAITLISTED), (S.APPROVED,)),
    c.Decline: dict.fromkeys((S.SUBMITTED, S.INFORMATION_REQUESTED, S.WAITLISTED), (S.DECLINED,)),
    c.Withdraw: dict.fromkeys(_BEFORE_COMPLETION, (S.WITHDRAWN,)),
    c.Cancel: dict.fromkeys(_BEFORE_COMPLETION, (S.CANCELLED,)),
    c.Accept: {S.PROPOSED: (S.CONFIRMED,)},
    c.Report: {S.COMPLETED: (S.REPORTED,)},
    c.RecordProposal: {
        **dict.fromkeys((S.APPROVED, S.WAITLISTED, S.PROPOSED, S.CONFIRMED), (S.PROPOSED,)),
        S.IN_PROGRESS: (S.IN_PROGRESS,),  # a change on the day is not put up for acceptance
    },
    c.RecordRelease: {
        **dict.fromkeys((S.PROPOSED, S.CONFIRMED), (S.CONFIRMED,)),
        S.IN_PROGRESS: (S.IN_PROGRESS,),
    },
    c.RecordInfeasible: dict.fromkeys((S.APPROVED, S.WAITLISTED, S.PROPOSED, S.CONFIRMED), (S.WAITLISTED,)),
    c.RecordCancellation: {
        **dict.fromkeys((S.PROPOSED, S.CONFIRMED), (S.WAITLISTED,)),
        **{state: (state,) for state in _WITHOUT_PROGRAMME},
    },
    c.ExpireProposal: {S.PROPOSED: (S.CANCELLED,)},
    c.Begin: {S.CONFIRMED: (S.IN_PROGRESS,)},
    # After an outage the end may be noticed before the beginning.
    c.Complete: dict.fromkeys((S.CONFIRMED, S.IN_PROGRESS), (S.COMPLETED,)),
    c.ChaseReport: {S.COMPLETED: (S.COMPLETED,)},
}

_DONE: Mapping[type[Command], str] = {
    c.Amend: "amended",
    c.AskInformation: "asked about",
    c.Consult: "put to another body",
    c.RecordAnswer: "answered by a consulted body",
    c.Approve: "approved",
    c.Decline: "declined",
    c.Withdraw: "withdrawn",
    c.Cancel: "cancelled",
    c.Accept: "accepted",
    c.Report: "reported",
}
"""What people can have done to a visit, in the words of a refusal."""


class Forbidden(Exception):
    """The command is not possible in the visit's state; the message says why and what is possible."""


def refusal(state: State, command: type[Command]) -> str:
    """Say in one sentence why ``command`` is not possible in ``state``, and what is."""
    name = state.value.replace("_", " ")
    done = _DONE.get(command, f"handled by {command.__name__}")
    possible = [words for kind, words in _DONE.items() if state in TRANSITIONS[kind]]
    if command is c.Accept and state is State.APPROVED:
        return (
            "A visit that is approved cannot be accepted yet: its programme is being planned; "
            "accept it once the visit is proposed."
        )
    if state in FINAL or not possible:
        return f"A visit that is {name} cannot be {done}: its life is over."
    return f"A visit that is {name} cannot be {done}; it can be {_either(possible)}."


def _either(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def table() -> list[tuple[str, str, str]]:
    """List (state, command, next states) for the documentation, in the order of the table."""
    return [
        (state.value, kind.__name__, " | ".join(next_.value for next_ in nexts))
        for kind, row in TRANSITIONS.items()
        for state, nexts in row.items()
    ]
