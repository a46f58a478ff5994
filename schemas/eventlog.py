"""Events of the `eventlog` service: what operators did. Key: `operators`."""

from pydantic import Field

from schemas.event import EventData, Frozen
from schemas.terms import Line, Text


class OperatorPeople(Frozen):
    """Who acted, and why."""

    operator: Line
    reason: Text | None = Field(default=None, description="In the operator's words.")


class OperatorActed(EventData, type="eventlog.operator.acted.v1"):
    """An operator did something that has to be accounted for."""

    action: Line
    target: Line
    people: OperatorPeople
