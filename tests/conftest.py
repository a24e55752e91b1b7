"""What all tests share: in CI a skipped test is a failure, so that nothing is silently left out."""

import os
import sys

import pytest

_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note every test that was skipped; what a run does not have is deselected by marker instead."""
    if report.skipped:
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run in CI when a test was skipped."""
    if _skipped and os.environ.get("CI") and not hasattr(session.config, "workerinput"):
        sys.stderr.write("\n  ".join(["\nSkipped tests are not allowed in CI:", *_skipped]) + "\n")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
