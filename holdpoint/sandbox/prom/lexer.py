"""Cuts a query into tokens."""

import re
from dataclasses import dataclass

from holdpoint.sandbox.prom.syntax import BadQuery

_PATTERN = re.compile(
    r"""
    (?P<space>\s+|\#[^\n]*)
  | (?P<duration>(?:[0-9]+(?:ms|[smhdwy]))+(?![A-Za-z0-9_]))
  | (?P<number>0[xX][0-9a-fA-F]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![A-Za-z0-9_]))
  | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)
  | (?P<name>[A-Za-z_:][A-Za-z0-9_:]*)
  | (?P<symbol>==|!=|=~|!~|>=|<=|[-+*/%^(){}\[\],=<>:@])
    """,
    re.VERBOSE,
)
_UNITS = {
    "ms": 1,
    "s": 1000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
    "y": 31_536_000_000,
}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_ESCAPED = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))", re.DOTALL
)


@dataclass(frozen=True)
class Token:
    """One token and where it begins."""

    kind: str
    text: str
    position: int


def tokens(query: str) -> list[Token]:
    """Return the tokens of a query, an `end` token last."""
    out, position = [], 0
    while position < len(query):
        found = _PATTERN.match(query, position)
        if not found:
            raise bad(query, position, f"unexpected character: {query[position]!r}")
        if found.lastgroup and found.lastgroup != "space":
            out.append(Token(found.lastgroup, found.group(), position))
        position = found.end()
    return [*out, Token("end", "", len(query))]


def bad(query: str, position: int, message: str) -> BadQuery:
    """Return an error that names line and column, as Prometheus does."""
    before = query[:position]
    line, column = before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1
    return BadQuery(f'invalid parameter "query": {line}:{column}: parse error: {message}')


def milliseconds(text: str) -> int:
    """Return a duration such as `1h30m` in milliseconds."""
    return sum(int(count) * _UNITS[unit] for count, unit in re.findall(r"(\d+)(ms|[smhdwy])", text))


def unquoted(text: str) -> str:
    """Return what a string literal says, its escapes being those of Go; raises ValueError for others."""
    quote, inside = text[0], text[1:-1]
    if quote == "`":
        return inside

    def meant(found: re.Match[str]) -> str:
        hexadecimal = found[1] or found[2] or found[3]
        if hexadecimal or found[4]:
            return chr(int(hexadecimal, 16) if hexadecimal else int(found[4], 8))
        if found[5] == quote:
            return quote
        if found[5] not in _ESCAPES:
            raise ValueError(f"unknown escape sequence \\{found[5]}")
        return _ESCAPES[found[5]]

    return _ESCAPED.sub(meant, inside)
