"""The world of the rollout's activities, with a namespace of its own for each test."""

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.activities.world import Sandbox, Send, World, a_sandbox

MEDIA = {"APPLY": "application/apply-patch+yaml", "MERGE": "application/merge-patch+json"}
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


@pytest.fixture
def send(world: World) -> Send:
    """What others do in the cluster."""

    def answered(method: str, path: str, body: Any, manager: str) -> Any:
        answer = world.sandbox.ask(
            "PATCH",
            f"{path}?fieldManager={manager}",
            json=body,
            headers={"Content-Type": MEDIA[method]},
        )
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    return answered
