"""Notices in words, in both languages."""

import re
from dataclasses import astuple, replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import FileSystemLoader, TemplateNotFound

from runtime.errors import OUTAGES
from schemas.event import EventData
from schemas.terms import Contact, NoticeLanguage, PersonName
from schemas.visits import DelegationPeople
from services.notifications.domain import LETTERS, notices_of
from services.notifications.notice import Notice, Office
from services.notifications.render import _ENVIRONMENTS, Letter, MissingTemplate, description, letter
from tests.unit.notifications.events import (
    CONTACT,
    EACH,
    MARIAM,
    OFFICE,
    REFERRAL,
    THOMAS,
    WELCOME,
    amended,
    consultation_answered,
    consultation_opened,
    consultation_overdue,
    declined,
    event,
    golden,
    proposed,
    revised,
    slot,
    submitted,
    why,
)

TEMPLATES = Path("services/notifications/templates")
LANGUAGES: tuple[NoticeLanguage, ...] = ("ar", "en")


class _Page(HTMLParser):
    """The elements of a page and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.isolated: list[str] = []
        self._isolating = False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._isolating = tag == "bdi"

    def handle_endtag(self, _tag):
        self._isolating = False

    def handle_data(self, data):
        self.text += data
        if self._isolating:
            self.isolated.append(data)


def _notice(data: EventData, key: str) -> Notice:
    return next(n for n in notices_of(event(data), OFFICE, {}) if n.recipient.key == key)


def _letter(data: EventData, key: str) -> Letter:
    return letter(_notice(data, key), data)


def _speaking(data: EventData, language: NoticeLanguage) -> EventData:
    """The same event with everybody writing in ``language``."""
    people = data.people  # type: ignore[attr-defined]
    update: dict[str, object] = {
        name: tuple(each.model_copy(update={"language": language}) for each in getattr(people, name))
        for name in ("focal_points", "persons")
        if hasattr(people, name)
    }
    if hasattr(people, "contact"):
        update["contact"] = people.contact.model_copy(update={"language": language})
    return data.model_copy(update={"people": people.model_copy(update=update)})


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("data", EACH, ids=lambda data: data.TYPE)
def test_every_notice_renders_in_its_language_with_the_reference(data, language):
    spoken = _speaking(data, language)

    for notice in notices_of(event(spoken), Office("protocol@centre.example", language), {}):
        rendered = letter(notice, spoken)
        page = _Page(rendered.html)
        ((_, root),) = [element for element in page.elements if element[0] == "html"]
        assert root == {"lang": language, "dir": "rtl" if language == "ar" else "ltr"}
        assert rendered.subject.endswith("– V-2026-000017")
        assert "V-2026-000017" in rendered.text
        assert "V-2026-000017" in page.text
        assert bool(re.search("[\u0600-\u06ff]", rendered.subject)) == (language == "ar")
        assert not re.search(r"\n\n\n|\{\{|\}\}|{%|Undefined", rendered.text)


def test_both_languages_have_exactly_the_templates_that_are_used():
    used = {name for letters in LETTERS.values() for name in astuple(letters) if name}
    shared = {"words", "calendar_entry"}

    for language in LANGUAGES:
        assert {path.stem for path in TEMPLATES.joinpath(language).glob("*.j2")} == used | shared


@pytest.mark.parametrize("type_", sorted(data.TYPE for data in LETTERS))
def test_the_kept_messages_of_every_consumed_type_can_be_told(type_):
    for message in golden(type_):
        for notice in notices_of(message, OFFICE, {}):
            assert letter(notice, message.data).subject.endswith(message.data.reference)


@pytest.mark.parametrize("data", EACH, ids=lambda data: data.TYPE)
def test_pages_load_nothing_from_elsewhere_and_run_nothing(data):
    for notice in notices_of(event(data), OFFICE, {}):
        page = _Page(letter(notice, data).html)
        assert not {tag for tag, _ in page.elements} & {"script", "link", "img", "iframe", "style", "a"}
        assert not [attrs for _, attrs in page.elements if {"src", "href"} & attrs.keys()]


def test_arabic_mail_isolates_references_numbers_and_latin_names():
    rendered = _letter(proposed(), MARIAM.email)

    isolated = _Page(rendered.html).isolated
    assert {"V-2026-000017", "09:00–10:00", "مبنى 855، السيف"} <= set(isolated)
    assert "Building 855" not in rendered.html + rendered.text
    assert "\u2068V-2026-000017\u2069" in rendered.text
    assert "\u206809:00–10:00\u2069" in rendered.text


def test_english_text_isolates_only_what_runs_from_right_to_left():
    rendered = _letter(submitted(ministry="وزارة الخارجية"), THOMAS.email)

    assert "\u2068وزارة الخارجية\u2069" in rendered.text
    assert rendered.text.count("\u2068") == 1


def test_times_are_the_programmes_and_name_their_zone_and_dates_stand_in_both_calendars():
    english, arabic = _letter(proposed(), THOMAS.email).text, _letter(proposed(), MARIAM.email).text

    assert "Sunday, 11 October 2026 (30 Rabi' al-Thani 1448 AH) – Bahrain Time" in english
    assert "09:00–10:00  Briefing welcome" in english
    assert "الأحد، 11 أكتوبر 2026 (30 ربيع الثاني 1448 هـ) – توقيت البحرين" in arabic


def test_an_answer_is_due_on_the_day_it_is_at_the_centre():
    # 21:30 UTC on the 20th is half past midnight on the 21st in Bahrain.
    assert (
        "by Monday, 21 September 2026 (10 Rabi' al-Thani 1448 AH), 00:30 (Bahrain Time)"
        in _letter(proposed(), THOMAS.email).text
    )


def test_a_persons_mail_shows_their_own_sessions_only_and_no_ministry_contact():
    rendered = _letter(proposed(), "p-001")

    assert "referral" in rendered.text
    assert "closing" not in rendered.text
    assert "closing" not in rendered.html
    for secret in (
        MARIAM.email,
        MARIAM.phone or "",
        MARIAM.name.latin,
        MARIAM.name.arabic,
        THOMAS.name.latin,
    ):
        assert secret not in rendered.text + rendered.html


def test_the_ministry_learns_who_receives_it_but_not_who_interprets_or_escorts():
    rendered = _letter(proposed(), THOMAS.email)

    assert "Host: Noora Al-Khalifa" in rendered.text
    assert "Expert: Yusuf Jaffar" in rendered.text
    assert "Ali Marhoon" not in rendered.text + rendered.html


def test_a_revision_shows_the_sessions_now_and_those_that_are_no_more():
    data = revised((WELCOME,), removed=(REFERRAL,), changed=("welcome",), affected=("p-007",))

    rendered = _letter(data, "p-007")

    assert "You have no sessions in it any more." in rendered.text
    assert rendered.text.index("No longer yours") < rendered.text.index("11:00–12:00  Briefing referral")


@pytest.mark.parametrize(
    ("respond_by", "said", "unsaid"),
    [
        (WELCOME.starts, "Please accept it", "no answer is needed"),
        (WELCOME.starts + timedelta(minutes=1), "no answer is needed", "Please accept it"),
    ],
)
def test_a_change_of_a_visit_in_progress_asks_for_no_answer(respond_by, said, unsaid):
    data = revised((WELCOME,), changed=("welcome",)).model_copy(update={"respond_by": respond_by})

    text = _letter(data, THOMAS.email).text

    assert said in text
    assert unsaid not in text
    assert "\n\nNew or changed:" in text


SILENCE = "If no answer has arrived by then, this counts as consent."
NEEDED = "An answer is needed: the request cannot be approved without the consent of Ministry of Interior."


@pytest.mark.parametrize(("veto", "said", "unsaid"), [(False, SILENCE, NEEDED), (True, NEEDED, SILENCE)])
def test_a_consulted_body_reads_what_is_asked_until_when_and_what_its_silence_means(veto, said, unsaid):
    text = _letter(consultation_opened(veto=veto), CONTACT.email).text

    # 21:30 UTC on the 20th is half past midnight on the 21st in Bahrain.
    assert "by Monday, 21 September 2026 (10 Rabi' al-Thani 1448 AH), 00:30 (Bahrain Time)" in text
    assert "    May they tour the shelter?\n" in text
    assert "    Study of the referral mechanism\n" in text
    assert "Size of delegation: 6" in text
    assert "amended" not in text
    assert said in text
    assert unsaid not in text


def test_a_body_that_is_asked_again_reads_that_its_earlier_answer_does_not_count():
    text = _letter(consultation_opened(again=True), CONTACT.email).text
    assert "An answer to the earlier revision does not count for this one." in text


def test_an_overdue_body_reads_that_its_consent_is_needed_and_the_office_that_it_was_reminded():
    assert "cannot be approved without the consent of" in _letter(consultation_overdue(), CONTACT.email).text
    office = _letter(consultation_overdue(), "office").text
    assert "It was reminded." in office
    assert "(consultation 3)" in office
    assert CONTACT.email not in office


@pytest.mark.parametrize(
    ("veto", "said"),
    [(True, "the request cannot be approved unless it consents"), (False, "does not stop an approval")],
)
def test_the_office_reads_why_a_body_objects_and_whether_that_stops_the_approval(veto, said):
    text = _letter(consultation_answered(veto=veto), "office").text
    assert "    The shelter is closed.\n" in text
    assert said in text


def test_a_hostile_name_is_text_in_a_page():
    script = PersonName(latin="<script>alert(1)</script>", arabic="<b>اسم</b>")
    hostile = Contact(name=script, email="x@mofa.example", language="en")
    data = submitted(
        ministry='"><img src=x>', people=DelegationPeople(focal_points=(hostile,), subject="A study visit")
    )

    for key in (hostile.email, "office"):
        page = _Page(_letter(data, key).html)
        assert not {tag for tag, _ in page.elements} & {"script", "img", "b"}
        assert "<script>alert(1)</script>" in page.text


def test_a_hostile_text_keeps_its_lines_and_loses_what_turns_its_direction():
    rendered = _letter(declined("One\n\u202etxt.exe\u2069\n<script>"), THOMAS.email)

    assert "    One\n    txt.exe\n    <script>\n" in rendered.text
    assert "&lt;script&gt;" in rendered.html
    assert "\u202e" not in rendered.text + rendered.html


def test_the_office_reads_the_answer_to_its_question_and_the_ministry_that_it_arrived():
    answered = amended((), "The director leads it.")

    office, ministry = _letter(answered, "office"), _letter(answered, THOMAS.email)

    assert office.subject == "Question answered – V-2026-000017"
    assert "The director leads it." in office.text
    assert "Changed:" not in office.text
    assert ministry.subject == "Your answer was received – V-2026-000017"
    assert "stays held until that is decided" in ministry.text


def test_the_office_reads_what_a_ministry_says_to_its_amendment():
    office = _letter(amended(message="We are fewer."), "office")

    assert office.subject == "Request amended – V-2026-000017"
    assert "We are fewer." in office.text
    assert "Changed: /needs/size." in office.text


def test_a_line_break_in_a_name_or_reference_cannot_leave_its_line():
    broken = PersonName.model_construct(latin="Eve\r\nBcc: all@evil.example", arabic="x")
    contact = Contact.model_construct(name=broken, email="eve@mofa.example", phone=None, language="en")
    data = declined().model_copy(
        update={"people": why("Closed.", contact), "reference": "V-1\r\nBcc: x@evil.example"}
    )

    rendered = _letter(data, contact.email)

    assert "\n" not in rendered.subject
    assert "\r" not in rendered.subject
    assert "Dear Eve Bcc: all@evil.example," in rendered.text


def test_a_date_beyond_the_hijri_tables_stands_alone():
    far = slot("late", [("p-007", "expert")])
    far = far.model_copy(
        update={"starts": far.starts.replace(year=2090), "ends": far.ends.replace(year=2090)}
    )

    assert "Wednesday, 11 October 2090 – Bahrain Time" in _letter(proposed((far,)), THOMAS.email).text


def test_a_calendar_entry_says_whose_visit_it_is_and_what_the_persons_part_is():
    notice = _notices_by_person()["p-007"]

    text = description(notice.entries[1], notice.recipient, proposed())

    assert "delegation of Ministry of Foreign Affairs, Qatar" in text
    assert "Your part: Interpreter." in text
    assert "Tentative" in text


def _notices_by_person() -> dict[str | None, Notice]:
    return {n.recipient.person: n for n in notices_of(event(proposed()), OFFICE, {})}


@pytest.mark.parametrize("missing", ["no_such_letter", "calendar_entry", "layout"])
def test_a_missing_template_is_a_fault_of_ours_and_no_outage(monkeypatch, missing):
    notice = _notices_by_person()["p-007"]

    def find(_loader, _environment, name):
        if name == f"{missing}.j2":
            raise TemplateNotFound(name)
        return find_source(_loader, _environment, name)

    find_source = FileSystemLoader.get_source
    monkeypatch.setattr(FileSystemLoader, "get_source", find)
    for environment in _ENVIRONMENTS.values():
        monkeypatch.setattr(environment, "cache", None)

    if missing == "no_such_letter":
        notice = replace(notice, template=missing)

    with pytest.raises(MissingTemplate, match=f"there is no template {missing}") as caught:
        letter(notice, proposed())
        description(notice.entries[0], notice.recipient, proposed())
    assert not isinstance(caught.value, OUTAGES)
