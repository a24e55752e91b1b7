"""The pages keep their promises: links lead somewhere, and each decision is a whole one."""

import re
from pathlib import Path

import pytest

from holdpoint.service.change_file import read_change
from holdpoint.service.change_reference import EXAMPLE

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
DECISIONS = sorted(ROOT.glob("docs/decisions/[0-9]*.md"))
_LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    targets = _LINK.findall(page.read_text())

    missing = [target for target in targets if not (page.parent / target).exists()]

    assert missing == []


@pytest.mark.parametrize("record", DECISIONS, ids=lambda record: record.stem)
def test_a_decision_has_a_title_of_its_own_and_every_section(record: Path) -> None:
    text = record.read_text()
    number = record.name[:4]

    assert re.match(rf"# {number}\. \S.{{10,}}\n", text), "the title is `# NNNN. what was decided`"
    for part in ("- Date: ", "- Status: ", "## Context", "## Tried", "## Decision", "## Consequences"):
        assert part in text, part
    if number != "0000":
        assert re.search(r"- Date: \d{4}-\d\d-\d\d\n", text)
        assert "what was decided, in one line" not in text


def test_decisions_are_numbered_without_gaps() -> None:
    assert [int(record.name[:4]) for record in DECISIONS] == list(range(len(DECISIONS)))


def test_the_example_of_readme_and_examples_is_the_one_that_the_reference_shows() -> None:
    example = (ROOT / "examples" / "change.yaml").read_text()
    in_readme = re.search(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)

    assert read_change(example) == read_change(EXAMPLE)
    assert in_readme is not None
    assert read_change(in_readme[1]) == read_change(EXAMPLE)
