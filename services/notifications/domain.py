"""Who must know what: the notices that an event causes, decided without I/O, clock or ids."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.event import Event
from schemas.scheduling import (
    ProgrammeCancelled,
    ProgrammeInfeasible,
    ProgrammeProposed,
    ProgrammeReleased,
    ProgrammeRevised,
)
from schemas.terms import PersonName
from schemas.visits import (
    ConsultationAnswered,
    ConsultationOpened,
    ConsultationOverdue,
    InformationRequested,
    MinistryPeople,
    ReportOverdue,
    RequestAmended,
    RequestDeclined,
    RequestSubmitted,
    RequestWithdrawn,
    VisitCancelled,
    VisitCompleted,
    VisitReported,
)
from services.notifications.notice import Notice, Office, Recipient
from services.notifications.parts import ProgrammeTold, Told, persons_notices

ConsultationNews = ConsultationOpened | ConsultationAnswered | ConsultationOverdue

Cause = (
    RequestSubmitted
    | RequestAmended
    | InformationRequested
    | RequestDeclined
    | RequestWithdrawn
    | VisitCancelled
    | VisitCompleted
    | ReportOverdue
    | VisitReported
    | ConsultationNews
    | ProgrammeInfeasible
    | ProgrammeTold
)


@dataclass(frozen=True, slots=True)
class Letters:
    """The templates of an event's notices by audience; None where nobody is told."""

    ministry: str | None = None
    persons: str | None = None
    body: str | None = None
    office: str | None = None


# RequestApproved and VisitConfirmed are not here on purpose. Approval sets off the scheduling at once, so
# the ministry hears of it together with the programme (or with the reason why there is none), and a
# confirmation comes back as ProgrammeReleased: a second message would say the same thing twice.
LETTERS: Mapping[type[Cause], Letters] = {
    RequestSubmitted: Letters(ministry="request_received", office="request_to_screen"),
    RequestAmended: Letters(ministry="amendment_received", office="request_amended"),
    InformationRequested: Letters(ministry="information_requested"),
    RequestDeclined: Letters(ministry="request_declined"),
    RequestWithdrawn: Letters(ministry="withdrawal_confirmed", office="request_withdrawn"),
    VisitCancelled: Letters(ministry="visit_cancelled", office="visit_called_off"),
    VisitCompleted: Letters(ministry="visit_completed"),
    ReportOverdue: Letters(ministry="report_overdue", office="report_missing"),
    VisitReported: Letters(office="report_arrived"),
    ConsultationOpened: Letters(body="consultation_opened"),
    ConsultationAnswered: Letters(office="consultation_objected"),
    ConsultationOverdue: Letters(body="consultation_overdue", office="consultation_missing"),
    ProgrammeInfeasible: Letters(ministry="programme_infeasible", office="programme_not_found"),
    ProgrammeProposed: Letters(ministry="programme_proposed", persons="part_proposed"),
    ProgrammeRevised: Letters(ministry="programme_revised", persons="part_revised"),
    ProgrammeReleased: Letters(ministry="programme_released", persons="part_released"),
    # The ministry hears of what took the programme away: declined, withdrawn, cancelled or infeasible.
    ProgrammeCancelled: Letters(persons="part_cancelled"),
}


def notices_of(event: Event[Any], office: Office, told: Told) -> tuple[Notice, ...]:
    """Decide whom ``event`` has to be told to: one notice a recipient, ministry first, office last.

    ``event.data`` is a `Cause`; ``told`` is empty unless it is a programme.
    """
    data: Cause = event.data
    letters = _letters(data)
    notices: list[Notice] = []
    if letters.ministry:
        slots = () if not isinstance(data, ProgrammeTold) else data.slots
        notices += [Notice(contact, letters.ministry, slots) for contact in _ministry(data)]
    if letters.persons and isinstance(data, ProgrammeTold):
        notices += persons_notices(data, letters.persons, told)
    if letters.body and isinstance(data, ConsultationNews):
        notices.append(Notice(_body(data), letters.body))
    if letters.office:
        desk = Recipient("office", None, None, office.address, office.language)
        notices.append(Notice(desk, letters.office))
    return _one_each(notices)


def _one_each(notices: Iterable[Notice]) -> tuple[Notice, ...]:
    first: dict[str, Notice] = {}
    for notice in notices:
        first.setdefault(notice.recipient.key, notice)
    return tuple(first.values())


def _letters(data: Cause) -> Letters:
    if isinstance(data, ConsultationAnswered) and data.answer != "object":
        return Letters()  # consent changes nothing that the office has to act on
    return LETTERS[type(data)]


def _ministry(data: Cause) -> Iterator[Recipient]:
    if isinstance(data.people, MinistryPeople):
        for contact in data.people.focal_points:
            yield Recipient("ministry", None, contact.name, contact.email, contact.language)


def _body(data: ConsultationNews) -> Recipient:
    """Write to a consulted body as to a ministry: it is an authority outside the Centre, too."""
    contact = data.people.contact
    name = PersonName(latin=contact.name, arabic=contact.name) if contact.name else None
    return Recipient("ministry", None, name, contact.email, contact.language)
