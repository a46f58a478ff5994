"""The timetable: every session once, nothing over anything else, safe, and right to left in Arabic."""

import re
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.scheduling import Score, Slot
from schemas.terms import Bilingual, NoticeLanguage, PersonName
from services.scheduling.centre_file import load_centre
from services.scheduling.drawing import WIDTH, Shape, picture
from services.scheduling.explain import offers
from services.scheduling.fitting import cut, first_lines, lines, width
from services.scheduling.page import Heading, page
from services.scheduling.picture import png, svg
from services.scheduling.timetable import Pause, Timetable, days_of, pauses_of
from tests.unit.scheduling.factories import problem

SVG = "{http://www.w3.org/2000/svg}"
MONDAY = datetime(2027, 1, 4, 5, tzinfo=UTC)  # eight o'clock in Bahrain
PLACE = {"code": "hall", "name": {"ar": "القاعة", "en": "Hall"}, "address": {"ar": "المنامة", "en": "Manama"}}
LANGUAGES: tuple[NoticeLanguage, ...] = ("ar", "en")


def slot(key: str, starts: datetime = MONDAY, minutes: int = 60, **changes: Any) -> Slot:
    valid: dict[str, Any] = {
        "key": key,
        "kind": "briefing",
        "title": {"ar": "إحاطة", "en": "Briefing"},
        "starts": starts,
        "ends": starts + timedelta(minutes=minutes),
        "place": PLACE,
        "assignments": [{"person": "host-01", "role": "host"}],
    }
    return Slot.model_validate(valid | changes)


AMAL = PersonName(latin="Amal Haddad", arabic="أمل حداد")


def timetable(*slots: Slot, host: PersonName = AMAL) -> Timetable:
    return Timetable(slots, {"host-01": host}, (), "Asia/Bahrain", Score(cost=12, goals=()))


def groups(count: int, minutes: int = 60) -> list[Slot]:
    starts = MONDAY + timedelta(hours=1)
    return [slot(f"tour-{n}", starts, minutes, group=n, group_size=7) for n in range(1, count + 1)]


@st.composite
def slots(draw: st.DrawFn) -> tuple[Slot, ...]:
    count = draw(st.integers(1, 12))
    return tuple(
        slot(
            f"s-{number}",
            MONDAY + timedelta(days=draw(st.integers(0, 9)), minutes=15 * draw(st.integers(0, 60))),
            15 * draw(st.integers(1, 16)),
            group=draw(st.none() | st.integers(1, 4)),
        )
        for number in range(count)
    )


@given(slots())
def test_every_slot_is_in_one_column_once_and_nothing_overlaps(some: tuple[Slot, ...]) -> None:
    days = days_of(timetable(*some))
    shown = Counter(box.what.key for day in days for box in day.slots if isinstance(box.what, Slot))
    assert shown == Counter(one.key for one in some)
    assert [day.date for day in days] == sorted({day.date for day in days})
    for day in days:
        assert all(box.lane >= 0 and box.lane + box.width <= day.lanes for box in day.slots)
        for one, other in combinations(day.slots, 2):
            apart = one.lane + one.width <= other.lane or other.lane + other.width <= one.lane
            assert apart or one.end <= other.start or other.end <= one.start


@settings(max_examples=50)
@given(slots(), st.sampled_from(LANGUAGES))
def test_every_box_of_the_picture_stands_alone_within_its_page(
    some: tuple[Slot, ...], language: NoticeLanguage
) -> None:
    drawn = picture(timetable(*some), language, "Title")
    boxes = [shape for panel in drawn.panels for shape in panel.slots]
    assert Counter(box.key for box in boxes) == Counter(one.key for one in some)
    assert drawn.width <= WIDTH
    for box in boxes:
        assert box.x >= 0
        assert box.x + box.width <= drawn.width
        assert box.y >= 0
        assert box.y + box.height <= drawn.height
        assert all(box.y <= line.y <= box.y + box.height for line in box.lines)
        assert all(width(line.text, line.size, bold=line.bold) <= box.width for line in box.lines)
    for one, other in combinations(boxes, 2):
        assert not _overlap(one, other)


def _overlap(one: Shape, other: Shape) -> bool:
    across = one.x < other.x + other.width and other.x < one.x + one.width
    down = one.y < other.y + other.height and other.y < one.y + one.height
    return across and down


def test_a_box_is_as_high_as_its_session_is_long() -> None:
    drawn = picture(timetable(slot("a", minutes=30), slot("b", MONDAY + timedelta(hours=2), 120)), "en")
    short, long = drawn.panels[0].slots
    assert (long.height + 2) / (short.height + 2) == pytest.approx(4)


def test_groups_at_one_time_stand_side_by_side_in_the_order_of_reading() -> None:
    later = slot("closing", MONDAY + timedelta(hours=4))
    for language in LANGUAGES:
        drawn = picture(timetable(*groups(3), later), language)
        *tours, closing = drawn.panels[0].slots
        assert len({box.y for box in tours}) == 1
        xs = [box.x for box in tours]
        assert xs == sorted(xs, reverse=language == "ar")
        assert closing.width > 2 * tours[0].width


def test_a_group_keeps_its_lane_all_day() -> None:
    shifted = [
        slot(f"late-{n}", MONDAY + timedelta(hours=3, minutes=15 * (4 - n)), group=n) for n in (1, 2, 3)
    ]
    boxes = days_of(timetable(*groups(3), *shifted))[0].slots
    lanes = {(box.what.group, box.lane) for box in boxes if isinstance(box.what, Slot)}
    assert lanes == {(1, 0), (2, 1), (3, 2)}


def test_days_run_from_the_right_in_arabic() -> None:
    some = timetable(*(slot(f"d-{n}", MONDAY + timedelta(days=n)) for n in range(4)))
    for language in LANGUAGES:
        xs = [box.x for box in picture(some, language).panels[0].slots]
        assert xs == sorted(xs, reverse=language == "ar")


def test_ten_days_go_on_in_further_rows() -> None:
    some = timetable(*(slot(f"d-{n}", MONDAY + timedelta(days=n)) for n in range(10)))
    drawn = picture(some, "en")
    assert [len(panel.slots) for panel in drawn.panels] == [7, 3]
    first, second = drawn.panels
    assert second.y > first.y + first.height


def test_breaks_and_ways_are_shaded_between_the_sessions() -> None:
    centre = load_centre(Path(__file__).parents[3] / "examples" / "centre.yaml")
    found = offers(replace(problem(size=20, days=3, languages=["en"], seconds=20), centre=centre))
    assert isinstance(found, tuple)
    pauses = pauses_of(centre, found[0].slots)
    assert {pause.kind for pause in pauses} == {"break", "travel"}
    ways = [pause for pause in pauses if pause.kind == "travel"]
    for way in ways:
        for one in found[0].slots:
            meets = one.group is None or way.group is None or one.group == way.group
            assert not meets or one.ends <= way.starts or way.ends <= one.starts
    drawn = picture(Timetable(found[0].slots, {}, pauses, "Asia/Bahrain"), "en")
    assert len(drawn.panels[0].pauses) > 3


def test_a_way_through_a_break_hides_no_name() -> None:
    name = Bilingual(ar="استراحة", en="Break")
    hours = [MONDAY + timedelta(hours=number) for number in range(6)]
    pauses = (Pause("break", hours[1], hours[3], name), Pause("travel", hours[2], hours[3], name))
    some = Timetable((slot("a"), slot("b", hours[4])), {}, pauses, "Asia/Bahrain")
    one, other = picture(some, "en").panels[0].pauses
    assert not _overlap(one, other)


HOSTILE = '</title><script>alert("1")</script><img src=x onerror=alert(1)>&{{ 7*7 }}\u202e'


@pytest.mark.parametrize("language", LANGUAGES)
def test_hostile_texts_are_shown_as_texts(language: NoticeLanguage) -> None:
    texts = {"ar": HOSTILE, "en": HOSTILE}
    name = PersonName(latin=HOSTILE, arabic=HOSTILE)
    place = {"code": "hall", "name": texts, "address": texts}
    some = timetable(slot("a", title=texts, place=place, why=[texts]), host=name)
    root = ET.fromstring(svg(picture(some, language, HOSTILE)))  # noqa: S314 -- our own
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg", "defs", "pattern", "clipPath", "rect", "g", "title", "text", "path",
    }  # fmt: skip
    written = page(Heading(HOSTILE, HOSTILE, "QA", 1), [some], language)
    assert "<script" not in written
    assert "<img" not in written
    assert "49" not in re.sub(r'="[^"]*"', "", written)
    assert png(picture(some, language)).startswith(b"\x89PNG")


def test_the_arabic_page_runs_from_right_to_left_and_keeps_times_together() -> None:
    written = page(Heading("V-2026-000017", "وزارة الخارجية", "QA", 2), [timetable(slot("a"))], "ar")
    assert '<html lang="ar" dir="rtl">' in written
    assert '<bdi dir="ltr">08:00–09:00</bdi>' in written
    assert "<bdi>V-2026-000017</bdi>" in written
    assert "26 رجب 1448 هـ" in written
    assert "الاثنين 4 يناير 2027" in written


def test_the_english_page_has_both_calendars_and_neither_script_nor_address() -> None:
    written = page(Heading("V-2026-000017", "Ministry", "QA", 2), [timetable(slot("a"))], "en")
    assert '<html lang="en" dir="ltr">' in written
    assert "Monday 4 January 2027" in written
    assert "26 Rajab 1448 AH" in written
    assert "<script" not in written
    assert "@" not in re.sub(r"@(page|media)", "", written)
    assert "http" not in written.replace("http://www.w3.org/2000/svg", "")


def test_a_preview_says_that_nothing_is_booked_and_tells_the_options_apart() -> None:
    written = page(Heading(), [timetable(slot("a")), timetable(slot("b"))], "en")
    assert "nothing is booked" in written
    assert written.count("<svg") == 2
    ids = re.findall(r' id="([^"]+)"', written)
    assert len(ids) == len(set(ids))


def test_a_long_title_is_cut_with_an_ellipsis_and_told_in_full_by_the_tip() -> None:
    title = {"ar": "عنوان " * 60, "en": "Very long title " * 18}
    drawn = picture(timetable(slot("a", minutes=30, title=title)), "en")
    box = drawn.panels[0].slots[0]
    assert any(line.text.endswith("…") for line in box.lines)
    assert title["en"].strip() in box.tip


@given(text=st.text(max_size=80), room=st.floats(30, 300), bold=st.booleans())
def test_lines_are_no_wider_than_their_room_and_lose_nothing(text: str, room: float, *, bold: bool) -> None:
    broken = lines(text, room, 12, bold=bold)
    assert all(width(line, 12, bold=bold) <= room for line in broken)
    assert "".join("".join(broken).split()) == "".join(text.split())
    assert width(cut(text, room, 12, bold=bold), 12, bold=bold) <= room
    assert len(first_lines(text, 2, room, 12, bold=bold)) <= 2


def test_the_png_is_as_large_as_asked_and_the_scripts_are_drawn() -> None:
    def pixels(title: str) -> bytes:
        return png(picture(timetable(slot("a", title={"ar": title, "en": title})), "ar"), zoom=1)

    plain = pixels("ســــــ")
    assert int.from_bytes(plain[16:20]) == round(picture(timetable(slot("a")), "ar").width)
    joined, apart = pixels("سلام"), pixels("س\u200cل\u200cا\u200cم")
    assert len({plain, joined, apart}) == 3, "letters are joined by shaping, and not when kept apart"
