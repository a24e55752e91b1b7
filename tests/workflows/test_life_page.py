"""docs/ticket-life.md against the code: every kind of entry that a workflow notes is on the page."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "ticket-life.md").read_text()
VERBS = ("pause", "resume", "abort", "rollback")
RUNGS = ("reminded", "escalated", "expired")


def noted_kinds() -> set[str]:
    """Return every kind that stands in a call of `note`, with what fills its blanks."""
    source = "\n".join(file.read_text() for file in sorted((ROOT / "workflows").glob("*.py")))
    found = re.findall(r'f?"((?:\{[a-z.]+\}|[a-z]+)\.(?:[a-z_]+|\{[^"]*\}))"', source)
    kinds: set[str] = set()
    for kind in found:
        verbs = VERBS if "verb" in kind else ("",)
        for verb in verbs:
            filled = re.sub(r"\{[a-z.]*verb\}", verb, kind)
            ends = ("requested", "came_too_late") if "if fits" in kind else RUNGS
            kinds |= {re.sub(r"\{.*\}", end, filled) for end in ends}
    return kinds


LOGGED = {"workflow.broke", "archive.failed", "lane.kept", "target.kept", "ticket.gone"}
"""Log events have the same form; they are no evidence, and not on the page."""


def test_every_kind_of_entry_is_on_the_page() -> None:
    kinds = noted_kinds() - LOGGED

    assert len(kinds) > 25
    assert {kind for kind in kinds if f"`{kind}`" not in PAGE} == set()
