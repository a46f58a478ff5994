"""Venues: kind, seats, features, closures, and the rules of sites."""

from collections.abc import Iterator

from benchmarks.programmes.verifier.case import Case
from schemas.scheduling import Slot
from services.scheduling.centre import SiteRules, Venue


def fitting_places(case: Case) -> Iterator[str]:
    """Every complaint about where a slot takes place."""
    for slot in case.new:
        venue, item = case.venue(slot), case.item(slot)
        size = slot.group_size or case.needs.size
        if venue.capacity < size:
            yield f"{slot.key}: {size} guests do not fit into {venue.code}"
        if item and venue.kind not in item.venues:
            yield f"{slot.key} is in a venue of the wrong kind"
        asked = {*case.needs.access_needs, *(item.features if item else ())}
        if lacking := asked - {*venue.features}:
            yield f"{slot.key}: {venue.code} does not offer {', '.join(sorted(lacking))}"
        day = case.local(slot.starts).date()
        if any(closure.first <= day <= closure.last for closure in venue.closures):
            yield f"{slot.key}: {venue.code} is closed"
        if slot.kind == "tour":
            yield from _tour(case, slot, venue, size)


def _tour(case: Case, slot: Slot, venue: Venue, size: int) -> Iterator[str]:
    if venue.site is None or venue.code != case.subject(slot):
        yield f"{slot.key} is somewhere else"
        return
    rules = venue.site
    if size > rules.group_cap:
        yield f"{slot.key}: {venue.code} admits {rules.group_cap} and not {size}"
    if case.needs.media and not rules.media_allowed:
        yield f"{slot.key}: {venue.code} admits no media"
    if rules.confidentiality_required and not case.needs.confidentiality_signed:
        yield f"{slot.key}: confidentiality is not signed"
    yield from _shut(case, slot, rules)


def _shut(case: Case, slot: Slot, rules: SiteRules) -> Iterator[str]:
    begin, end = (case.local(moment).time() for moment in (slot.starts, slot.ends))
    if any(begin < hours.end and end > hours.start for hours in rules.blackout_hours):
        yield f"{slot.key} is in blackout hours"
