"""Reads MiniZinc data: assignments of whole numbers, sets of them, and arrays of one or two dimensions."""

import re
from dataclasses import dataclass

TOKEN = re.compile(
    r"(?P<space>[ \t\r\f]+|%[^\n]*|/\*.*?\*/|\n)|(?P<token>[A-Za-z_]\w*|-?\d+|\.\.|[\[\]{}|,;=])", re.DOTALL
)

LONGEST_RANGE = 100_000
"""A longer range is no set of slots or meetings, but would fill the memory."""

MOST_DIGITS = 18


class DataError(Exception):
    """A line of the data is wrong."""

    def __init__(self, line: int, what: str) -> None:
        """Keep the line, counted from 1."""
        super().__init__(f"line {line}: {what}")


@dataclass(frozen=True)
class Value:
    """A number, a set, or an array of values (rows are arrays), and the line where it begins."""

    line: int
    content: "int | frozenset[int] | tuple[Value, ...]"


def read_data(text: str) -> dict[str, Value]:
    """The value of each name. Raises `DataError`."""
    tokens = _Tokens(text)
    data: dict[str, Value] = {}
    while tokens.next:
        line, name = tokens.line, tokens.take()
        if not name.isidentifier():
            raise DataError(line, f"a name was expected instead of {name}")
        if name in data:
            raise DataError(line, f"{name} is given twice")
        tokens.take("=")
        data[name] = _value(tokens)
        if tokens.next:  # MiniZinc lets the last semicolon be left out
            tokens.take(";")
    return data


class _Tokens:
    """The tokens of a text, one after the other."""

    def __init__(self, text: str) -> None:
        self._tokens = _split(text)
        self._at = 0

    @property
    def next(self) -> str:
        """The token that comes, empty at the end."""
        return self._tokens[self._at][1]

    @property
    def line(self) -> int:
        return self._tokens[self._at][0]

    def take(self, wanted: str | None = None) -> str:
        line, token = self._tokens[self._at]
        if wanted not in (None, token) or not token:
            raise DataError(line, f"{wanted or 'a value'} was expected instead of {token or 'the end'}")
        self._at += 1
        return token

    def number(self) -> int:
        line, token = self.line, self.take()
        if not token.lstrip("-").isdigit() or len(token) > MOST_DIGITS:
            raise DataError(line, f"a whole number was expected instead of {token[:40]}")
        return int(token)


def _split(text: str) -> list[tuple[int, str]]:
    tokens, line, at = [], 1, 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            raise DataError(line, f"{text[at]!r} has no meaning here")
        if token := match["token"]:
            tokens.append((line, token))
        line += match[0].count("\n")
        at = match.end()
    return [*tokens, (line, "")]


def _value(tokens: _Tokens) -> Value:
    line = tokens.line
    if tokens.next == "{":
        return Value(line, _set(tokens))
    if tokens.next == "[":
        return Value(line, _array(tokens))
    number = tokens.number()
    if tokens.next == "..":
        return Value(line, _range(tokens, number, line))
    return Value(line, number)


def _set(tokens: _Tokens) -> frozenset[int]:
    tokens.take("{")
    numbers = []
    while tokens.next != "}":
        numbers.append(tokens.number())
        if tokens.next != "}":
            tokens.take(",")
    tokens.take("}")
    return frozenset(numbers)


def _range(tokens: _Tokens, first: int, line: int) -> frozenset[int]:
    tokens.take("..")
    last = tokens.number()
    if last - first > LONGEST_RANGE:
        raise DataError(line, f"the range {first}..{last} is too long")
    return frozenset(range(first, last + 1))


def _array(tokens: _Tokens) -> tuple[Value, ...]:
    tokens.take("[")
    if tokens.next != "|":
        values = _list(tokens)
        tokens.take("]")
        return values
    rows = []
    tokens.take("|")
    while tokens.next != "]":
        line = tokens.line
        rows.append(Value(line, _list(tokens)))
        tokens.take("|")
    tokens.take("]")
    return tuple(row for row in rows if row.content)


def _list(tokens: _Tokens) -> tuple[Value, ...]:
    """Values with commas between them, and perhaps one behind, up to the bracket or bar."""
    values = []
    while tokens.next not in ("]", "|"):
        values.append(_value(tokens))
        if tokens.next not in ("]", "|"):
            tokens.take(",")
    return tuple(values)
