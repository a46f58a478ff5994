"""Words and dates of the timetable in Arabic and English."""

from collections.abc import Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, get_timezone_location
from hijridate import Gregorian

from schemas.terms import Bilingual, NoticeLanguage, PersonName

LOCALES: Mapping[NoticeLanguage, Locale] = {"ar": Locale.parse("ar_BH"), "en": Locale.parse("en_GB")}
_HIJRI_FROM, _HIJRI_UNTIL = date(1924, 8, 1), date(2077, 11, 16)
"""The first and the last day of the Umm al-Qura tables."""

WORDS: Mapping[str, Bilingual] = {
    "programme": Bilingual(ar="برنامج الزيارة", en="Programme of the visit"),
    "preview": Bilingual(ar="معاينة: لم يحجز شيء", en="Preview: nothing is booked"),
    "option": Bilingual(ar="الخيار", en="Option"),
    "score": Bilingual(ar="الكلفة (الأقل أفضل)", en="Cost (lower is better)"),
    "group": Bilingual(ar="المجموعة", en="Group"),
    "release": Bilingual(ar="الإصدار", en="Release"),
    "time_zone": Bilingual(ar="الأوقات بتوقيت", en="Times of"),
    "time": Bilingual(ar="الوقت", en="Time"),
    "session": Bilingual(ar="الجلسة", en="Session"),
    "place": Bilingual(ar="المكان", en="Place"),
    "people": Bilingual(ar="المشاركون من المركز", en="People of the Centre"),
    "host": Bilingual(ar="مضيف", en="host"),
    "expert": Bilingual(ar="خبير", en="expert"),
    "interpreter": Bilingual(ar="مترجم", en="interpreter"),
    "escort": Bilingual(ar="مرافق", en="escort"),
    "no_programme": Bilingual(ar="لا يوجد برنامج ممكن كما هو مطلوب", en="No programme is possible as asked"),
    "alternatives": Bilingual(ar="ما هو ممكن بدلا من ذلك", en="What would be possible instead"),
}


def said(language: NoticeLanguage, text: Bilingual | PersonName) -> str:
    """A text or name in one language."""
    if isinstance(text, PersonName):
        return text.arabic if language == "ar" else text.latin
    return text.ar if language == "ar" else text.en


def word(language: NoticeLanguage, key: str) -> str:
    """One of the timetable's own words."""
    return said(language, WORDS[key])


def weekday(language: NoticeLanguage, day: date) -> str:
    """A date with its day of the week."""
    return format_date(day, "EEEE d MMMM y", locale=LOCALES[language])


def hijri(language: NoticeLanguage, day: date) -> str:
    """A date by the Umm al-Qura calendar; empty outside its tables."""
    if not _HIJRI_FROM <= day <= _HIJRI_UNTIL:
        return ""
    found = Gregorian.fromdate(day).to_hijri()
    return f"{found.day} {found.month_name(language)} {found.year} {'هـ' if language == 'ar' else 'AH'}"


def clock(moment: datetime, zone: ZoneInfo) -> str:
    """A local time of day."""
    return f"{moment.astimezone(zone):%H:%M}"


def place_of(language: NoticeLanguage, zone: ZoneInfo) -> str:
    """Where the clock is that shows these times."""
    return str(get_timezone_location(zone, locale=LOCALES[language]))


def country(language: NoticeLanguage, code: str) -> str:
    """A country's name."""
    return str(LOCALES[language].territories.get(code, code))


def headline(language: NoticeLanguage, reference: str | None, release: int | None, option: int = 1) -> str:
    """What a picture shows: a release of a visit's programme, or an option of a preview."""
    if reference is None:
        return f"{word(language, 'preview')} · {word(language, 'option')} {option}"
    return f"{word(language, 'programme')} {reference} · {word(language, 'release')} {release}"
