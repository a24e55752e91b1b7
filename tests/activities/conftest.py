"""The world of the rollout's activities, with a namespace of its own for each test."""

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.activities.world import Sandbox, World, a_sandbox

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with a_sandbox(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture
async def world(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[World]:
    made = World(sandbox, tmp_path, f"shop-{next(_numbers)}")
    answer = sandbox.ask(
        "POST", "/api/v1/namespaces", json={"kind": "Namespace", "metadata": {"name": made.namespace}}
    )
    assert answer.status_code in (201, 409), answer.text
    yield made
    await made.close()
