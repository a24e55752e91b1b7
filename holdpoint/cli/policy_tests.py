"""Run the policies' own tests with a real OPA, and read its report."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from holdpoint.models.errors import PolicyBundle, SettingsError

LONGEST_RUN = 300.0
"""Seconds; the packaged policies take less than one."""


class BrokenPolicies(PolicyBundle):
    """The policies that were named do not compile, or hold no test: a mistake in the files of the caller."""

    status = 400
    exit_code = 2


def run_policy_tests(policies: Path | None, data: Path, *, report: Callable[[str], None]) -> dict[str, Any]:
    """Return {policies, passed, failed, tests}. Raises SettingsError and BrokenPolicies."""
    from holdpoint.embedded.opa import find_from

    folder = _folder(policies, data)
    opa = find_from(os.environ, report)
    command = [str(opa), "test", "--format", "json", "--v0-compatible=false", str(folder)]
    try:
        said = subprocess.run(  # noqa: S603 - the binary is OPA, the folder is an argument and no option
            command, capture_output=True, text=True, timeout=LONGEST_RUN, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SettingsError(f"{opa} did not finish the tests of {folder}: {error}.") from error
    try:
        found = json.loads(said.stdout or "null")
    except ValueError:
        found = None
    if not isinstance(found, list):
        why = (said.stderr or said.stdout).strip() or "no test was found"
        raise BrokenPolicies(f"The policies in {folder} cannot be tested: {why}")
    tests = [_test(one) for one in found]
    failed = sum(one["outcome"] == "failed" for one in tests)
    return {"policies": str(folder), "passed": len(tests) - failed, "failed": failed, "tests": tests}


def _folder(policies: Path | None, data: Path) -> Path:
    """Return the folder that was named, else the data folder's, else the one that is installed."""
    if policies is None:
        from holdpoint.embedded.policy_bundle import packaged_policies

        policies = data / "policies" if (data / "policies").is_dir() else packaged_policies()
    if not policies.is_dir():
        raise SettingsError(f"{policies} is not a folder. Name one that holds the policies with --policies.")
    return policies.absolute()


def _test(one: dict[str, Any]) -> dict[str, Any]:
    package = str(one.get("package", "")).removeprefix("data.")
    return {
        "package": package,
        "name": one.get("name", ""),
        "outcome": "failed" if one.get("fail") or one.get("error") else "passed",
        "seconds": one.get("duration", 0) / 1e9,
    }
