"""The databases of the ledger's faults, the same as those of its own tests; and what the table has seen."""

import pytest

from tests.faults.seen import table
from tests.ledger.fixtures import databases, server, url

__all__ = ["databases", "pytest_terminal_summary", "server", "url"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was seen of each fault."""
    if seen := table():
        terminalreporter.write_line("")
        terminalreporter.write_line(seen)
