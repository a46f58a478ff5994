"""SQL files: named blocks, each with a sentence."""

from pathlib import Path

import pytest

from runtime.queries import load_queries


def load(folder: Path, text: str) -> object:
    (folder / "sql").mkdir()
    (folder / "sql" / "queries.sql").write_text(text)
    return load_queries(str(folder / "module.py"))


def test_blocks_are_found_by_name(tmp_path: Path) -> None:
    found = load(tmp_path, "-- name: one\n-- Says one.\nSELECT 1\n\n-- name: two\n-- Says two.\nSELECT 2\n")
    assert found == {"one": "-- Says one.\nSELECT 1", "two": "-- Says two.\nSELECT 2"}


def test_a_query_without_a_sentence_or_twice_the_same_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with pytest.raises(ValueError, match="needs a sentence"):
        load(tmp_path / "a", "-- name: one\nSELECT 1\n")
    with pytest.raises(ValueError, match="stands twice"):
        load(tmp_path / "b", "-- name: one\n-- A.\nSELECT 1\n-- name: one\n-- B.\nSELECT 2\n")
