"""Reading requests: what is accepted, and every fault by its place."""

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.bodies import MalformedJson, Problem, Refused, read_body
from services.visits.intake import merged, read_amendment, read_request
from services.visits.request import VisitRequest, changed_pointers, delegation_people, to_json
from tests.unit.visits import make


def faults(**changes) -> dict[str, str]:
    """The faults of a request with ``changes``: pointer → sentence."""
    try:
        make.request(**changes)
    except Refused as refused:
        return {problem.pointer: problem.detail for problem in refused.problems}
    return {}


def named(value: object) -> str:
    """Name a case; a set's order differs from process to process."""
    return "|".join(sorted(value)) if isinstance(value, set) else str(value)[:80]


def window(first: str, last: str) -> dict[str, str]:
    return {"first": first, "last": last}


PASSPORT = {"type": "ordinary", "number": "X0000001", "issued_by": "QA", "expires": "2045-01-01"}
LEG = {"at": "2027-01-25T08:00:00+03:00"}
EARLIER = {"at": "2027-01-24T08:00:00+03:00"}


def test_a_small_request_is_enough():
    assert faults() == {}
    assert len(json.dumps(make.body(size=1))) < 900


def test_a_full_request_survives_storing():
    full = make.body(
        alternates=[make.body()["focal_point"]],
        type="recurring",
        recurrence={"every_months": 6, "times": 2},
        invitation={"invited_by": "The Centre"},
        sites=["shelter"],
        expected_results={"ar": "نتائج"},
        urgency={"level": "urgent", "reason": "The law is voted on soon."},
        funding={"by": "shared", "organisation": "UN"},
        previous_visits=[{"year": 2024, "subject": "Study"}],
        parent_request="V-2026-000017",
        logistics={"arrival": EARLIER, "departure": LEG, "vehicles": [{"kind": "van"}], "gifts": "Shield"},
        confidentiality_signed=True,
        members=[
            make.member(
                0,
                passport=PASSPORT,
                nationality="QA",
                date_of_birth="1970-01-01",
                visa_needed=True,
                languages=[{"language": "ar", "level": "native"}],
                diet="halal",
                medical="asthma",
                consent=True,
                emergency_contact={"name": "Ali", "phone": "+974 5000 0000"},
                replacement={
                    "name": {"latin": "B", "arabic": "ب"},
                    "rank": "director",
                    "position": "Deputy",
                },
            ),
            make.member(1, arrival=EARLIER, departure=LEG),
        ],
    )
    request = read_request(json.dumps(full).encode(), make.catalogue(), make.TODAY)
    assert VisitRequest.model_validate(to_json(request)) == request
    text = delegation_people(request).model_dump_json()
    for private in ("X0000001", "asthma", "halal", "1970", "Ali"):
        assert private not in text


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({"surprise": 1}, {"/surprise"}),
        ({"a/b~c": 1}, {"/a~1b~0c"}),
        ({"focal_point": {"email": "x", "nick": 1}}, {
            "/focal_point/email", "/focal_point/name", "/focal_point/nick",
        }),
        ({"members": [make.member(0, passport={"number": "x"})], "size": 1}, {
            "/members/0/passport/type", "/members/0/passport/number",
            "/members/0/passport/issued_by", "/members/0/passport/expires",
        }),
        ({"days": "2"}, {"/days"}),
        ({"days": True}, {"/days"}),
        ({"media": "yes"}, {"/media"}),
        ({"size": 201}, {"/size", "/members"}),
        ({"subject": "   "}, {"/subject"}),
        ({"subject": "zero \0"}, {"/subject"}),
        ({"subject": "two\nlines"}, {"/subject"}),
        ({"objectives": {}}, {"/objectives"}),
        ({"windows": [window("2027-02-02", "2027-02-01")]}, {"/windows/0"}),
        ({"windows": [window("2027-02-30", "2027-03-01")]}, {"/windows/0/first"}),
        ({"windows": [{"first": 1_800_000_000, "last": 1}]}, {"/windows/0/first", "/windows/0/last"}),
        ({"windows": []}, {"/windows"}),
        ({"members": []}, {"/members"}),
        ({"languages": ["Arabic"]}, {"/languages/0"}),
        ({"logistics": {"arrival": {"at": "2027-01-25T08:00:00"}}}, {"/logistics/arrival/at"}),
        ({"logistics": {"arrival": {"at": "9999-12-31T23:59:59Z"}}}, {"/logistics/arrival/at"}),
        ({"logistics": {"departure": {"at": "0001-01-01T00:00:00Z"}}}, {"/logistics/departure/at"}),
    ],
    ids=named,
)  # fmt: skip
def test_a_malformed_field_is_named(changes, pointers):
    assert set(faults(**changes)) == pointers


@pytest.mark.parametrize(
    ("changes", "pointer", "sentence"),
    [
        ({"note_verbale": {"number": "1", "date": "2027-01-12"}}, "/note_verbale/date", "future"),
        ({"type": "recurring"}, "/recurrence", "needs its recurrence"),
        ({"recurrence": {"every_months": 1, "times": 2}}, "/recurrence", "set the type"),
        ({"urgency": {"level": "emergency"}}, "/urgency/reason", "needs a reason"),
        ({"themes": []}, "/themes", "at least one theme"),
        ({"objectives": None}, "/objectives", "objectives"),
        ({"themes": ["prosecution", "magic"]}, "/themes/1", "no theme magic"),
        ({"themes": ["prosecution", "prosecution"]}, "/themes/1", "twice"),
        ({"sites": ["moon"]}, "/sites/0", "no site moon"),
        ({"windows": [window("2027-01-01", "2027-01-09")]}, "/windows/0", "before today"),
        ({"windows": [window("2027-01-20", "2027-01-20")]}, "/windows/0", "leaves 1 days"),
        ({"windows": [window("2027-01-01", "2027-01-10")]}, "/windows/0", "leaves 1 days"),
        (
            {"windows": [window("2027-01-20", "2027-01-22")], "blackout_dates": ["2027-01-20", "2027-01-21"]},
            "/windows/0",
            "leaves 1 days",
        ),
        ({"windows": [window("2029-02-01", "2029-02-20")]}, "/windows/0", "two years"),
        ({"windows": [window("2027-02-01", "2027-02-09")] * 2}, "/windows/1", "twice"),
        ({"size": 3, "members": [make.member(0)]}, "/size", "1 members are named"),
        ({"members": [make.member(1), make.member(2)]}, "/members", "role head"),
        ({"members": [make.member(0), make.member(0)]}, "/members/1/role", "a head already"),
        ({"members": [make.member(0), make.member(1, role="media")]}, "/media", "has to be true"),
        ({"members": [make.member(0), make.member(1, diet="vegan")]}, "/members/1/consent", "consent"),
        (
            {"members": [make.member(0), make.member(1, date_of_birth="2027-01-10")]},
            "/members/1/date_of_birth",
            "past",
        ),
        (
            {"members": [make.member(0), make.member(1, passport=PASSPORT | {"expires": "2027-02-04"})]},
            "/members/1/passport/expires",
            "2027-02-04",
        ),
        (
            {"members": [make.member(0, passport=PASSPORT), make.member(1, passport=PASSPORT)]},
            "/members/1/passport/number",
            "member 0 has the same",
        ),
        (
            {"members": [make.member(0), make.member(1, arrival=LEG, departure=EARLIER)]},
            "/members/1/departure/at",
            "not after",
        ),
        ({"logistics": {"arrival": LEG, "departure": LEG}}, "/logistics/departure/at", "not after"),
        ({"size": 17, "sites": ["shelter"], "confidentiality_signed": True}, "/sites/0", "takes 16 visitors"),
        ({"sites": ["shelter"]}, "/confidentiality_signed", "shelter"),
        (
            {"sites": ["shelter"], "confidentiality_signed": True, "media": True},
            "/media",
            "not allowed at: shelter",
        ),
        ({"size": 41}, "/size", "seats 40"),
    ],
    ids=named,
)
def test_a_contradiction_is_named_where_it_can_be_mended(changes, pointer, sentence):
    found = faults(**changes)
    assert found.keys() == {pointer}
    assert sentence in found[pointer]


def test_a_member_who_needs_a_visa_needs_papers():
    assert set(faults(members=[make.member(0), make.member(1, visa_needed=True)])) == {
        "/members/1/passport",
        "/members/1/nationality",
        "/members/1/date_of_birth",
    }


def test_a_courtesy_visit_needs_neither_themes_nor_objectives():
    assert faults(kind="courtesy", themes=[], objectives=None) == {}


def test_the_limits_of_a_site_and_of_the_house_themselves_are_allowed():
    assert faults(size=8, sites=["shelter"], confidentiality_signed=True) == {}
    assert faults(size=40) == {}
    assert faults(windows=[window("2027-01-10", "2027-01-11")]) == {}


def test_one_malformed_field_does_not_hide_a_contradiction():
    assert set(faults(days="two", themes=["magic"], size=5, members=[make.member(0), make.member(1)])) == {
        "/days",
        "/themes/0",
        "/size",
    }


def test_a_missing_field_does_not_hide_a_contradiction():
    raw = {key: value for key, value in make.body(themes=["magic"]).items() if key != "members"}
    with pytest.raises(Refused) as refusal:
        read_request(json.dumps(raw).encode(), make.catalogue(), make.TODAY)
    assert {problem.pointer for problem in refusal.value.problems} == {"/members", "/themes/0"}


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b'{"subject":"\\ud800"}', b"[" * 10_000], ids=repr)
def test_what_is_not_json_is_told_apart(raw):
    with pytest.raises(MalformedJson):
        read_request(raw[:20_000], make.catalogue(), make.TODAY)


def test_no_value_is_repeated_in_a_refusal():
    secret = "SECRET-VALUE"
    body = make.body(
        focal_point={"name": {"latin": secret + "\0", "arabic": "ب"}, "email": f"{secret}@", "phone": secret},
        members=[make.member(0, passport=PASSPORT | {"number": secret + "!", "expires": secret}), secret],
        days=secret,
        kind=secret,
    )
    with pytest.raises(Refused) as refusal:
        read_request(json.dumps(body).encode(), make.catalogue(), make.TODAY)
    assert len(refusal.value.problems) >= 7
    assert not any(secret.lower() in problem.detail.lower() for problem in refusal.value.problems)
    assert refusal.value.__cause__ is None


def test_an_amendment_is_not_held_up_by_what_time_has_made_wrong():
    old = make.request()
    later = date(2028, 1, 1)
    document = {**to_json(old), "remarks": "We come another time."}
    assert read_amendment(old, document, make.catalogue(), later).remarks == "We come another time."
    with pytest.raises(Refused) as refusal:
        read_amendment(old, {**document, "themes": ["magic"]}, make.catalogue(), later)
    assert [problem.pointer for problem in refusal.value.problems] == ["/themes/0"]


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [  # appendix A of RFC 7396
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_merge_patch_is_applied_as_the_rfc_says(target, patch, result):
    assert merged(target, patch) == result


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ({"a": 1}, {"a": 1}, ()),
        ({"a": 1}, {"a": 2}, ("/a",)),
        ({"a": 1}, {}, ("/a",)),
        ({}, {"a/b": 1}, ("/a~1b",)),
        ({"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 1}, {"b": 3}]}, ("/a/1/b",)),
        ({"a": [1]}, {"a": [1, 2]}, ("/a",)),
    ],
)
def test_what_changed_is_told_by_its_place(old, new, changed):
    assert changed_pointers(old, new) == changed


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_no_json_value_breaks_the_reader(value):
    with pytest.raises((Refused, MalformedJson)):
        read_request(json.dumps(value).encode(), make.catalogue(), make.TODAY)


@given(st.sampled_from(sorted(VisitRequest.model_fields)), JSON)
def test_no_value_of_a_field_breaks_the_reader(field, value):
    raw = json.dumps(make.body() | {field: value}).encode()
    try:
        request = read_request(raw, make.catalogue(), make.TODAY)
    except Refused as refused:
        found = refused.problems
    except MalformedJson:
        found = (Problem("", "a lone surrogate is no character"),) if b"\\ud" in raw else ()
    else:
        found = (Problem("", "none"),)
        assert read_body(VisitRequest, json.dumps(to_json(request)).encode()) == request
    assert found
    assert all(problem.detail for problem in found)
