"""The page about the events says what the code says."""

import re
from pathlib import Path

from schemas.contracts import PAGE, check_contracts, current_schemas, export_contracts
from schemas.event import EVENTS
from schemas.reference import events_page


def test_the_page_is_as_generated():
    assert PAGE.read_text(encoding="utf-8") == events_page(current_schemas()), "run `wafd schemas export`"


def test_a_stale_page_names_the_command_that_mends_it(tmp_path: Path):
    page = tmp_path / "docs" / "events.md"
    export_contracts(tmp_path / "json", page)
    page.write_text(page.read_text(encoding="utf-8").replace("a visit", "a trip"), encoding="utf-8")

    assert [str(problem) for problem in check_contracts(tmp_path / "json", page)] == [
        "docs/events.md: the page does not say what the code says; run `wafd schemas export`."
    ]


def test_the_page_says_of_every_type_who_emits_it_when_with_which_key_and_whether_it_names_people():
    lines = events_page(current_schemas()).splitlines()
    for type_, data in EVENTS.items():
        (row,) = (line for line in lines if line.startswith(f"| [`{type_}`]"))
        _, _, emitter, topic, key, when, people, _ = (cell.strip() for cell in re.split(r"(?<!\\)\|", row))
        assert emitter == topic == f"`{type_.split('.')[0]}`"
        assert key
        assert when == " ".join((data.__doc__ or "").split())
        assert people == ("yes" if "people" in data.model_fields else "no")


def test_the_page_names_every_field_of_every_type():
    page = events_page(current_schemas())
    for type_, data in EVENTS.items():
        section = page.split(f"\n## {type_}\n")[1].split("\n## ")[0]
        assert set(re.findall(r"^\| `(\w+)`", section, re.MULTILINE)) == set(data.model_fields)


def test_every_link_on_the_page_leads_to_a_heading():
    page = events_page(current_schemas())
    titles = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    headings = {re.sub(r"[^\w -]", "", title.lower()) for title in titles}
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= headings


def test_two_shapes_never_share_a_name():
    seen: dict[str, object] = {}
    for schema in current_schemas().values():
        for name, shape in schema["$defs"].items():
            assert seen.setdefault(name, shape) == shape, name
