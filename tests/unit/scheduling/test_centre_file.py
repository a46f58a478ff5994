"""The Centre's master data file and what is said about its faults."""

from pathlib import Path

import pytest

from services.scheduling.centre_file import BadCentre, load_centre
from tests.unit.scheduling.factories import EXAMPLE

TEXT = EXAMPLE.read_text("utf-8")


def faults_of(tmp_path: Path, text: str) -> list[tuple[int, str]]:
    path = tmp_path / "centre.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(BadCentre) as raised:
        load_centre(path)
    for fault in raised.value.faults:
        assert f"{path}:{fault.line}: {fault.reason}" in str(raised.value)
    return [(fault.line, fault.reason) for fault in raised.value.faults]


def changed(old: str, new: str, *, occurrence: int = 0) -> tuple[str, int]:
    """The example with one piece replaced, and the line of that piece."""
    at = -1
    for _ in range(occurrence + 1):
        at = TEXT.index(old, at + 1)
    return TEXT[:at] + new + TEXT[at + len(old) :], TEXT[:at].count("\n") + 1


def test_the_example_is_a_whole_centre():
    centre = load_centre(EXAMPLE)
    assert len(centre.people) >= 18
    assert len(centre.themes) >= 10
    assert {"shelter", "expat-protection-centre", "referral-control-room"} <= {
        one.code for one in centre.venues
    }
    assert max(venue.capacity for venue in centre.venues) == 40
    assert any(person.email is None for person in centre.people)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("capacity: 10", "capacity: 0", "venues.1.capacity: Input should be greater than or equal to 1"),
        ("themes: [prosecution,", "themes: [persecution,", "there is no theme persecution"),
        ("sites: [shelter, expat", "sites: [shelterr, expat", "there is no venue shelterr"),
        ("sites: [shelter, expat", "sites: [hall, expat", "the venue hall is not a site"),
        ("[step-free, projector, video", "[stepfree, projector, video", "there is no feature stepfree"),
        ("code: meeting-room-2", "code: meeting-room-1", "meeting-room-1 is already taken in venues"),
        ("gender: male", "gendre: male", "people.0.gendre: this key is not known"),
        ("gender: male", "gender: unknown", "people.0.gender: Input should be 'female' or 'male'"),
        ("end: 15:30", "end: 15:40", "is not a local time of day on a quarter of an hour"),
        ("email: host-01@centre.example", "email: host-01", "people.0.email: value is not a valid email"),
        ("weekend: [friday,", "weekend: [freitag,", "week.weekend.0"),
        ("minutes: 90", "minutes: 105", "themes.0.minutes: Input should be less than or equal to 90"),
        ("time_zone: Asia/Bahrain", "time_zone: Asia/Manama", "is not a time zone"),
        ("  study: [welcome, briefing", "  study: [welcome, debriefing", "there is no item debriefing"),
        ("  study: [welcome, briefing", "  study: [welcome, welcome", "the item welcome stands twice here"),
        ("  - {between: [centre, shelter]", "  - {between: [centre, moon]", "there is no premises moon"),
        ("[centre, shelter], minutes", "[centre, centre], minutes", "from centre to centre there is no way"),
        ("    roles: [host]", "    roles: [interpreter]", "leave the role interpreter out"),
        ("{start: 12:00, end: 13:30}", "{start: 16:00, end: 17:30}", "outside the working hours"),
        ("{start: 12:00, end: 13:30}", "{start: 12:00, end: 12:45}", "longer than these hours"),
        ("[projector]\n  - code: b", "[beamer]\n  - code: b", "there is no feature beamer"),
        ("  - code: national-referral-mechanism", "  - code: n" + 60 * "x", "at most 60 characters"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_line(tmp_path: Path, old: str, new: str, reason: str):
    text, line = changed(old, new)
    found = faults_of(tmp_path, text)
    assert any(at == line and reason in said for at, said in found), found


def test_overlapping_absences_are_refused_at_the_second(tmp_path: Path):
    text, line = changed(
        "- {first: 2027-01-10, last: 2027-01-12}",
        "- {first: 2027-01-10, last: 2027-01-12}\n      - {first: 2027-01-12, last: 2027-01-13}",
    )
    assert faults_of(tmp_path, text) == [
        (
            line + 1,
            "2027-01-12 to 2027-01-13 overlaps 2027-01-10 to 2027-01-12 of the same list",
        )
    ]


def test_a_role_without_what_it_needs_is_told_at_the_person(tmp_path: Path):
    text, line = changed("    themes: [labour-inspection, victim-identification]\n", "")
    found = faults_of(tmp_path, text)
    assert found == [(line - 6, "people.7: the role expert needs the key themes")]


def test_all_faults_are_told_at_once_shape_and_reference(tmp_path: Path):
    text, first = changed("capacity: 10", "capacity: 0")
    text = text.replace("themes: [prosecution,", "themes: [persecution,")
    found = faults_of(tmp_path, text)
    assert len(found) == 2
    assert found[0][0] == first


def test_a_key_that_stands_twice_is_told(tmp_path: Path):
    text, line = changed("    gender: male\n", "    gender: male\n    gender: female\n")
    assert (line + 1, "the key gender stands twice here") in faults_of(tmp_path, text)


def test_an_email_may_be_missing(tmp_path: Path):
    path = tmp_path / "centre.yaml"
    path.write_text(TEXT.replace("    email: host-01@centre.example\n", ""), "utf-8")
    assert load_centre(path).people[0].email is None


def test_what_is_no_yaml_is_told_with_its_line(tmp_path: Path):
    assert faults_of(tmp_path, "name:\n  - [")[0][1].startswith("this is not YAML")


@pytest.mark.parametrize("text", ["", "- a", "just text"])
def test_a_file_without_a_mapping_is_refused(tmp_path: Path, text: str):
    assert faults_of(tmp_path, text) == [(1, "the file must hold a mapping with the keys of a centre")]


@pytest.mark.parametrize(
    "text", ["people: 3", "people: [1, {code: [x]}]\nfeatures: 7", "themes: {a: b}", "? [a]\n: b"]
)
def test_odd_shapes_are_refused_and_never_crash(tmp_path: Path, text: str):
    assert faults_of(tmp_path, text)


def test_a_missing_file_is_told(tmp_path: Path):
    with pytest.raises(BadCentre, match="cannot be read"):
        load_centre(tmp_path / "none.yaml")


def test_comments_and_layout_do_not_change_the_content_hash(tmp_path: Path):
    path = tmp_path / "centre.yaml"
    path.write_text("# a comment\n" + TEXT, "utf-8")
    assert load_centre(path).content_hash == load_centre(EXAMPLE).content_hash
    path.write_text(TEXT.replace("capacity: 40", "capacity: 41"), "utf-8")
    assert load_centre(path).content_hash != load_centre(EXAMPLE).content_hash


def test_a_kind_of_visit_without_an_outline_is_told(tmp_path: Path):
    text, line = changed("  courtesy: [courtesy-call, briefing, tour, closing]\n", "")
    assert (line - 1, "the outline of the kind of visit courtesy is missing") in faults_of(tmp_path, text)


def test_a_way_that_is_missing_is_told(tmp_path: Path):
    text, line = changed("  - {between: [centre, shelter], minutes: 25}\n", "")
    assert [reason for at, reason in faults_of(tmp_path, text) if at == line - 2] == [
        "the way between centre and shelter is missing: say how many minutes it takes"
    ]


def test_a_prayer_needs_to_know_where_the_centre_is(tmp_path: Path):
    text, _ = changed("position: {latitude: 26.18, longitude: 50.52}\n", "")
    assert {reason for _, reason in faults_of(tmp_path, text)} == {
        "a prayer's time needs the key position of the Centre"
    }


def test_an_item_after_something_that_the_outline_lacks_is_told(tmp_path: Path):
    text, _ = changed("    each: site\n", "    each: site\n    after: [workshop]\n")
    reasons = {reason for _, reason in faults_of(tmp_path, text)}
    assert "the item tour comes after a workshop, and the outline has none" in reasons


def test_holidays_that_overlap_are_told(tmp_path: Path):
    text, _ = changed(
        "    first: 2027-03-10\n    last: 2027-03-13", "    first: 2026-12-10\n    last: 2026-12-16"
    )
    reasons = {reason for _, reason in faults_of(tmp_path, text)}
    assert "2026-12-16 to 2026-12-17 overlaps 2026-12-10 to 2026-12-16" in reasons


def test_codes_too_long_for_the_key_of_a_session_are_told(tmp_path: Path):
    text, _ = changed("  - code: national-referral-mechanism", "  - code: n" + 55 * "x")
    assert any(
        "has over 60 letters: shorten one of them" in reason for _, reason in faults_of(tmp_path, text)
    )


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("  expert: [welcome, bilateral, tour, lunch, closing]", "  expert: []", "needs one item at least"),
        (
            "    title: {ar: استقبال الوفد,",
            "    after: [tour]\n    title: {ar: استقبال الوفد,",
            "comes before everything",
        ),
        (
            "    title: {ar: استقبال الوفد,",
            "    each: day\n    title: {ar: استقبال الوفد,",
            "is held once a visit",
        ),
        ("    each: site\n", "    each: site\n    after: [closing]\n", "nothing comes after a closing"),
        (
            "    each: site\n",
            "    each: site\n    after: [tour]\n",
            "comes after a tour that itself comes after it",
        ),
    ],
)
def test_items_that_could_never_be_held_are_told(tmp_path: Path, old: str, new: str, reason: str):
    text, _ = changed(old, new)
    assert any(reason in told for _, told in faults_of(tmp_path, text))
