import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded.mailbox.reading import entries_of, parts_of, read_headers

INVITATION = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//centre.example//EN
METHOD:REQUEST
BEGIN:VEVENT
UID:visit-1
DTSTAMP:20260301T060000Z
DTSTART;TZID=Asia/Bahrain:20260301T090000
DTEND;TZID=Asia/Bahrain:20260301T100000
SUMMARY:لقاء
ATTENDEE;CN=Host;PARTSTAT=NEEDS-ACTION:mailto:host@body.example
ATTENDEE;CN=Expert;PARTSTAT=ACCEPTED:mailto:expert@body.example
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n")


def test_encoded_headers_are_read():
    raw = "Subject: =?utf-8?b?2K/YudmI2Kk=?=\r\nContent-Language: ar\r\nMessage-ID: <1@x>\r\n\r\n"
    headers = read_headers(raw.encode())
    assert (headers.subject, headers.language, headers.message_id) == ("دعوة", "ar", "<1@x>")


def test_an_invitation_is_recognised_inside_a_multipart_message():
    raw = (
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n"
        f"--b\r\nContent-Type: text/calendar\r\n\r\n{INVITATION}\r\n--b--"
    )
    assert read_headers(raw.encode()).has_calendar
    assert [part.kind for part in parts_of(raw.encode())] == ["text/plain", "text/calendar"]


def test_a_calendar_is_shown_with_its_method_times_and_every_attendee():
    method, (entry,) = entries_of(INVITATION)
    assert method == "REQUEST"
    assert ("dtstart", "2026-03-01 09:00:00+03:00") in entry.facts
    assert [value for name, value in entry.facts if name == "attendee"] == [
        "mailto:host@body.example · Host · NEEDS-ACTION",
        "mailto:expert@body.example · Expert · ACCEPTED",
    ]


def test_what_is_no_calendar_is_said_to_be_unreadable():
    with pytest.raises(ValueError, match="cannot be read"):
        entries_of("BEGIN:VEVENT\r\nDTSTART:never\r\n")


@given(st.binary(max_size=400), st.sampled_from(["us-ascii", "no-such-charset", "utf-16"]))
def test_no_content_makes_reading_fail(content, charset):
    head = f"Content-Type: text/html; charset={charset}\r\nSubject: ".encode()
    read_headers(head + content)
    assert all(part.kind for part in parts_of(head + content))
