"""The example requests are what their README says, whatever the day."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from runtime.bodies import Refused
from schemas.scheduling import CataloguePublished
from services.visits.intake import read_request

EXAMPLES = Path(__file__).parents[3] / "examples"
REFUSED = "14-refused-several-fields"
FILES = sorted((EXAMPLES / "requests").glob("*.json"))
TODAY = date(2031, 5, 4)


def catalogue() -> CataloguePublished:
    centre = yaml.safe_load((EXAMPLES / "centre.yaml").read_text("utf-8"))
    sites = [venue for venue in centre["venues"] if venue["kind"] == "site"]
    return CataloguePublished.model_validate(
        {
            "revision": 1,
            "themes": [{"code": each["code"], "title": each["title"]} for each in centre["themes"]],
            "sites": [
                {
                    "code": each["code"],
                    "title": each["name"],
                    "group_cap": each["site"]["group_cap"],
                    "media_allowed": each["site"].get("media_allowed", False),
                    "confidentiality_required": each["site"].get("confidentiality_required", False),
                }
                for each in sites
            ],
            "largest_venue": max(venue["capacity"] for venue in centre["venues"]),
        }
    )


def request_of(path: Path, today: date) -> dict[str, Any]:
    example = json.loads(path.read_text("utf-8"))
    windows = [
        {"first": str(today + timedelta(days=first)), "last": str(today + timedelta(days=last))}
        for first, last in example["windows_from_today"]
    ]
    return {**example["request"], "windows": windows}


@pytest.mark.parametrize("path", [path for path in FILES if path.stem != REFUSED], ids=lambda path: path.stem)
@pytest.mark.parametrize("today", [TODAY, date(2027, 1, 31)], ids=str)
def test_an_example_is_accepted_on_any_day(path, today):
    raw = json.dumps(request_of(path, today)).encode()
    assert read_request(raw, catalogue(), today).windows


def test_the_refused_example_is_refused_for_every_fault_it_shows():
    raw = json.dumps(request_of(EXAMPLES / "requests" / f"{REFUSED}.json", TODAY)).encode()
    with pytest.raises(Refused) as refusal:
        read_request(raw, catalogue(), TODAY)
    assert {problem.pointer for problem in refusal.value.problems} == {
        "/themes/1",
        "/windows/0",
        "/windows/1",
        "/sites/0",
        "/confidentiality_signed",
    }


def test_there_are_requests_of_many_governments():
    countries = {json.loads(path.read_text("utf-8"))["client"]["country"] for path in FILES}
    assert len(FILES) >= 13
    assert len(countries) >= 7


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_address_in_an_example_can_belong_to_anybody(path):
    request = request_of(path, TODAY)
    for contact in [request["focal_point"], *request.get("alternates", [])]:
        assert contact["email"].endswith(".example")
