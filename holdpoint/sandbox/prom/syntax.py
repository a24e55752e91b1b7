"""The tree of a parsed query, and its errors."""

from dataclasses import dataclass, field


class BadQuery(Exception):
    """The query is not of the subset: answered with 400 `bad_data`."""


class ExecutionError(Exception):
    """The query cannot be carried out on these series: answered with 422 `execution`."""


@dataclass(frozen=True)
class Number:
    """A number literal."""

    value: float


@dataclass(frozen=True)
class Matcher:
    """One label matcher of a selector."""

    label: str
    operator: str
    value: str


@dataclass(frozen=True)
class Selector:
    """A vector selector; with a range (milliseconds) it is a range vector."""

    matchers: tuple[Matcher, ...]
    range_ms: int | None = None
    offset_ms: int = 0


@dataclass(frozen=True)
class Call:
    """A function call."""

    function: str
    arguments: "tuple[Node, ...]"


@dataclass(frozen=True)
class Aggregate:
    """An aggregation; `without` turns the grouping labels round."""

    operator: str
    argument: "Node"
    labels: tuple[str, ...] = ()
    without: bool = False


@dataclass(frozen=True)
class Matching:
    """Which labels two vectors are matched on: `on` those listed, else all but those listed."""

    on: bool = False
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Binary:
    """A binary operation; `as_bool` makes a comparison return 0 or 1."""

    operator: str
    left: "Node"
    right: "Node"
    as_bool: bool = False
    matching: Matching = field(default_factory=Matching)


@dataclass(frozen=True)
class Negative:
    """A unary minus."""

    argument: "Node"


Node = Number | Selector | Call | Aggregate | Binary | Negative
