"""Who and what suits a delegation's needs, at whatever time."""

from datetime import timedelta

from schemas.terms import Rank, VisitKind
from schemas.visits import Needs
from services.scheduling.centre import Centre, Gender, Person, SiteRules, Venue

BUFFER_MINUTES = 15
"""Between two sessions of a delegation in different places of the same premises."""

HALF_DAY_MINUTES = 240
"""A courtesy visit of one day ends within this time after its welcome begins."""

TRANSFER = timedelta(minutes=90)
"""Between landing and the first session."""

CHECK_IN = timedelta(hours=3)
"""Between the last session and the departure."""

MOST_GROUPS = 6
"""Into how many groups a delegation may be split for a site: more would spend their days waiting."""


def is_half_day(needs: Needs) -> bool:
    """Whether this is a half-day courtesy visit, whose themes are treated as far as they fit."""
    return needs.kind is VisitKind.COURTESY and needs.days == 1


def hosts_for(guest: Rank, centre: Centre) -> tuple[Person, ...]:
    """The hosts of the guest's rank or above, the nearest in rank first.

    When the guest outranks every host, those of the highest rank that the Centre has receive.
    """
    ranked = [(person.rank.order, person) for person in centre.in_role("host") if person.rank]
    if not ranked:
        return ()
    lowest_fit = max(guest.order, min(order for order, _ in ranked))
    fit = [(order, person) for order, person in ranked if order <= lowest_fit]
    return tuple(person for _, person in sorted(fit, key=lambda pair: -pair[0]))


def experts_on(theme: str, centre: Centre) -> tuple[Person, ...]:
    """The experts who speak about a theme."""
    return tuple(person for person in centre.in_role("expert") if theme in person.themes)


def escorts_for(site: Venue, centre: Centre) -> tuple[Person, ...]:
    """The escorts cleared for a site, of the gender that it asks for."""
    wanted: Gender | None = site.site.escort_gender if site.site else None
    return tuple(
        person
        for person in centre.in_role("escort")
        if site.code in person.sites and (wanted is None or wanted == person.gender)
    )


def suitable_rooms(
    needs: Needs, centre: Centre, kinds: tuple[str, ...] = ("meeting", "hall"), features: tuple[str, ...] = ()
) -> tuple[Venue, ...]:
    """The rooms of some kinds that seat the delegation and offer all it needs, the smallest first."""
    rooms = [
        venue
        for venue in centre.venues
        if venue.kind in kinds
        and venue.capacity >= needs.size
        and {*needs.access_needs, *features} <= {*venue.features}
    ]
    return tuple(sorted(rooms, key=lambda venue: venue.capacity))


def shares_a_language(person: Person, needs: Needs) -> bool:
    """Whether a person and the delegation can talk without an interpreter."""
    return not set(person.languages).isdisjoint(needs.languages)


def interpreters_between(lead: Person, needs: Needs, centre: Centre) -> tuple[Person, ...]:
    """The interpreters, other than the lead, between the lead's and the delegation's languages."""
    return tuple(
        person
        for person in centre.in_role("interpreter")
        if person.code != lead.code and any(_bridges(pair, lead, needs) for pair in person.pairs)
    )


def interpreters_at_once(minutes: int, centre: Centre) -> int:
    """How many interpreters a session takes: two, who take turns, when it is longer than a spell may be."""
    return 1 if minutes <= centre.interpreting.longest_spell else 2


def _bridges(pair: tuple[str, str], lead: Person, needs: Needs) -> bool:
    return any(a in lead.languages and b in needs.languages for a, b in (pair, pair[::-1]))


def visitors_at_once(site: Venue, rules: SiteRules) -> int:
    """How many visitors a site takes at one time."""
    return min(rules.group_cap, site.capacity)


def groups_of(needs: Needs, centre: Centre) -> tuple[int, ...]:
    """The sizes of the groups that a delegation is split into, as few and as equal as its sites allow.

    One group, the whole delegation, when every site takes all at once; `site_admits` tells of sites
    that would need more groups than are possible.
    """
    caps = [
        visitors_at_once(site, site.site)
        for code in needs.sites
        if (site := centre.venue(code)) and site.site and site_admits(site, needs)
    ]
    count = max((-(-needs.size // cap) for cap in caps), default=1)
    return tuple(needs.size // count + (number < needs.size % count) for number in range(count))


def site_admits(site: Venue, needs: Needs) -> bool:
    """Whether a site's standing rules let the delegation in: group cap, media, confidentiality, access."""
    rules = site.site
    return (
        rules is not None
        and needs.size <= MOST_GROUPS * visitors_at_once(site, rules)
        and (rules.media_allowed or not needs.media)
        and (needs.confidentiality_signed or not rules.confidentiality_required)
        and set(needs.access_needs) <= {*site.features}
    )
