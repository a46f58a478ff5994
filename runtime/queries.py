"""SQL kept in `sql/queries.sql` beside the module that uses it, one named block a query."""

import re
from collections.abc import Mapping
from pathlib import Path

_BLOCK = re.compile(r"^-- name: (?P<name>\w+)\n(?P<text>.*?)(?=^-- name: |\Z)", re.DOTALL | re.MULTILINE)


def load_queries(module_file: str) -> Mapping[str, str]:
    """Read the blocks ``-- name: x`` of ``sql/queries.sql`` beside ``module_file``.

    Raises `ValueError` when a name stands twice or a block has no sentence above its SQL.
    """
    path = Path(module_file).parent / "sql" / "queries.sql"
    queries: dict[str, str] = {}
    for block in _BLOCK.finditer(path.read_text("utf-8")):
        name, text = block["name"], block["text"].strip()
        if name in queries:
            raise ValueError(f"{path}: the query {name} stands twice")
        if not text.startswith("-- "):
            raise ValueError(f"{path}: the query {name} needs a sentence above it")
        queries[name] = text
    return queries
