"""One mistake of a change file: where it stands, what was found and is allowed, and a sentence for people."""

from dataclasses import asdict, dataclass
from typing import Any, Protocol

MOST_MISTAKES = 100
"""Mistakes that are listed; nobody reads more at once."""

MOST_FOUND = 80
"""Characters of a stranger's value that are repeated back."""


class Mark(Protocol):
    """A place as PyYAML marks it: line and column count from zero."""

    line: int
    column: int


@dataclass(frozen=True)
class Mistake:
    """`line` and `column` count from one. `field` is empty where the mistake is of the file as a whole."""

    field: str
    found: str
    allowed: str
    message: str
    line: int = 1
    column: int = 1

    @classmethod
    def at(cls, mark: Mark | None, *, found: str, allowed: str, message: str, field: str = "") -> "Mistake":
        """Return a mistake at a mark of PyYAML; None is the beginning of the file."""
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        return cls(field=field, found=found, allowed=allowed, message=message, line=line, column=column)

    def as_dict(self) -> dict[str, Any]:
        """Return the mistake as it stands in a problem document."""
        return asdict(self)


def shorten(text: str) -> str:
    """Return `text` on one line and short enough to be repeated back."""
    shown = "".join(char if char.isprintable() else "?" for char in text)
    return shown if len(shown) <= MOST_FOUND else shown[: MOST_FOUND - 1] + "…"


def field_name(loc: tuple[int | str, ...]) -> str:
    """Return `spec.plan.steps[0].canary` for a location as Pydantic gives it."""
    name = ""
    for part in loc:
        if isinstance(part, int):
            name += f"[{part}]"
        elif part != "[key]":
            name += ("." if name else "") + shorten(part)
    return name
