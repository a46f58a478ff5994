import re
from datetime import UTC, datetime

import pytest
from httpx import ASGITransport, AsyncClient

from embedded.mailbox.http import application
from embedded.mailbox.smtp import Faults
from embedded.mailbox.store import Store

HOSTILE = (
    'From: "<script>alert(1)</script>" <a@b.example>\r\nSubject: <img src=x onerror=alert(1)>\r\n'
    'Content-Language: "><script>alert(2)</script>\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n'
    "--b\r\nContent-Type: text/plain\r\n\r\n</pre><script>alert(3)</script>\r\n"
    "--b\r\nContent-Type: text/html\r\n\r\n<script>alert(4)</script><p>hello\r\n"
    "--b\r\nContent-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n"
    "SUMMARY:<script>alert(5)</script>\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    "--b\r\nContent-Type: image/svg+xml; name=x\r\n\r\n<svg onload=alert(6)>\r\n--b--"
)
NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


@pytest.fixture
def page(store):
    return AsyncClient(transport=ASGITransport(application(store, Faults())), base_url="http://localhost")


@pytest.fixture
def hostile(store):
    return store.add(HOSTILE.encode(), sender="a@b.example", to=["<b>@x.example"], now=NOW).id


@pytest.mark.parametrize("path", ["/", "/messages/{id}"])
async def test_nothing_a_sender_wrote_becomes_markup_of_a_page(page, hostile, path):
    shown = await page.get(path.format(id=hostile))
    assert shown.status_code == 200
    assert not re.search(r"<script|<img|<b>|<svg", shown.text)
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown.text
    assert "script-src" not in shown.headers["content-security-policy"]
    assert shown.headers["content-security-policy"].startswith("default-src 'none'")


async def test_a_formatted_text_is_framed_without_any_right(page, hostile):
    assert '<iframe sandbox title="Formatted text' in (await page.get(f"/messages/{hostile}")).text
    framed = await page.get(f"/messages/{hostile}/parts/1")
    assert framed.text.startswith("<script>alert(4)")
    policy = framed.headers["content-security-policy"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"


@pytest.mark.parametrize("part", [0, 2, 3])
async def test_every_other_part_is_only_downloaded(page, hostile, part):
    answer = await page.get(f"/messages/{hostile}/parts/{part}")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "svg" not in answer.headers["content-type"]


async def test_the_source_is_shown_as_plain_text(page, hostile):
    source = await page.get(f"/messages/{hostile}/source")
    assert source.headers["content-type"].startswith("text/plain")
    assert source.text.endswith(HOSTILE)


async def test_a_page_of_another_site_cannot_read_mail_by_a_name_of_its_own(page, hostile):
    assert (await page.get("/api/messages", headers={"host": "rebound.example"})).status_code == 400


async def test_the_list_is_searched_by_recipient(page, store, hostile):
    store.add(b"Subject: quiet\r\n\r\n", sender="", to=["host@body.example"], now=NOW)
    found = (await page.get("/", params={"to": "host@"})).text
    assert "quiet" in found
    assert "onerror" not in found


async def test_a_long_list_has_pages(page, store):
    for number in range(101):
        subject = f"Subject: notice {number}!\r\n\r\n".encode()
        store.add(subject, sender="", to=["host@body.example"], now=NOW)
    newest, oldest = (await page.get("/")).text, (await page.get("/", params={"page": 2})).text
    assert "notice 100!" in newest
    assert "notice 0!" not in newest
    assert 'rel="next"' in newest
    assert "notice 0!" in oldest
    assert 'rel="next"' not in oldest


async def test_the_interface_lists_shows_and_deletes(page, hostile):
    (listed,) = (await page.get("/api/messages", params={"to": "x.example", "since": NOW.isoformat()})).json()
    assert (listed["id"], listed["to"], listed["has_calendar"]) == (hostile, ["<b>@x.example"], True)
    assert listed["received_at"] == "2026-03-01T09:00:00Z"
    shown = (await page.get(f"/api/messages/{hostile}")).json()
    assert shown["text"].startswith("</pre>")
    assert len(shown["calendars"]) == 1
    assert (await page.delete("/api/messages")).json() == {"deleted": 1}
    assert (await page.get(f"/api/messages/{hostile}")).status_code == 404


async def test_an_impossible_fault_is_refused(page):
    assert (await page.put("/api/faults", json={"code": 250, "count": 1})).status_code == 422
