"""What of a held programme cannot stay when somebody is ill, something is closed or a flight is late."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.scheduling import Slot
from services.scheduling.centre import Centre, OfficialHoliday
from services.scheduling.disruptions import Block, misfits, still_asked_for
from tests.unit.scheduling.factories import CENTRE, NOW, needs
from tests.unit.scheduling.held import at, block, place, slot, with_

HELD = (
    slot("welcome"),
    slot("briefing", starts=at(3, 11), ends=at(3, 12), assignments=with_("expert-01", "expert")),
)


def found(
    slots: tuple[Slot, ...] = HELD,
    *,
    centre: Centre = CENTRE,
    blocks: tuple[Block, ...] = (),
    now: datetime = NOW,
    **changes: Any,
) -> dict[str, str]:
    return misfits(slots, needs(**changes), centre, blocks, now)


def test_given_an_undisturbed_programme_then_everything_stays():
    assert found() == {}


@pytest.mark.parametrize(
    ("resource", "hit"),
    [
        ("person:host-01", {"welcome"}),
        ("person:expert-01", {"briefing"}),
        ("venue:meeting-room-1", {"welcome", "briefing"}),
        ("centre", {"welcome", "briefing"}),
        ("person:host-02", set()),
        ("venue:hall", set()),
    ],
)
def test_given_a_block_of_the_day_then_what_takes_the_resource_is_hit(resource: str, hit: set[str]):
    assert found(blocks=(block(resource, at(3, 8), at(4, 8)),)).keys() == hit


@pytest.mark.parametrize(
    ("start", "end", "hit"),
    [
        (at(3, 8), at(3, 9), set()),
        (at(3, 8), at(3, 9, 15), {"welcome"}),
        (at(3, 9, 45), at(3, 10), {"welcome"}),
        (at(3, 10), at(3, 11), set()),
        (at(3, 10), at(3, 11, 15), {"briefing"}),
    ],
)
def test_given_a_block_of_a_span_then_only_what_overlaps_it_is_hit(
    start: datetime, end: datetime, hit: set[str]
):
    assert found(blocks=(block("centre", start, end),)).keys() == hit


def test_the_reason_of_a_block_which_may_be_an_illness_is_not_handed_on():
    assert found(blocks=(block("person:host-01", at(3, 8), at(4, 8)),)) == {
        "welcome": "person:host-01 is blocked"
    }


def test_given_a_slot_that_has_begun_then_it_stays_whatever_happens():
    everything = (block("centre", at(1, 0), at(31, 0)),)
    assert found(blocks=everything, now=at(3, 9)).keys() == {"briefing"}


def changed(**changes: Any) -> Centre:
    return CENTRE.model_copy(update=changes)


def without_person(code: str) -> Centre:
    return changed(people=tuple(one for one in CENTRE.people if one.code != code))


def person(code: str, /, **changes: Any) -> Centre:
    """The example Centre with one person changed."""
    return changed(
        people=tuple(
            one.model_validate(one.model_dump() | changes) if one.code == code else one
            for one in CENTRE.people
        )
    )


def venue(code: str, /, **changes: Any) -> Centre:
    return changed(
        venues=tuple(
            one.model_validate(one.model_dump() | changes) if one.code == code else one
            for one in CENTRE.venues
        )
    )


DAY = {"first": "2027-01-03", "last": "2027-01-03"}


@pytest.mark.parametrize(
    ("centre", "hit"),
    [
        (without_person("host-01"), {"welcome"}),
        (person("host-01", absences=[DAY]), {"welcome"}),
        (person("host-01", days_off=["sunday"]), {"welcome"}),
        (person("host-01", roles=["expert"], themes=["prosecution"]), {"welcome"}),
        (venue("meeting-room-1", closures=[DAY]), {"welcome", "briefing"}),
        (venue("meeting-room-1", code="room-1"), {"welcome", "briefing"}),
        (
            changed(official_holidays=(OfficialHoliday(name={"ar": "عطلة", "en": "A holiday"}, **DAY),)),
            {"welcome", "briefing"},
        ),
        (person("host-02", absences=[DAY]), set()),
    ],
)
def test_given_changed_master_data_then_what_they_forbid_is_hit(centre: Centre, hit: set[str]):
    assert found(centre=centre).keys() == hit


def test_a_person_who_keeps_another_countrys_holidays_is_away_on_them():
    easter_monday = datetime(2027, 3, 29, 7, tzinfo=UTC)
    on_it = (slot(starts=easter_monday, ends=easter_monday + timedelta(hours=1)),)
    window = [{"first": "2027-03-28", "last": "2027-04-01"}]
    assert found(on_it, centre=person("host-01", country="FR"), windows=window) == {
        "welcome": "host-01 is away on 2027-03-29"
    }
    assert found(on_it, windows=window) == {}


@pytest.mark.parametrize(
    ("changes", "hit"),
    [
        ({"arrives": at(3, 8)}, {"welcome"}),  # it takes a while from landing to the Centre
        ({"arrives": at(3, 7, 30)}, set()),
        ({"arrives": at(4, 8)}, {"welcome", "briefing"}),
        ({"leaves": at(3, 15)}, set()),
        ({"leaves": at(3, 14, 45)}, {"briefing"}),
        ({"windows": [{"first": "2027-01-04", "last": "2027-01-07"}]}, {"welcome", "briefing"}),
        ({"blackout_dates": ["2027-01-03"]}, {"welcome", "briefing"}),
        ({"access_needs": ["hearing-loop"]}, {"welcome", "briefing"}),
    ],
)
def test_given_a_changed_request_then_what_does_not_fit_it_is_hit(changes: dict[str, Any], hit: set[str]):
    assert found(**changes).keys() == hit


def test_given_other_days_are_asked_for_then_only_what_has_begun_is_kept_of_the_others():
    other_days = needs(windows=[{"first": "2027-01-04", "last": "2027-01-07"}])
    later = slot("closing", starts=at(4, 9), ends=at(4, 10))
    assert still_asked_for((*HELD, later), other_days, CENTRE, NOW) == (later,)
    assert still_asked_for((*HELD, later), other_days, CENTRE, at(3, 10)) == (HELD[0], later)
    assert still_asked_for((*HELD, later), needs(), CENTRE, NOW) == (*HELD, later)


def test_a_slot_elsewhere_is_not_hit_by_a_closed_venue():
    elsewhere = (slot(place=place("hall")),)
    assert found(elsewhere, blocks=(block("venue:meeting-room-1", at(3, 8), at(4, 8)),)) == {}
