"""What was seen of each fault: a row of the table that `make faults` prints."""

from dataclasses import dataclass

HEAD = ("Fault", "Moment", "Expected", "Seen", "Seconds", "Besides")


@dataclass(frozen=True)
class Seen:
    """One fault as it went; `seconds` from submission until the ticket was closed."""

    fault: str
    moment: str
    expected: str
    got: str
    seconds: float
    problems: tuple[str, ...]


_SEEN: list[Seen] = []


def keep(seen: Seen) -> None:
    """Keep it for the table."""
    _SEEN.append(seen)


def table() -> str:
    """Return what was seen so far in Markdown; empty if nothing was."""
    if not _SEEN:
        return ""
    rows = [HEAD, tuple("---" for _ in HEAD)]
    rows += [
        (
            one.fault,
            one.moment,
            one.expected,
            one.got,
            f"{one.seconds:.0f}",
            "; ".join(one.problems) or "clean",
        )
        for one in _SEEN
    ]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)
