"""Which sessions a visit consists of, and everybody and everything that suits each, at whatever time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from schemas.terms import Bilingual
from schemas.visits import Needs
from services.scheduling.calendar import in_ramadan
from services.scheduling.catalogue import Hours, Item, Kind, Role
from services.scheduling.centre import Centre, Person, Theme, Venue
from services.scheduling.domain import (
    escorts_for,
    experts_on,
    groups_of,
    hosts_for,
    interpreters_at_once,
    interpreters_between,
    shares_a_language,
    site_admits,
    suitable_rooms,
    visitors_at_once,
)

AFTER_A_BRIEFING: tuple[Kind, ...] = ("briefing", "workshop", "bilateral")
"""What prepares a delegation for a site that is shown after a briefing only."""


@dataclass(frozen=True)
class Part:
    """One role in a session and who may have it."""

    role: Role
    people: tuple[str, ...]


@dataclass(frozen=True)
class Session:
    """One session wanted and everybody and everything that suits it.

    ``interpreters`` lists, for each person of the parts who shares no language with the delegation, who
    can help; ``teams`` is how many of them are needed at once. ``group`` is the number of the group that
    takes part, None for all; ``day`` the number of the only day of the run it may be on; ``within`` the
    hours it is held in, through breaks; for each of ``after``, one session of one of these kinds has to
    be over before.
    """

    key: str
    kind: str
    title: Bilingual
    minutes: int
    venues: tuple[str, ...]
    parts: tuple[Part, ...]
    interpreters: Mapping[str, tuple[str, ...]]
    teams: int
    size: int
    group: int | None = None
    theme: str | None = None
    day: int | None = None
    within: Hours | None = None
    after: tuple[tuple[Kind, ...], ...] = ()

    @property
    def stage(self) -> int:
        """Its place in the order that every visit has: welcome, courtesy call, all others, closing."""
        return {"welcome": 0, "courtesy-call": 1, "closing": 3}.get(self.kind, 2)

    def meets(self, other: "Session") -> bool:
        """Whether some of the delegation are in both sessions, so that these cannot be at one time."""
        return self.group is None or other.group is None or self.group == other.group


def sessions_wanted(needs: Needs, centre: Centre, days: tuple[date, ...]) -> tuple[Session, ...]:
    """The sessions of the outline for the visit's kind, in its order, on a run of days.

    Themes and sites that the Centre does not have are left out: `reasons.standing_faults` names them.
    """
    items = {item.code: item for item in centre.catalogue}
    outline = [items[code] for code in centre.outlines[needs.kind]]
    return tuple(session for item in outline for session in _sessions_of(item, needs, centre, days))


def _sessions_of(item: Item, needs: Needs, centre: Centre, days: tuple[date, ...]) -> Iterator[Session]:
    match item.each:
        case "visit":
            day = {"welcome": 0, "courtesy-call": 0, "closing": len(days) - 1}.get(item.kind)
            yield _session(item, needs, centre, key=item.code, day=day)
        case "day":
            for number, day_ in enumerate(days):
                if item.kind != "lunch" or not in_ramadan(centre, day_):
                    yield _session(item, needs, centre, key=f"{item.code}-{number + 1}", day=number)
        case "theme":
            for theme in (theme for code in needs.themes if (theme := centre.theme(code))):
                yield _session(item, needs, centre, key=f"{item.code}-{theme.code}", theme=theme)
        case "site":
            sites = (site for code in needs.sites if (site := centre.venue(code)) and site.site)
            for site in sites:
                yield from _tours(item, site, needs, centre)


def _tours(item: Item, site: Venue, needs: Needs, centre: Centre) -> Iterator[Session]:
    """One tour for all, or one for each group when the site does not take all at once."""
    assert site.site is not None  # noqa: S101 -- the caller chose sites
    key = f"{item.code}-{site.code}"
    groups = groups_of(needs, centre)
    if needs.size <= visitors_at_once(site, site.site) or len(groups) == 1:
        yield _session(item, needs, centre, key=key, site=site)
        return
    for number, size in enumerate(groups, start=1):
        group = needs.model_copy(update={"size": size})
        yield _session(item, group, centre, key=f"{key}-group-{number}", site=site, group=number)


def _session(
    item: Item,
    needs: Needs,
    centre: Centre,
    *,
    key: str,
    theme: Theme | None = None,
    site: Venue | None = None,
    day: int | None = None,
    group: int | None = None,
) -> Session:
    rules = site.site if site else None
    subject = theme.title if theme else site.name if site else None
    minutes = item.minutes or (theme.minutes if theme else 0) or (rules.tour_minutes if rules else 0)
    at_once = interpreters_at_once(minutes, centre)
    parts = tuple(
        (role, _people(role, needs, centre, theme, site))
        for role in item.roles
        if role != "escort" or rules is None or rules.escort_required
    )
    helped = {
        person.code: tuple(one.code for one in interpreters_between(person, needs, centre))
        for _, people in parts
        for person in people
        if not shares_a_language(person, needs)
    }
    rooms = suitable_rooms(needs, centre, item.venues, item.features)
    venues = rooms if site is None else (site,) if site_admits(site, needs) else ()
    prepared = AFTER_A_BRIEFING if rules and rules.after_briefing else ()
    return Session(
        key=key,
        kind=item.kind,
        title=item.title if subject is None else _filled(item.title, subject),
        minutes=minutes,
        venues=tuple(venue.code for venue in venues),
        parts=tuple(
            Part(role, tuple(one.code for one in people if _can_talk(one.code, helped, at_once)))
            for role, people in parts
        ),
        interpreters=helped,
        teams=at_once,
        size=needs.size,
        group=group,
        theme=theme.code if theme else None,
        day=day,
        within=item.hours,
        after=tuple(kinds for kinds in (item.after, prepared) if kinds),
    )


def _people(
    role: Role, needs: Needs, centre: Centre, theme: Theme | None, site: Venue | None
) -> tuple[Person, ...]:
    match role:
        case "host":
            return hosts_for(needs.head_rank, centre)
        case "expert" if theme:
            return experts_on(theme.code, centre)
        case "escort" if site:
            return escorts_for(site, centre)
        case _:
            return centre.in_role(role)


def _can_talk(code: str, helped: Mapping[str, tuple[str, ...]], at_once: int) -> bool:
    return code not in helped or len(helped[code]) >= at_once


def _filled(title: Bilingual, subject: Bilingual) -> Bilingual:
    return Bilingual(ar=title.ar.replace("{}", subject.ar), en=title.en.replace("{}", subject.en))
