"""Events of the `eventlog` service: what operators did. Key: `operators`."""

from schemas.event import EventData, Frozen
from schemas.terms import Line, Text


class OperatorPeople(Frozen):
    """Who acted."""

    operator: Line


class OperatorActed(EventData, type="eventlog.operator.acted.v1"):
    """An operator did something that has to be accounted for."""

    action: Line
    target: Line
    reason: Text
    people: OperatorPeople
