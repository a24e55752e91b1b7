"""Sandboxes for the tests: one for each module, and one of its own where a test kills it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.process import Sandbox


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox that the tests of a module share; each uses names of its own."""
    running = Sandbox(tmp_path_factory.mktemp("data"))
    yield running
    running.stop()


@pytest.fixture
def own_sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox for one test, which may kill it."""
    running = Sandbox(tmp_path)
    yield running
    running.stop()
