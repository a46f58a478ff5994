"""Why no programme is possible, in both languages, as far as that shows without solving."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from schemas.terms import Bilingual, DateWindow
from schemas.visits import Needs
from services.scheduling.calendar import closed_because, free_intervals
from services.scheduling.candidates import Blocked, Cause, Rule
from services.scheduling.centre import Centre, Person, SiteRules, Venue
from services.scheduling.domain import (
    MOST_GROUPS,
    escorts_for,
    experts_on,
    hosts_for,
    interpreters_between,
    shares_a_language,
    suitable_rooms,
    visitors_at_once,
)
from services.scheduling.problem import Problem
from services.scheduling.runs import days_of, recent
from services.scheduling.sessions import Session, sessions_wanted


@dataclass(frozen=True)
class Fault:
    """A reason that holds at any time, and the theme or site without which it would not."""

    reason: Bilingual
    theme: str | None = None
    site: str | None = None


def _say(ar: str, en: str) -> Bilingual:
    return Bilingual(ar=ar, en=en)


def standing_faults(needs: Needs, centre: Centre) -> tuple[Fault, ...]:
    """What stands against the request whatever the dates."""
    themes = ((code, reason) for code in needs.themes for reason in _theme_faults(code, needs, centre))
    sites = ((code, reason) for code in needs.sites for reason in _site_faults(code, needs, centre))
    return (
        *(Fault(reason) for reason in (*_room_faults(needs, centre), *_host_faults(needs, centre))),
        *(Fault(reason, theme=code) for code, reason in themes),
        *(Fault(reason, site=code) for code, reason in sites),
    )


def _room_faults(needs: Needs, centre: Centre) -> Iterator[Bilingual]:
    if suitable_rooms(needs, centre):
        outline = centre.outlines[needs.kind]
        for item in centre.catalogue:
            rooms = suitable_rooms(needs, centre, item.venues, item.features)
            if item.code in outline and item.each != "site" and not rooms:
                yield _say(
                    f"{item.title.ar}: لا يوجد مكان مناسب يتسع لـ {needs.size} شخصا.",
                    f"{item.title.en}: no fitting place seats {needs.size} people.",
                )
        return
    size, wanted = needs.size, ", ".join(needs.access_needs)
    largest = max((venue.capacity for venue in centre.venues if venue.kind in {"meeting", "hall"}), default=0)
    if size > largest:
        yield _say(
            f"الوفد مكون من {size} شخصا، وأكبر قاعة تتسع لـ {largest}.",
            f"The delegation has {size} members; the largest room seats {largest}.",
        )
    else:
        yield _say(
            f"لا توجد قاعة تتسع لـ {size} شخصا وتتوفر فيها: {wanted}.",
            f"No room for {size} people offers: {wanted}.",
        )


def _host_faults(needs: Needs, centre: Centre) -> Iterator[Bilingual]:
    hosts = hosts_for(needs.head_rank, centre)
    if not hosts:
        yield _say("ليس لدى المركز مضيفون.", "The Centre has no hosts.")
    elif not any(_can_talk(host, needs, centre) for host in hosts):
        yield _no_interpreter("استقبال الوفد", "Welcome of the delegation", needs)


def _theme_faults(code: str, needs: Needs, centre: Centre) -> Iterator[Bilingual]:
    theme = centre.theme(code)
    if theme is None:
        yield _say(f"لا يقدم المركز الموضوع {code}.", f"The Centre does not offer the theme {code}.")
        return
    experts = experts_on(code, centre)
    if not experts:
        yield _say(
            f"لا يوجد خبير في الموضوع: {theme.title.ar}.", f"No expert speaks about: {theme.title.en}."
        )
    elif not any(_can_talk(expert, needs, centre) for expert in experts):
        yield _no_interpreter(theme.title.ar, theme.title.en, needs)


def _site_faults(code: str, needs: Needs, centre: Centre) -> Iterator[Bilingual]:
    site = centre.venue(code)
    if site is None or site.site is None:
        yield _say(f"لا يوجد موقع للزيارة بالرمز {code}.", f"There is no site {code} to tour.")
        return
    for broken in _broken_rules(site, site.site, needs):
        yield _say(f"{site.name.ar}: {broken.ar}", f"{site.name.en}: {broken.en}")
    escorts = escorts_for(site, centre)
    if not site.site.escort_required:
        return
    if not escorts:
        yield _say(
            f"{site.name.ar}: لا يوجد مرافق مخول.", f"{site.name.en}: no escort is cleared for this site."
        )
    elif not any(_can_talk(escort, needs, centre) for escort in escorts):
        yield _no_interpreter(site.name.ar, site.name.en, needs)


def _broken_rules(site: Venue, rules: SiteRules, needs: Needs) -> Iterator[Bilingual]:
    cap = visitors_at_once(site, rules)
    missing = ", ".join(code for code in needs.access_needs if code not in site.features)
    if needs.size > MOST_GROUPS * cap:
        yield _say(
            f"يستقبل {cap} زائرا في المرة ولا أكثر من {MOST_GROUPS} مجموعات، والوفد مكون من {needs.size}.",
            f"admits {cap} visitors at a time, in {MOST_GROUPS} groups at most; "
            f"the delegation has {needs.size}.",
        )
    if needs.media and not rules.media_allowed:
        yield _say("لا يسمح بدخول وسائل الإعلام.", "media are not admitted.")
    if rules.confidentiality_required and not needs.confidentiality_signed:
        yield _say("يشترط توقيع تعهد السرية.", "the confidentiality agreement has to be signed first.")
    if missing:
        yield _say(f"لا تتوفر فيه: {missing}.", f"does not offer: {missing}.")
    if rules.after_briefing and not needs.themes:
        yield _say(
            "لا يزار إلا بعد إحاطة، ولم يطلب أي موضوع.",
            "is shown only after a briefing, and no theme was asked for.",
        )


def _can_talk(lead: Person, needs: Needs, centre: Centre) -> bool:
    return shares_a_language(lead, needs) or bool(interpreters_between(lead, needs, centre))


def _no_interpreter(ar: str, en: str, needs: Needs) -> Bilingual:
    languages = ", ".join(needs.languages)
    return _say(
        f"{ar}: لا يوجد مترجم من وإلى لغة الوفد ({languages}).",
        f"{en}: no interpreter works to and from the delegation's language ({languages}).",
    )


def unknown_wishes(problem: Problem) -> tuple[Bilingual, ...]:
    """Wishes for sessions that the visit would not have any more, whatever the days."""
    if not problem.wishes:
        return ()
    held = sorted({slot.starts.astimezone(problem.centre.zone).date() for slot in problem.held})
    days = (*held, *(held or [problem.needs.windows[0].first])[-1:] * problem.needs.days)[
        : problem.needs.days
    ]
    keys = {session.key for session in sessions_wanted(problem.needs, problem.centre, days)}
    return tuple(
        _say(
            f"لم تعد الجلسة {wish.key} جزءا من البرنامج.",
            f"The session {wish.key} is no part of this visit's programme any more.",
        )
        for wish in problem.wishes
        if wish.key not in keys
    )


def calendar_reason(problem: Problem, window: DateWindow) -> Bilingual:
    """Why a window holds no run of enough working days still to come: what closes its days, by name."""
    days, first, last = problem.needs.days, window.first, window.last
    ar = f"لا توجد أيام عمل متتالية كافية ({days}) من {first} إلى {last}"
    en = f"There are not enough consecutive working days ({days}) from {first} to {last}"
    causes = {cause: None for day in days_of(recent(problem, window)) if (cause := _unusable(problem, day))}
    if not causes:
        return _say(f"{ar}.", f"{en}.")
    return _say(
        f"{ar}: {'، '.join(cause.ar for cause in causes)}.",
        f"{en}: {', '.join(cause.en for cause in causes)}.",
    )


def _unusable(problem: Problem, day: date) -> Bilingual | None:
    closed = closed_because(problem.centre, day)
    if closed:
        return closed
    if day in problem.needs.blackout_dates:
        return _say("أيام استثناها الوفد", "dates that the delegation ruled out")
    free = free_intervals(problem.centre, day)
    if not free or free[0].start <= problem.now:
        return _say("أيام مضت", "days that are past")
    return None


_LACKS = {
    ("interpreter", "any"): _say("لا يوجد مترجم متاح", "No interpreter who could help is free for"),
    ("lead", "briefing"): _say("لا يوجد خبير متاح", "No expert is free for"),
    ("lead", "tour"): _say("لا يوجد مرافق متاح", "No escort is free for"),
    ("lead", "any"): _say("لا يوجد مضيف متاح برتبة مناسبة", "No host of a fitting rank is free for"),
    ("venue", "tour"): _say("الموقع مغلق أو محجوز", "The site is closed or taken"),
    ("venue", "any"): _say("لا توجد قاعة متاحة", "No room is free for"),
    ("pin", "any"): _say("تعذر إبقاء الجلسة المثبتة كما هي", "What is pinned cannot stay as it is"),
    ("grid", "any"): _say(
        "تبدأ الجلسات عند ربع ساعة كامل", "Sessions begin on a quarter of an hour, which was not wanted for"
    ),
    ("time_wanted", "any"): _say(
        "الوقت المطلوب خارج أوقات العمل أو لا يتاح فيه المكان والأشخاص",
        "The time wanted is outside the working hours or days, or place and people are not free then, for",
    ),
    ("venue_wanted", "any"): _say(
        "المكان المطلوب غير مناسب أو غير متاح", "The venue wanted does not suit, or is not free for"
    ),
    ("person_wanted", "any"): _say(
        "الشخص المطلوب لا يصلح لهذا الدور أو غير متاح",
        "The person wanted cannot have this part, or is not free for",
    ),
    ("wish", "any"): _say("تعذر التعديل المطلوب", "What is wanted cannot be had"),
    ("time", "any"): _say(
        "لا يوجد وقت يتاح فيه المكان والأشخاص معا", "At no time are place and people free together for"
    ),
}


def blocked_reason(blocked: Blocked) -> Bilingual:
    """Why one session has nothing left on the days looked at."""
    session = blocked.session
    words = _LACKS.get((blocked.lacks, session.kind)) or _LACKS[blocked.lacks, "any"]
    return _say(f"{words.ar}: {session.title.ar}.", f"{words.en}: {session.title.en}.")


def clash_reason(
    problem: Problem, sessions: tuple[Session, ...], days: tuple[date, ...], clash: frozenset[Cause]
) -> Bilingual:
    """The rules that together leave no programme on a run of days, each in a few words.

    People are named by their codes only: a reason stands outside an event's block for people.
    """
    titles = {session.key: session.title for session in sessions}
    words = [_words(problem.centre, titles, cause) for cause in sorted(clash, key=_in_turn)]
    first, last = days[0], days[-1]
    return _say(
        f"من {first} إلى {last} لا يمكن الجمع بين: {'، '.join(one.ar for one in words)}.",
        f"From {first} to {last} these cannot all be kept: {'; '.join(one.en for one in words)}.",
    )


def _in_turn(cause: Cause) -> tuple[int, str]:
    return (list(Rule).index(cause.rule), cause.subject)


def _words(centre: Centre, titles: Mapping[str, Bilingual], cause: Cause) -> Bilingual:
    kind, _, code = cause.subject.partition(":")
    venue = centre.venue(code) if kind == "venue" else None
    subject = venue.name if venue else titles.get(cause.subject) or _say(code or "-", code or "-")
    ar, en = _CAUSES[cause.rule]
    if cause.rule is Rule.ABSENCE and venue:
        ar, en = "{} غير صالح للاستعمال", "{} is out of use"
    return _say(ar.replace("{}", subject.ar), en.replace("{}", subject.en))


_CAUSES: Mapping[Rule, tuple[str, str]] = {
    Rule.WANTED: ("طلب «{}»", "“{}” is asked for"),
    Rule.BREAKS: ("استراحتا الصلاة والغداء", "the breaks for prayer and lunch"),
    Rule.CLOSURE: ("إغلاق المركز", "the Centre is closed for a time"),
    Rule.TRAVEL_DATES: ("موعدا وصول الوفد ومغادرته", "the delegation's arrival and departure"),
    Rule.TAKEN: ("ارتباط {} بزيارات أخرى", "{} is taken by other visits"),
    Rule.ABSENCE: ("غياب {}", "{} is away"),
    Rule.DAILY_LIMIT: ("الحد اليومي لجلسات {}", "{} may have no more sessions on a day"),
    Rule.SITE_HOURS: ("أوقات إغلاق {} أمام الزوار", "{} is closed to visitors at times"),
    Rule.ORDER: ("أن تسبق «{}» جلسة تمهد لها", "“{}” comes after a session that prepares it"),
    Rule.SPELL: ("راحة المترجم {} بين جلستين", "{} has to rest from interpreting"),
    Rule.WAY: ("وقت الانتقال بين الأماكن", "the ways between places"),
    Rule.HALF_DAY: ("انتهاء زيارة المجاملة في نصف يوم", "a courtesy visit of one day is over in half a day"),
    Rule.PIN: ("تثبيت «{}»", "“{}” is pinned"),
    Rule.WISH: ("التعديل المطلوب على «{}»", "“{}” is wanted otherwise"),
}


def too_much(sessions: int, days: int) -> Bilingual:
    """More sessions than the days hold."""
    return _say(
        f"عدد الجلسات المطلوبة ({sessions}) أكبر مما تتسع له أيام العمل المطلوبة ({days}).",
        f"The sessions asked for ({sessions}) are more than the working days asked for ({days}) hold.",
    )


def out_of_time(seconds: float) -> Bilingual:
    """The search ended before it had an answer."""
    return _say(
        f"لم يعثر على برنامج خلال {seconds:g} ثوان من البحث.",
        f"No programme was found within {seconds:g} seconds of search.",
    )


def partly_looked_at(window: DateWindow, looked_at: int, possible: int) -> Bilingual:
    """The window is so long that not every run of its days was looked at."""
    first, last = window.first, window.last
    return _say(
        f"الفترة من {first} إلى {last} طويلة: فحص {looked_at} من أصل {possible} موعدا ممكنا.",
        f"The window from {first} to {last} is long: {looked_at} of {possible} possible dates were examined.",
    )
