"""The page of the API's calls."""

import re

import httpx

from runtime.http import new_app


async def test_the_page_of_the_calls_needs_no_other_host() -> None:
    transport = httpx.ASGITransport(new_app("Wafd test"))
    async with httpx.AsyncClient(transport=transport, base_url="http://wafd.example") as client:
        page = (await client.get("/docs")).text
        needed = re.findall(r'(?:src|href)="([^"]+)"', page) + re.findall(r"url: '([^']+)'", page)
        assert "/openapi.json" in needed
        assert any(each.endswith(".js") for each in needed)
        assert any(each.endswith(".css") for each in needed)
        for each in needed:
            assert each.startswith("/"), each
            assert (await client.get(each)).status_code == 200, each
    assert "://" not in page.replace("window.location.origin", "")
