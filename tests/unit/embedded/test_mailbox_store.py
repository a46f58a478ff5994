import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from embedded.mailbox.store import Kept, Store

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
NOTICE = b"From: desk@centre.example\r\nSubject: Visit\r\nMessage-ID: <1@centre.example>\r\n\r\nDear host\r\n"


def add(
    store: Store, raw: bytes = NOTICE, to: Iterable[str] = ("host@body.example",), now: datetime = NOW
) -> Kept:
    return store.add(raw, sender="desk@centre.example", to=to, now=now)


def test_a_message_survives_a_restart_with_all_that_is_known_of_it(tmp_path):
    kept = add(Store(tmp_path), to=("Host@body.example", "expert@body.example"))
    again = Store(tmp_path)
    assert again.find() == [kept]
    assert again.source(kept.id).endswith(NOTICE)


def test_a_message_id_that_comes_again_to_the_same_recipient_is_kept_once_and_counted(tmp_path):
    store = Store(tmp_path)
    add(store)
    add(store, now=NOW + timedelta(minutes=1))
    assert [kept.repeated for kept in store.find()] == [1]
    assert [kept.repeated for kept in Store(tmp_path).find()] == [1]


def test_one_message_id_to_another_recipient_is_a_message_of_its_own(tmp_path):
    store = Store(tmp_path)
    add(store)
    add(store, to=("host@body.example", "expert@body.example"))
    assert [kept.to for kept in store.find()] == [("host@body.example",), ("expert@body.example",)]


def test_messages_without_a_message_id_are_never_taken_for_one_another(tmp_path):
    store = Store(tmp_path)
    add(store, raw=b"Subject: a\r\n\r\n")
    add(store, raw=b"Subject: a\r\n\r\n")
    assert len(store.find()) == 2


def test_a_sender_cannot_forge_the_envelope_for_the_next_start(tmp_path):
    add(Store(tmp_path), raw=b"Delivered-To: minister@body.example\r\n" + NOTICE)
    assert Store(tmp_path).find(to="minister") == []


def test_messages_are_found_by_recipient_and_by_time(tmp_path):
    store = Store(tmp_path)
    add(store)
    late = add(store, raw=NOTICE.replace(b"<1@", b"<2@"), now=NOW + timedelta(hours=1))
    assert store.find(to="HOST@", since=NOW + timedelta(minutes=1)) == [late]
    assert store.find(to="nobody@body.example") == []


def test_a_half_written_message_is_not_shown(tmp_path):
    (tmp_path / "20260301T090000.000000Z-00000000.eml.new").write_bytes(b"Return-Path: <")
    assert Store(tmp_path).find() == []


@pytest.fixture
def often_switched():
    """Let threads take turns so often that what may happen between them does."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_messages_may_be_listed_and_deleted_while_others_arrive(tmp_path, monkeypatch, often_switched):
    monkeypatch.setattr("embedded.mailbox.store.os.fsync", lambda _file: None)  # to be quick, not durable
    store, arrived = Store(tmp_path), 0

    def arrive() -> None:
        for number in range(600):
            add(store, raw=NOTICE.replace(b"<1@", f"<{number}@".encode()))

    with ThreadPoolExecutor(1) as other:
        arriving = other.submit(arrive)
        while not arriving.done():
            for _ in range(20):
                store.find(to="host@")
            arrived += store.clear()
        arriving.result()
    assert arrived + len(store.find()) == 600
    assert len(list(tmp_path.iterdir())) == len(store.find())


def test_deleting_forgets_message_ids_too(tmp_path):
    store = Store(tmp_path)
    add(store)
    add(store)
    assert store.clear() == 1
    assert add(store).repeated == 0
    assert len(list(tmp_path.iterdir())) == 1
