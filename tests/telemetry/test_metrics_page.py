"""docs/metrics.md says what is exposed, both ways."""

import re
from pathlib import Path

from tests.telemetry.metrics_world import exposed

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(holdpoint_\w+)` \| (\w+) \| (.*?) \| (.*?) \|$", PAGE, re.MULTILINE)


def test_the_page_and_the_processes_name_the_same_metrics() -> None:
    documented = {name: (kind, text) for name, kind, _, text in ROWS}

    assert documented == {name: (m.type, m.documentation) for name, m in exposed().items()}


def test_no_label_can_carry_a_ticket() -> None:
    labels = {label for *_, labels, _ in ROWS for label in re.findall(r"`(\w+)`", labels)}

    bounded = """process method route status operation result activity code upstream phase environment type
    direction service verdict check"""
    assert labels == set(bounded.split())
