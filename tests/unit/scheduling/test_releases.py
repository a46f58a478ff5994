"""What changed between releases, and for whom it is news."""

from typing import Any

import pytest

from schemas.scheduling import Slot
from services.scheduling.releases import Kind, Release, difference, news_since_firm
from tests.unit.scheduling.factories import NOW
from tests.unit.scheduling.held import at, place, slot, with_

WELCOME, BRIEFING = slot(), slot("briefing", assignments=with_("expert-01", "expert"))


def test_why_a_slot_is_as_it_is_makes_no_difference():
    reasoned = slot(why=[{"ar": "لأن", "en": "Because"}])
    assert difference((WELCOME,), (reasoned,)).is_none
    assert difference((reasoned,), (slot(why=[{"ar": "إذ", "en": "Since"}]),)).is_none


@pytest.mark.parametrize(
    ("changes", "affected"),
    [
        ({"starts": at(3, 9, 15)}, ("host-01",)),
        ({"place": place("hall")}, ("host-01",)),
        ({"assignments": with_("host-02")}, ("host-01", "host-02")),
        ({"title": {"ar": "آخر", "en": "Another"}}, ()),
    ],
)
def test_only_those_whose_part_changed_are_affected(changes: dict[str, Any], affected: tuple[str, ...]):
    what = difference((WELCOME, BRIEFING), (slot(**changes), BRIEFING))
    assert (what.removed, what.changed, what.affected) == ((), ("welcome",), affected)


def test_a_slot_that_is_no_more_affects_its_people():
    what = difference((WELCOME, BRIEFING), (WELCOME,))
    assert (what.removed, what.changed, what.affected) == ((BRIEFING,), (), ("expert-01",))


def history(*steps: tuple[Kind, tuple[Slot, ...]]) -> tuple[Release, ...]:
    return tuple(
        Release(number, 1, kind, slots, None, "a cause", NOW) for number, (kind, slots) in enumerate(steps, 1)
    )


BOTH = (WELCOME, BRIEFING)
MOVED = (slot(starts=at(3, 9, 15)), BRIEFING)


def test_given_no_firm_release_before_then_it_is_news_to_everybody():
    assert news_since_firm(history(("proposed", BOTH))) is None
    assert news_since_firm(history(("proposed", BOTH), ("revised", MOVED))) is None


def test_given_a_firm_release_then_it_is_news_to_those_whose_part_changed_since():
    assert news_since_firm(history(("proposed", BOTH), ("firm", BOTH), ("revised", MOVED))) == ("host-01",)


def test_given_a_part_is_as_it_was_again_then_it_is_news_to_whom_another_was_told_of():
    back_again = history(("firm", BOTH), ("revised", MOVED), ("revised", BOTH))
    assert news_since_firm(back_again) == ("host-01",)


def test_given_the_firm_programme_was_called_off_then_a_new_one_is_news_to_everybody():
    assert news_since_firm(history(("firm", BOTH), ("cancelled", ()), ("proposed", BOTH))) is None
