"""Who is told of what."""

import dataclasses

import pytest

from schemas.visits import RequestApproved
from services.notifications.domain import LETTERS, notices_of
from services.notifications.notice import Notice, Office
from services.notifications.parts import Told
from tests.unit.notifications.events import (
    ALI,
    CLOSING,
    CONTACT,
    EACH,
    MARIAM,
    NOORA,
    OFFICE,
    REFERRAL,
    SLOTS,
    THOMAS,
    WELCOME,
    YUSUF,
    cancelled,
    consultation_answered,
    consultation_opened,
    consultation_overdue,
    declined,
    event,
    infeasible,
    ministry,
    proposed,
    released,
    revised,
    slot,
    submitted,
)

EARLIER: Told = {"p-001": (WELCOME, REFERRAL), "p-007": (REFERRAL, CLOSING), "p-021": (CLOSING,)}


def _notices(data, told: Told | None = None, office: Office = OFFICE) -> dict[str, Notice]:
    notices = notices_of(event(data), office, told or {})
    by_key = {notice.recipient.key: notice for notice in notices}
    assert len(by_key) == len(notices), "a recipient has two notices of one event"
    return by_key


def _asked(notice: Notice) -> list[str]:
    return [entry.slot.key for entry in notice.entries if entry.method == "REQUEST"]


def _cancelled(notice: Notice) -> list[str]:
    return [slot.key for slot in notice.cancelled]


def test_a_submitted_request_is_acknowledged_to_every_focal_point_and_goes_to_the_office():
    notices = _notices(submitted())

    assert {key: notice.template for key, notice in notices.items()} == {
        "mariam@mofa.example": "request_received",
        "thomas@mission.example": "request_received",
        "office": "request_to_screen",
    }
    assert notices["mariam@mofa.example"].recipient.language == "ar"


def test_an_approval_is_told_by_the_programme_that_follows_it():
    assert RequestApproved.TYPE not in {data.TYPE for data in LETTERS}


def test_a_consulted_body_is_asked_through_its_contact_and_nobody_else_is_told():
    notices = _notices(consultation_opened())

    assert {key: notice.template for key, notice in notices.items()} == {CONTACT.email: "consultation_opened"}
    recipient = notices[CONTACT.email].recipient
    assert (recipient.shown_name, recipient.language) == ("Fatima Al-Doseri", "en")


def test_an_overdue_answer_is_told_to_the_body_and_to_the_office():
    assert {key: notice.template for key, notice in _notices(consultation_overdue()).items()} == {
        CONTACT.email: "consultation_overdue",
        "office": "consultation_missing",
    }


def test_an_objection_is_told_to_the_office():
    assert {key: notice.template for key, notice in _notices(consultation_answered()).items()} == {
        "office": "consultation_objected"
    }


@pytest.mark.parametrize("answer", ["consent", "silence"])
def test_a_consent_is_told_to_nobody(answer):
    assert _notices(consultation_answered(answer=answer, reason=None)) == {}


@pytest.mark.parametrize("data", EACH, ids=lambda data: data.TYPE)
def test_every_consumed_event_is_told_to_somebody(data):
    assert notices_of(event(data), OFFICE, {})


def test_every_event_class_of_the_table_has_a_sample():
    assert {type(data) for data in EACH} == set(LETTERS)


def test_the_same_mailbox_in_other_letters_gets_one_message():
    again = MARIAM.model_copy(update={"email": "Mariam@MOFA.example"})

    notices = notices_of(
        event(infeasible().model_copy(update={"people": ministry(MARIAM, again)})), OFFICE, {}
    )

    assert [notice.template for notice in notices] == ["programme_infeasible", "programme_not_found"]


def test_a_ministry_that_names_the_mailbox_of_the_office_does_not_silence_the_office():
    notices = _notices(submitted(), office=Office("MARIAM@mofa.example", "en"))

    assert notices["mariam@mofa.example"].template == "request_received"
    assert notices["office"].template == "request_to_screen"


def test_a_person_with_two_roles_gets_one_tentative_notice_with_their_own_sessions():
    notice = _notices(proposed())["p-007"]

    assert notice.slots == (REFERRAL, CLOSING)
    assert notice.recipient.audience == "expert"
    assert [(entry.slot, entry.method, entry.status) for entry in notice.entries] == [
        (REFERRAL, "REQUEST", "TENTATIVE"),
        (CLOSING, "REQUEST", "TENTATIVE"),
    ]


def test_a_person_twice_in_one_session_is_asked_for_it_once():
    doubled = slot("welcome", [("p-001", "escort"), ("p-001", "host")])

    notice = _notices(proposed((doubled,), (NOORA,)))["p-001"]

    assert notice.slots == (doubled,)
    assert notice.recipient.audience == "host"


def test_persons_who_share_a_mailbox_get_their_own_message_each():
    shared = YUSUF.model_copy(update={"email": NOORA.email})

    notices = _notices(proposed(persons=(NOORA, shared, ALI)))

    assert {"p-001", "p-007"} <= set(notices)


def test_the_ministry_sees_the_whole_programme_and_gets_no_calendar_entries():
    notice = _notices(proposed())[THOMAS.email]

    assert (notice.slots, notice.entries) == (SLOTS, ())


def test_a_programme_is_not_told_to_the_office():
    assert "office" not in _notices(proposed())


def test_a_person_without_address_has_a_notice_that_cannot_be_sent():
    notices = _notices(proposed())

    assert notices["p-021"].unsendable
    assert notices["p-001"].unsendable is None


def test_a_person_whom_the_event_does_not_describe_has_a_notice_that_cannot_be_sent():
    assert _notices(proposed(persons=(NOORA, YUSUF)))["p-021"].unsendable


def test_a_programme_that_is_firm_again_is_told_to_those_of_the_centre_whose_part_changed():
    again = released().model_copy(update={"affected": ("p-007",)})
    told = {notice.recipient.person for notice in _notices(again, EARLIER).values()} - {None}

    assert told == {"p-007"}


def test_a_released_programme_confirms_the_same_sessions_under_a_higher_sequence():
    before, after = _notices(proposed()), _notices(released(), EARLIER)

    assert [entry.slot for entry in after["p-007"].entries] == [REFERRAL, CLOSING]
    assert {entry.status for entry in after["p-007"].entries} == {"CONFIRMED"}
    assert after["p-007"].entries[0].sequence > before["p-007"].entries[0].sequence


def test_a_revision_tells_only_the_affected_and_asks_only_for_what_changed():
    moved = slot("closing", [("p-007", "interpreter"), ("p-021", "escort")], hour=11)

    notices = _notices(
        revised((WELCOME, REFERRAL, moved), changed=("closing",), affected=("p-007", "p-021")), EARLIER
    )

    assert set(notices) == {MARIAM.email, THOMAS.email, "p-007", "p-021"}
    assert _asked(notices["p-007"]) == ["closing"]
    assert notices["p-007"].slots == (REFERRAL, moved)
    assert _cancelled(notices["p-007"]) == []


def test_a_removed_session_is_cancelled_for_those_who_had_it():
    notices = _notices(revised((WELCOME, REFERRAL), removed=(CLOSING,), affected=("p-007", "p-021")), EARLIER)

    assert (_asked(notices["p-007"]), _cancelled(notices["p-007"])) == ([], ["closing"])
    assert notices["p-021"].recipient.audience == "escort"


def test_a_removed_session_is_cancelled_even_when_no_earlier_notice_is_known():
    notices = _notices(revised((WELCOME, REFERRAL), removed=(CLOSING,), affected=("p-007",)))

    assert _cancelled(notices["p-007"]) == ["closing"]


def test_whoever_left_a_session_that_goes_on_has_it_cancelled():
    without_noora = slot("referral", [("p-007", "expert")], hour=8)

    notices = _notices(
        revised((WELCOME, without_noora, CLOSING), changed=("referral",), affected=("p-001",)), EARLIER
    )

    assert _cancelled(notices["p-001"]) == ["referral"]
    assert notices["p-001"].slots == (WELCOME,)


def test_a_substitute_is_asked_for_a_session_that_is_not_among_the_changed():
    notices = _notices(revised(affected=("p-007",)), {"p-007": (REFERRAL,)})

    assert _asked(notices["p-007"]) == ["closing"]


def test_a_session_in_which_only_a_colleague_changed_is_not_asked_for_again():
    other_host = slot("referral", [("p-007", "expert"), ("p-021", "host")], hour=8)
    moved = slot("closing", [("p-007", "interpreter"), ("p-021", "escort")], hour=11)

    notices = _notices(
        revised((WELCOME, other_host, moved), changed=("referral", "closing"), affected=("p-007",)), EARLIER
    )

    assert _asked(notices["p-007"]) == ["closing"]


def test_a_second_proposal_cancels_what_an_earlier_one_had_asked_for():
    notices = _notices(proposed((WELCOME,), release=2), EARLIER)

    assert _cancelled(notices["p-007"]) == ["referral", "closing"]
    assert notices["p-007"].slots == ()


def test_a_cancelled_programme_is_cancelled_for_everybody_in_it_and_for_nobody_keeps_sessions():
    notices = _notices(cancelled(), EARLIER)

    assert _cancelled(notices["p-007"]) == ["referral", "closing"]
    assert {entry.method for entry in notices["p-007"].entries} == {"CANCEL"}
    assert all(notices[code].slots == () for code in EARLIER)


def test_the_ministry_is_told_of_a_cancelled_programme_by_what_called_it_off():
    assert {notice.recipient.audience for notice in _notices(cancelled(), EARLIER).values()} == {
        "host", "expert", "escort",
    }  # fmt: skip
    assert MARIAM.email in _notices(declined())
    assert MARIAM.email in _notices(infeasible())


def test_the_sequence_rises_through_the_life_of_a_programme_even_within_one_release():
    life = (
        proposed(release=1),
        released(release=1),
        revised(affected=("p-001",), changed=("welcome",), release=2),
        released(release=2),
        cancelled(release=2),
        proposed(release=3),
    )

    sequences = [_notices(data)["p-001"].entries[0].sequence for data in life]

    assert sequences == sorted(set(sequences))


def test_a_notice_is_a_value():
    notice = _notices(proposed())["p-001"]

    with pytest.raises(dataclasses.FrozenInstanceError):
        notice.template = "other"  # type: ignore[misc]
