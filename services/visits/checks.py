"""What is wrong with a well-formed request: contradictions in it, to the catalogue, to the calendar."""

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, timedelta

from runtime.bodies import Problem
from schemas.scheduling import CataloguePublished, SiteEntry
from schemas.terms import VisitKind
from services.visits.people import Leg, Member, Role
from services.visits.request import VisitRequest

HORIZON = timedelta(days=730)
"""How far ahead a visit can be asked for."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a request is checked against: the newest catalogue, and the day at the Centre."""

    catalogue: CataloguePublished
    today: date


Check = Callable[[VisitRequest, Circumstances], Iterable[Problem]]

CHECKS: list[tuple[frozenset[str], Check]] = []
"""Every check with the fields of the request that it looks at."""

ALL_FIELDS = frozenset(VisitRequest.model_fields)


def problems(
    request: VisitRequest, catalogue: CataloguePublished, today: date, sound: AbstractSet[str] = ALL_FIELDS
) -> list[Problem]:
    """List what is wrong with ``request`` on ``today``, looking at its ``sound`` fields only."""
    circumstances = Circumstances(catalogue, today)
    return [
        problem for fields, check in CHECKS if fields <= sound for problem in check(request, circumstances)
    ]


def looks_at(*fields: str) -> Callable[[Check], Check]:
    """Register a check with the fields it reads."""

    def register(check: Check) -> Check:
        CHECKS.append((frozenset(fields), check))
        return check

    return register


@looks_at("note_verbale")
def _note_is_written(request: VisitRequest, on: Circumstances) -> Iterator[Problem]:
    if request.note_verbale.date > on.today + timedelta(
        days=1
    ):  # it may be tomorrow already where it is written
        yield Problem("/note_verbale/date", "the note verbale is dated in the future")


@looks_at("type", "recurrence")
def _recurrence_fits_type(request: VisitRequest, _: Circumstances) -> Iterator[Problem]:
    if request.type == "recurring" and request.recurrence is None:
        yield Problem("/recurrence", "a recurring visit needs its recurrence")
    if request.type == "one_time" and request.recurrence is not None:
        yield Problem("/recurrence", "a one-time visit has no recurrence; set the type to recurring")


@looks_at("urgency")
def _urgency_has_a_reason(request: VisitRequest, _: Circumstances) -> Iterator[Problem]:
    if request.urgency.level != "routine" and request.urgency.reason is None:
        yield Problem("/urgency/reason", f"an {request.urgency.level} request needs a reason")


@looks_at("kind", "themes", "objectives")
def _purpose_is_given(request: VisitRequest, _: Circumstances) -> Iterator[Problem]:
    if request.kind is VisitKind.COURTESY:
        return
    if not request.themes:
        yield Problem("/themes", f"a visit of the kind {request.kind} needs at least one theme")
    if request.objectives is None:
        yield Problem("/objectives", f"a visit of the kind {request.kind} needs its objectives")


@looks_at("themes")
def _themes_are_known(request: VisitRequest, on: Circumstances) -> Iterator[Problem]:
    known = {theme.code for theme in on.catalogue.themes}
    yield from _unknown_or_twice("theme", "/themes", request.themes, known)


@looks_at("sites")
def _sites_are_known(request: VisitRequest, on: Circumstances) -> Iterator[Problem]:
    known = {site.code for site in on.catalogue.sites}
    yield from _unknown_or_twice("site", "/sites", request.sites, known)


def _unknown_or_twice(
    what: str, at: str, codes: tuple[str, ...], known: AbstractSet[str]
) -> Iterator[Problem]:
    for place, code in enumerate(codes):
        if code not in known:
            yield Problem(f"{at}/{place}", f"the catalogue has no {what} {code}; see GET /v1/catalogue")
        elif code in codes[:place]:
            yield Problem(f"{at}/{place}", f"the {what} {code} is named twice")


@looks_at("windows", "days", "blackout_dates")
def _windows_hold_the_visit(request: VisitRequest, on: Circumstances) -> Iterator[Problem]:
    for place, window in enumerate(request.windows):
        at = f"/windows/{place}"
        if window in request.windows[:place]:
            yield Problem(at, "the window is named twice")
        elif window.last < on.today:
            yield Problem(at, f"the window ended on {window.last}, before today ({on.today})")
        elif window.last > on.today + HORIZON:
            yield Problem(at, f"the window ends after {on.today + HORIZON}, two years ahead")
        else:
            first = max(window.first, on.today)
            barred = sum(first <= day <= window.last for day in set(request.blackout_dates))
            free = (window.last - first).days + 1 - barred
            if free < request.days:
                yield Problem(at, f"the window leaves {free} days; the visit takes {request.days}")


@looks_at("size", "members")
def _size_is_the_members(request: VisitRequest, _: Circumstances) -> Iterator[Problem]:
    if request.size != len(request.members):
        yield Problem("/size", f"the size is {request.size}; {len(request.members)} members are named")


@looks_at("size")
def _size_fits_the_house(request: VisitRequest, on: Circumstances) -> Iterator[Problem]:
    if request.size > on.catalogue.largest_venue:
        yield Problem("/size", f"the largest venue seats {on.catalogue.largest_venue} people")


@looks_at("sites", "size")
def _sites_take_the_group(request: VisitRequest, on: Circumstances) -> Iterator[Problem]:
    for at, site in _wanted_sites(request, on):
        most = site.visitors or site.group_cap
        if request.size > most:
            yield Problem(
                at, f"the site {site.code} takes {most} visitors; the delegation has {request.size}"
            )


@looks_at("sites", "media")
def _sites_allow_media(request: VisitRequest, on: Circumstances) -> Iterator[Problem]:
    barred = [site.code for _, site in _wanted_sites(request, on) if not site.media_allowed]
    if request.media and barred:
        yield Problem("/media", f"media are not allowed at: {', '.join(barred)}")


@looks_at("sites", "confidentiality_signed")
def _confidentiality_is_signed(request: VisitRequest, on: Circumstances) -> Iterator[Problem]:
    strict = [site.code for _, site in _wanted_sites(request, on) if site.confidentiality_required]
    if strict and not request.confidentiality_signed:
        yield Problem("/confidentiality_signed", f"confidentiality has to be signed for: {', '.join(strict)}")


def _wanted_sites(request: VisitRequest, on: Circumstances) -> Iterator[tuple[str, SiteEntry]]:
    known = {site.code: site for site in on.catalogue.sites}
    for place, code in enumerate(request.sites):
        if code in known:
            yield f"/sites/{place}", known[code]


@looks_at("members")
def _one_leads(request: VisitRequest, _: Circumstances) -> Iterator[Problem]:
    heads = [place for place, member in enumerate(request.members) if member.role is Role.HEAD]
    if not heads:
        yield Problem("/members", "one of the members has to have the role head")
    for place in heads[1:]:
        yield Problem(f"/members/{place}/role", f"the delegation has a head already, member {heads[0]}")


@looks_at("members", "media")
def _media_are_announced(request: VisitRequest, _: Circumstances) -> Iterator[Problem]:
    if not request.media and any(member.role is Role.MEDIA for member in request.members):
        yield Problem("/media", "members have the role media, so media has to be true")


@looks_at("members")
def _members_are_sound(request: VisitRequest, on: Circumstances) -> Iterator[Problem]:
    for place, member in enumerate(request.members):
        at = f"/members/{place}"
        yield from _consent_covers_health(member, at)
        yield from _visa_has_its_papers(member, at)
        yield from _leaves_after_arriving(member.arrival, member.departure, at)
        if member.date_of_birth is not None and member.date_of_birth >= on.today:
            yield Problem(f"{at}/date_of_birth", "the date of birth is not in the past")


def _consent_covers_health(member: Member, at: str) -> Iterator[Problem]:
    if (member.diet or member.accessibility or member.medical) and not member.consent:
        yield Problem(f"{at}/consent", "data about health, access or diet need the member's consent")


def _visa_has_its_papers(member: Member, at: str) -> Iterator[Problem]:
    if not member.visa_needed:
        return
    for field in ("passport", "nationality", "date_of_birth"):
        if getattr(member, field) is None:
            yield Problem(f"{at}/{field}", f"a member who needs a visa needs the {field.replace('_', ' ')}")


def _leaves_after_arriving(arrival: Leg | None, departure: Leg | None, at: str) -> Iterator[Problem]:
    if arrival and departure and departure.at <= arrival.at:
        yield Problem(f"{at}/departure/at", "the departure is not after the arrival")


@looks_at("members", "windows")
def _passports_last(request: VisitRequest, _: Circumstances) -> Iterator[Problem]:
    last = max(window.last for window in request.windows)
    for place, member in enumerate(request.members):
        if member.passport and member.passport.expires <= last:
            yield Problem(
                f"/members/{place}/passport/expires",
                f"the passport expires before the visit may end ({last})",
            )


@looks_at("members")
def _passports_differ(request: VisitRequest, _: Circumstances) -> Iterator[Problem]:
    seen: dict[tuple[str, str], int] = {}
    for place, member in enumerate(request.members):
        if member.passport is None:
            continue
        first = seen.setdefault((member.passport.issued_by, member.passport.number), place)
        if first != place:
            yield Problem(f"/members/{place}/passport/number", f"member {first} has the same passport")


@looks_at("logistics")
def _flights_are_in_order(request: VisitRequest, _: Circumstances) -> Iterator[Problem]:
    yield from _leaves_after_arriving(request.logistics.arrival, request.logistics.departure, "/logistics")
