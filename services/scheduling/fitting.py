"""Fits texts into boxes: how wide a text is, about, how it breaks into lines, and what is left out."""

import unicodedata

ELLIPSIS = "…"
_WIDTHS = {
    **dict.fromkeys(" ijl.,:;'|!،؛اأإآرز", 0.3),
    **dict.fromkeys("fIrt()[]·-/", 0.39),
    **dict.fromkeys("mwMWسشصض@%—…", 0.92),
}
"""Of letters in ems, as in the font that comes with the picture, where they are not of common width."""


def width(text: str, size: float, *, bold: bool = False) -> float:
    """About how wide a text is, in the unit of its font's ``size``; rather too much than too little."""
    return sum(map(_em, text)) * size * (1.06 if bold else 1)


def _em(character: str) -> float:
    if character in _WIDTHS:
        return _WIDTHS[character]
    if unicodedata.combining(character) or unicodedata.category(character) == "Cf":
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.05
    return 0.68 if character.isupper() else 0.56


def lines(text: str, room: float, size: float, *, bold: bool = False) -> list[str]:
    """A text in lines that are no wider than ``room``; a word that is too long alone is broken."""
    found: list[str] = []
    for word in text.split():
        longer = f"{found[-1]} {word}" if found else word
        if found and width(longer, size, bold=bold) <= room:
            found[-1] = longer
            continue
        found += _pieces(word, room, size, bold=bold)
    return found


def cut(text: str, room: float, size: float, *, bold: bool = False) -> str:
    """A text in one line, its end left out when it is too long."""
    if width(text, size, bold=bold) <= room:
        return text
    while text and width(text + ELLIPSIS, size, bold=bold) > room:
        text = text[:-1]
    return text.rstrip() + ELLIPSIS


def first_lines(text: str, count: int, room: float, size: float, *, bold: bool = False) -> list[str]:
    """At most so many lines of a text; the last one tells by an ellipsis that there is more."""
    found = lines(text, room, size, bold=bold)
    if len(found) <= count:
        return found
    rest = " ".join(found[count - 1 :])
    return [*found[: count - 1], cut(rest, room, size, bold=bold)]


def _pieces(word: str, room: float, size: float, *, bold: bool) -> list[str]:
    pieces = [""]
    for character in word:
        if pieces[-1] and width(pieces[-1] + character, size, bold=bold) > room:
            pieces.append("")
        pieces[-1] += character
    return pieces
