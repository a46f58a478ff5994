"""`wafd schedule preview` against a real database: what it shows, writes, refuses, and leaves alone."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from cli.examples import REQUESTS
from runtime.transaction import Transactions
from services.scheduling import store
from services.scheduling.centre_file import load_centre
from tests.conftest import Database, OpenTransactions
from tests.integration.test_commands import Ran, wafd

EXAMPLE = REQUESTS / "06-jordan-anti-trafficking-unit.json"
CENTRE = load_centre(REQUESTS.parent / "centre.yaml")


@pytest.fixture
async def loaded(database: Database, transactions: OpenTransactions) -> tuple[Database, Transactions]:
    """A database in which scheduling has loaded its master data."""
    opened = await transactions("scheduling")
    async with opened() as tx:
        await store.keep_centre(tx.connection, CENTRE, tx.now)
    return database, opened


async def preview(database: Database, *arguments: str | Path) -> Ran:
    async with asyncio.timeout(240):
        return await wafd(database, "schedule", "preview", *map(str, arguments))


async def test_an_example_is_previewed_in_both_languages_and_nothing_is_booked(
    loaded: tuple[Database, Transactions],
) -> None:
    database, transactions = loaded
    for language, says in (("en", "Preview: nothing is booked"), ("ar", "معاينة: لم يحجز شيء")):
        code, out, err = await preview(database, EXAMPLE, "--language", language)
        assert (code, err) == (0, "")
        assert out.startswith(says)
    async with transactions() as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM booking") == 0
        assert await tx.connection.fetchval("SELECT count(*) FROM visit") == 0
        assert await tx.connection.fetchval("SELECT count(*) FROM outbox") == 0


async def test_json_page_and_picture_are_written(
    loaded: tuple[Database, Transactions], tmp_path: Path
) -> None:
    page, image = tmp_path / "page.html", tmp_path / "picture.png"
    code, out, err = await preview(loaded[0], EXAMPLE, "--json", "--html", page, "--png", image)
    assert (code, err) == (0, "")
    shown = json.loads(out)
    assert 1 <= len(shown["programmes"]) <= 3
    assert page.read_text("utf-8").count("<svg") == len(shown["programmes"])
    assert image.read_bytes().startswith(b"\x89PNG")


async def test_a_bare_request_may_hold_no_more_than_planning_needs(
    loaded: tuple[Database, Transactions], tmp_path: Path
) -> None:
    file = tmp_path / "request.json"
    file.write_text(json.dumps(bare()))
    code, out, err = await preview(loaded[0], file)
    assert (code, err) == (0, "")
    assert "Welcome" in out


async def test_without_a_programme_it_exits_with_1_and_says_why(
    loaded: tuple[Database, Transactions],
) -> None:
    code, out, err = await preview(loaded[0], REQUESTS / "13-waitlisted-too-much-for-one-day.json")
    assert (code, err) == (1, "")
    assert out.startswith("No programme is possible as asked:")
    assert "What would be possible instead:" in out


async def test_a_picture_that_cannot_be_drawn_is_named(
    loaded: tuple[Database, Transactions], tmp_path: Path
) -> None:
    wanted = tmp_path / "timetable.png"
    file = REQUESTS / "13-waitlisted-too-much-for-one-day.json"
    code, _, err = await preview(loaded[0], file, "--png", str(wanted))
    assert (code, err) == (1, f"nothing to draw: {wanted} was not written\n")
    assert not wanted.exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "is not JSON: Expecting property name"),
        (b"\xff", "is not UTF-8"),
        (b"[" * 100_000, "is nested too deeply"),
        (b'{"kind": "\\ud800"}', "holds texts that are not UTF-8"),
        (b"[1]", "is no request that can be planned: /: "),
        (b'{"client": {"country": "QA"}, "windows_from_today": [[1, 99999999999]]}', "/windows: this field"),
        (b'{"client": 3, "request": 4, "windows_from_today": 5}', "/kind: this field is required"),
    ],
    ids=["cut off", "not UTF-8", "deep", "surrogate", "list", "far away", "no example"],
)
async def test_a_bad_file_is_refused_in_one_sentence(
    loaded: tuple[Database, Transactions], tmp_path: Path, content: bytes, says: str
) -> None:
    file = tmp_path / "request.json"
    file.write_bytes(content)
    code, out, err = await preview(loaded[0], file)
    assert (code, out) == (2, "")
    assert err.startswith(f"wafd: {file} ")
    assert says in err
    assert err.count("\n") == 1


async def test_a_file_that_is_not_there_or_cannot_be_written_is_named(
    loaded: tuple[Database, Transactions], tmp_path: Path
) -> None:
    code, _, err = await preview(loaded[0], tmp_path / "none.json")
    assert (code, err) == (2, f"wafd: {tmp_path}/none.json cannot be read: No such file or directory\n")
    code, _, err = await preview(loaded[0], EXAMPLE, "--html", tmp_path / "no" / "page.html")
    assert (code, err) == (2, f"wafd: {tmp_path}/no/page.html cannot be written: No such file or directory\n")


async def test_without_master_data_it_says_what_to_do(database: Database) -> None:
    code, _, err = await preview(database, EXAMPLE)
    assert (code, err) == (2, "wafd: no master data are loaded yet: start the scheduling service first\n")


async def test_what_is_booked_is_not_offered(loaded: tuple[Database, Transactions], tmp_path: Path) -> None:
    database, transactions = loaded
    file = tmp_path / "request.json"
    file.write_text(json.dumps(bare()))
    first = json.loads((await preview(database, file, "--json"))[1])["programmes"][0]
    async with transactions() as tx:
        await _book_all(tx.connection, first["days"])
    _, out, _ = await preview(database, file, "--json")
    offered = {day for one in json.loads(out)["programmes"] for day in one["days"]}
    assert offered.isdisjoint(first["days"])


async def _book_all(connection: asyncpg.Connection, days: list[str]) -> None:
    """Have another visit hold every room of the Centre on these days."""
    await connection.execute(
        "INSERT INTO visit (id, reference, country, ministry, revision, latest_revision, state, needs,"
        " people, changed_at) VALUES (gen_random_uuid(), 'V-1', 'QA', 'M', 1, 1, 'wanted', '{}', '{}', now())"
    )
    for venue in CENTRE.venues:
        for day in days:
            await connection.execute(
                "INSERT INTO booking (visit_id, release, slot_key, resource, during, venue)"
                " SELECT id, 1, $1, $2, tstzrange($3::timestamptz, $3::timestamptz + interval '1 day'), $1"
                " FROM visit",
                f"{venue.code}-{day}",
                f"venue:{venue.code}",
                datetime.fromisoformat(f"{day}T00:00+03:00").astimezone(UTC),
            )


def bare() -> dict[str, Any]:
    year = datetime.now(UTC).year + 1
    return {
        "kind": "study",
        "themes": ["national-referral-mechanism"],
        "windows": [{"first": f"{year}-10-03", "last": f"{year}-10-28"}],
        "days": 1,
        "size": 4,
        "members": [{"role": "head", "rank": "director"}],
        "languages": ["en"],
    }
