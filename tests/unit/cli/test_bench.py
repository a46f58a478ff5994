"""The figures of `wafd bench` in words."""

from typing import Any

import pytest

from cli.bench import _show


async def test_a_table_of_figures_is_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    figures = {
        "requests": 40,
        "approval_to_programme_notice_ms": {"median": 310, "max": 900, "p99": 850},
        "rounds": [1.5, 2.0],
    }

    async def measured() -> dict[str, Any]:
        return figures

    await _show(measured(), as_json=False)
    shown = capsys.readouterr().out
    assert "approval (200) to the programme's e-mail, ms" in shown
    assert "median 310, max 900, p99 850" in shown
    assert "1.5, 2.0" in shown
    assert "{" not in shown
