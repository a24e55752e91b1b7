"""Alert rules and dashboards ask only for metrics that exist, and every alert leads to a runbook."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.telemetry.metrics_world import exposed

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "alerts.yaml"
BOARDS = sorted((ROOT / "deploy" / "grafana").glob("*.json"))
_NAME = re.compile(r"\b(?:holdpoint|process)_[a-z_]+\b")
_LABELS = re.compile(r"\b(?:by|without) \(([^)]*)\)|\{([a-z_]+)[=!]|,([a-z_]+)[=!]")
OF_THE_CLIENT = {"process_resident_memory_bytes", "process_cpu_seconds_total"}
OF_PROMETHEUS = {"le", "instance", "pod", ""}


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load(RULES.read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def queries() -> Iterator[Any]:
    for rule in rules():
        yield pytest.param(rule["expr"], id=rule["alert"])
    for board in BOARDS:
        for panel in json.loads(board.read_text())["panels"]:
            for target in panel["targets"]:
                yield pytest.param(target["expr"], id=f"{board.stem}: {panel['title']} {target['refId']}")


def metric_of(name: str) -> str:
    metrics = exposed()
    bare = re.sub(r"_(bucket|sum|count)$", "", name)
    return bare if name not in metrics and bare in metrics and metrics[bare].type == "histogram" else name


@pytest.mark.parametrize("query", list(queries()))
def test_every_query_asks_for_a_metric_and_labels_that_exist(query: str) -> None:
    # What is by its form a label's name (by, without, a matcher) is held against the page's labels, below.
    names = {metric_of(name) for name in _NAME.findall(query)}

    assert names
    assert names <= exposed().keys() | OF_THE_CLIENT


def test_every_label_that_a_query_names_is_one_of_ours() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text()
    rows = re.findall(r"^\| `holdpoint_\w+` \| \w+ \| (.*?) \|", page, re.MULTILINE)
    ours = {label for row in rows for label in re.findall(r"`(\w+)`", row)}

    asked = {
        name.strip()
        for query in queries()
        for found in _LABELS.findall(str(query.values[0]))
        for part in found
        for name in part.split(",")
    }

    assert asked <= ours | OF_PROMETHEUS


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_every_alert_says_how_bad_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    notes = rule["annotations"]
    page, _, anchor = notes["runbook_url"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(), re.MULTILINE)

    assert rule["labels"]["severity"] in ("page", "ticket")
    assert notes["summary"].endswith(".")
    assert notes["description"]
    assert anchor in {heading.lower().replace(" ", "-") for heading in headings}


def test_every_alert_is_tested_to_fire_and_to_be_silent() -> None:
    tests = (RULES.with_name("alerts_test.yaml")).read_text()

    for rule in rules():
        assert f"alertname: {rule['alert']}}}" in tests, rule["alert"]
        assert f'alertname="{rule["alert"]}"' in tests, rule["alert"]


@pytest.mark.real
def test_the_rules_behave_as_promtool_is_told() -> None:
    from tools.stack.parts import binary

    done = subprocess.run(
        [binary("promtool"), "test", "rules", RULES.with_name("alerts_test.yaml").name],
        cwd=RULES.parent,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
