"""The policies pass their own tests in a real OPA, and are laid out as CONTRIBUTING says."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from holdpoint.cli.policy_tests import run_policy_tests
from holdpoint.embedded.policy_bundle import packaged_policies
from tests.policies import real_opa

pytestmark = pytest.mark.timeout(900)  # the first run on a machine builds OPA

POLICIES = packaged_policies()
RULES = sorted(path for path in POLICIES.rglob("*.rego") if not path.name.endswith("_test.rego"))
DOCS = Path(__file__).parents[2] / "docs" / "policies.md"


def opa(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(real_opa.find()), *arguments], capture_output=True, text=True, check=False, cwd=POLICIES
    )


def test_every_rule_passes_its_own_tests() -> None:
    done = opa("test", ".", "--format", "json")
    results = json.loads(done.stdout)

    assert [case["name"] for case in results if case.get("fail") or case.get("error")] == []
    assert len(results) > 80


def test_rules_compile_strictly_and_are_formatted() -> None:
    assert opa("check", "--strict", ".").stderr == ""
    assert opa("fmt", "--list", ".").stdout == ""


@pytest.mark.parametrize("rule", RULES, ids=lambda path: path.relative_to(POLICIES).as_posix())
def test_package_path_is_the_folder_and_metadata_and_a_test_stand_beside(rule: Path) -> None:
    text = rule.read_text()
    package = re.search(r"^package (\S+)", text, re.MULTILINE)
    folder = rule.parent.relative_to(POLICIES)

    assert package is not None
    assert package[1].split(".") == list(folder.parts)
    assert text.startswith("# METADATA\n# title: ")
    assert rule.with_name(f"{rule.stem}_test.rego").exists()


@pytest.mark.parametrize(
    "rule", [path for path in RULES if "deny contains" in path.read_text()], ids=lambda path: path.stem
)
def test_each_rule_that_denies_has_a_case_that_it_denies_and_one_that_it_allows(rule: Path) -> None:
    cases = rule.with_name(f"{rule.stem}_test.rego").read_text()

    assert "\ntest_deny_" in cases
    assert "\ntest_allow_" in cases


@pytest.mark.parametrize("rule", sorted(path.name for path in (POLICIES / "rules").iterdir()))
def test_each_rule_is_documented_with_a_change_accepted_and_one_refused(rule: str) -> None:
    sections = dict(re.findall(r"^### `(\w+)`\n(.*?)(?=^### |^## |\Z)", DOCS.read_text(), re.M | re.S))

    assert "Accepted" in sections[rule]
    assert "Refused" in sections[rule] or "Costs" in sections[rule] or "Warned" in sections[rule]


def test_a_test_that_fails_is_seen(tmp_path: Path) -> None:
    _, policies = real_opa.bundle_in(tmp_path)
    (policies / "rules/images/images.rego").write_text("package rules.images\n")

    report = run_policy_tests(policies, tmp_path, report=print)

    assert any(one["outcome"] == "failed" and "images_test" in one["package"] for one in report["tests"])
