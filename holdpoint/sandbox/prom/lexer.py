"""Cuts a query into tokens."""

import re
from dataclasses import dataclass

from holdpoint.sandbox.prom.syntax import BadQuery

_PATTERN = re.compile(
    r"""
    (?P<space>\s+|\#[^\n]*)
  | (?P<duration>(?:\d+(?:ms|[smhdwy]))+(?![A-Za-z0-9_:]))
  | (?P<number>0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![A-Za-z0-9_]))
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
_ESCAPES = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "\\": "\\",
    '"': '"',
    "'": "'",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
}


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
    """Return what a string literal says."""
    if text[0] == "`":
        return text[1:-1]
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), text[1:-1], flags=re.DOTALL)
