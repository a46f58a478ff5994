"""The picture of a timetable as SVG, and as PNG in the fonts that come with it."""

from pathlib import Path

import resvg_py
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.scheduling.drawing import TEXT, Picture

_HERE = Path(__file__).parent
_FONTS = [str(path) for path in sorted((_HERE / "fonts").glob("*.ttf"))]

ENVIRONMENT = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)


def svg(drawn: Picture, ids: str = "") -> str:
    """The picture as SVG, every text escaped; ``ids`` tells it from others of the same page."""
    anchor = "end" if drawn.language == "ar" else "start"
    return ENVIRONMENT.get_template("timetable.svg.j2").render(
        picture=drawn, anchor=anchor, ids=ids, size=TEXT
    )


def png(drawn: Picture, zoom: float = 2) -> bytes:
    """The picture as PNG, ``zoom`` times as large, set in the fonts that come with it."""
    made: bytes = resvg_py.svg_to_bytes(
        svg_string=svg(drawn), skip_system_fonts=True, font_files=_FONTS, zoom=zoom
    )
    return made
