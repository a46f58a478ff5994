"""What a delegation's needs mean: which sessions, who may hold them and where, and on which days."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from schemas.terms import Bilingual, DateWindow, Rank, VisitKind
from schemas.visits import Needs
from services.scheduling.calendar import free_intervals
from services.scheduling.catalogue import Role
from services.scheduling.centre import Centre, Gender, Person, Venue

WELCOME_MINUTES = 30
CLOSING_MINUTES = 30
HALF_DAY_MINUTES = 240
"""A courtesy visit of one day ends within this time after its welcome begins."""

BUFFER_MINUTES = 15
"""Between two sessions of a delegation in different places."""

ALTERNATIVES_WITHIN = timedelta(weeks=8)

_WELCOME = Bilingual(ar="استقبال الوفد", en="Welcome of the delegation")
_CLOSING = Bilingual(ar="الجلسة الختامية", en="Closing session")


@dataclass(frozen=True)
class Session:
    """One session wanted and everybody and everything that suits it, at whatever time.

    ``interpreters`` lists, for each lead who shares no language with the delegation, who can help;
    a lead who is not among its keys needs nobody.
    """

    key: str
    kind: Literal["welcome", "briefing", "tour", "closing"]
    title: Bilingual
    minutes: int
    venues: tuple[str, ...]
    lead: Role | None
    leads: tuple[str, ...]
    interpreters: Mapping[str, tuple[str, ...]]
    after_briefing: bool = False


def is_half_day(needs: Needs) -> bool:
    """Whether this is a half-day courtesy visit, whose themes are treated as far as they fit."""
    return needs.kind is VisitKind.COURTESY and needs.days == 1


def sessions_wanted(needs: Needs, centre: Centre) -> tuple[Session, ...]:
    """A welcome, a briefing for each theme, a tour of each site and a closing, in this order.

    Themes and sites that the Centre does not have are left out: `reasons.standing_faults` names them.
    """
    rooms = suitable_rooms(needs, centre)
    hosts = hosts_for(needs.head_rank, centre)
    themes = [theme for code in needs.themes if (theme := centre.theme(code))]
    sites = [venue for code in needs.sites if (venue := centre.venue(code)) and venue.site]
    briefings = [
        _led(
            f"briefing-{theme.code}", "briefing", theme.title, theme.minutes, rooms,
            "expert", experts_on(theme.code, centre), needs, centre,
        )
        for theme in themes
    ]  # fmt: skip
    return (
        _led("welcome", "welcome", _WELCOME, WELCOME_MINUTES, rooms, "host", hosts, needs, centre),
        *briefings,
        *(_tour(site, needs, centre) for site in sites),
        _led("closing", "closing", _CLOSING, CLOSING_MINUTES, rooms, "host", hosts, needs, centre),
    )


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


def suitable_rooms(needs: Needs, centre: Centre) -> tuple[Venue, ...]:
    """The rooms that seat the delegation and meet its access needs, the smallest first."""
    rooms = [
        venue
        for venue in centre.venues
        if venue.kind != "site"
        and venue.capacity >= needs.size
        and set(needs.access_needs) <= {*venue.features}
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


def _bridges(pair: tuple[str, str], lead: Person, needs: Needs) -> bool:
    return any(a in lead.languages and b in needs.languages for a, b in (pair, pair[::-1]))


def _led(
    key: str,
    kind: Literal["welcome", "briefing", "tour", "closing"],
    title: Bilingual,
    minutes: int,
    venues: tuple[Venue, ...],
    role: Role | None,
    leads: tuple[Person, ...],
    needs: Needs,
    centre: Centre,
    *,
    after_briefing: bool = False,
) -> Session:
    helped = {
        lead.code: tuple(person.code for person in interpreters_between(lead, needs, centre))
        for lead in leads
        if not shares_a_language(lead, needs)
    }
    return Session(
        key=key,
        kind=kind,
        title=title,
        minutes=minutes,
        venues=tuple(venue.code for venue in venues),
        lead=role,
        leads=tuple(lead.code for lead in leads if helped.get(lead.code, (lead.code,))),
        interpreters=helped,
        after_briefing=after_briefing,
    )


def _tour(site: Venue, needs: Needs, centre: Centre) -> Session:
    rules = site.site
    assert rules is not None  # noqa: S101 -- the caller chose sites
    title = Bilingual(ar=f"جولة: {site.name.ar}", en=f"Tour: {site.name.en}")
    escorted = rules.escort_required
    return _led(
        f"tour-{site.code}", "tour", title, rules.tour_minutes,
        (site,) if site_admits(site, needs) else (),
        "escort" if escorted else None,
        escorts_for(site, centre) if escorted else (),
        needs, centre, after_briefing=rules.after_briefing,
    )  # fmt: skip


def site_admits(site: Venue, needs: Needs) -> bool:
    """Whether a site's standing rules let the delegation in: group cap, media, confidentiality, access."""
    rules = site.site
    return (
        rules is not None
        and needs.size <= min(rules.group_cap, site.capacity)
        and (rules.media_allowed or not needs.media)
        and (needs.confidentiality_signed or not rules.confidentiality_required)
        and set(needs.access_needs) <= {*site.features}
    )


def runs_of_days(
    centre: Centre, window: DateWindow, needs: Needs, now: datetime
) -> tuple[tuple[date, ...], ...]:
    """All runs of ``needs.days`` consecutive working days of the window that are still to come.

    A run may stretch over a weekend or holiday, but not over a blackout date; runs that do not
    stretch come first, then the earliest.
    """
    days = [day for day in days_of(window) if _opens_after(centre, day, now)]
    runs = [tuple(days[at : at + needs.days]) for at in range(len(days) - needs.days + 1)]
    usable = [run for run in runs if not any(run[0] <= day <= run[-1] for day in needs.blackout_dates)]
    return tuple(sorted(usable, key=lambda run: (run[-1] - run[0], run[0])))


def days_of(window: DateWindow) -> Iterator[date]:
    """Every date of a window, in order."""
    for offset in range((window.last - window.first).days + 1):
        yield window.first + timedelta(days=offset)


def _opens_after(centre: Centre, day: date, now: datetime) -> bool:
    free = free_intervals(centre, day)
    return bool(free) and free[0].start > now


def horizon(needs: Needs, now: datetime, centre: Centre) -> DateWindow:
    """The local days that a search may look at: the windows, and eight weeks on from the first of them."""
    today = now.astimezone(centre.zone).date()
    first = max(today, min(window.first for window in needs.windows))
    last = max(window.last for window in needs.windows)
    return DateWindow(first=first, last=max(first + ALTERNATIVES_WITHIN, last))
