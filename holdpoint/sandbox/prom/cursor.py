"""A place in the tokens of a query, and what every rule of the grammar needs there."""

import math
from collections.abc import Callable
from typing import TypeVar

from holdpoint.sandbox.prom.lexer import Token, bad, milliseconds, tokens
from holdpoint.sandbox.prom.syntax import BadQuery

R = TypeVar("R")


class Cursor:
    """Steps through the tokens of one query."""

    def __init__(self, query: str) -> None:
        self.query = query
        self.tokens = tokens(query)
        self.index = 0

    @property
    def now(self) -> Token:
        """Return the token that comes next."""
        return self.tokens[self.index]

    def take(self, *texts: str) -> Token | None:
        """Take the next token if it is one of these symbols or keywords."""
        token = self.now
        if token.kind in ("symbol", "name") and token.text.lower() in texts:
            self.index += 1
            return token
        return None

    def expect(self, text: str) -> Token:
        """Take the next token, which must be this one; raises BadQuery."""
        token = self.take(text)
        if token is None:
            raise self.unexpected(f', expected "{text}"')
        return token

    def unexpected(self, more: str = "") -> BadQuery:
        """Return the error that the next token makes."""
        token = self.now
        shown = f'"{token.text}"' if token.text else "end of input"
        return bad(self.query, token.position, f"unexpected {shown}{more}")

    def refused(self, token: Token, message: str) -> BadQuery:
        """Return an error about a token."""
        return bad(self.query, token.position, message)

    def read(self, token: Token, reader: Callable[[str], R]) -> R:
        """Return what a literal means to its reader; raises BadQuery where it means nothing."""
        try:
            return reader(token.text)
        except ValueError as error:
            raise self.refused(token, str(error)) from error

    def duration(self) -> int:
        """Take a duration and return its milliseconds; raises BadQuery."""
        token = self.now
        if token.kind not in ("duration", "number"):
            raise self.unexpected(", expected duration")
        self.index += 1
        return (
            milliseconds(token.text)
            if token.kind == "duration"
            else round(self.read(token, number_of) * 1000)
        )

    def label_list(self) -> tuple[str, ...]:
        """Take a list of labels in parentheses; raises BadQuery."""
        self.expect("(")
        labels: list[str] = []
        while not self.take(")"):
            if self.now.kind != "name":
                raise self.unexpected(", expected label")
            labels.append(self.now.text)
            self.index += 1
            if not self.take(",") and self.now.text != ")":
                raise self.unexpected(' in grouping opts, expected "," or ")"')
        return tuple(labels)


def number_of(text: str) -> float:
    """Return the value of a number literal; raises ValueError for one that no float can hold."""
    lowered = text.lower()
    if lowered in ("inf", "nan"):
        return math.inf if lowered == "inf" else math.nan
    value = float(int(text, 16)) if lowered.startswith("0x") else float(text)
    if math.isinf(value):
        raise ValueError(f"{text} is out of range")
    return value
