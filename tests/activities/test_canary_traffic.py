"""A canary whose requests are shared out by a route, on the sandbox."""

from typing import Any

import pytest

from tests.activities.traffic_lives import Send, TrafficLives
from tests.activities.world import World

MEDIA = {"APPLY": "application/apply-patch+yaml", "MERGE": "application/merge-patch+json"}


@pytest.fixture
def send(world: World) -> Send:
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


class TestOnTheSandbox(TrafficLives):
    """The stand-in for a cluster."""
