"""A canary whose requests are shared out by a route, on a real API server with Gateway API's CRDs."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.activities.traffic_lives import Send, TrafficLives
from tests.activities.world import World
from tests.real.kubernetes_admin import APPLY, MERGE, Admin
from tests.real.kubernetes_world import RealWorld


@pytest.fixture
async def world(admin: Admin, namespace: str, tmp_path: Path) -> AsyncIterator[World]:
    made = RealWorld(admin, tmp_path, namespace)
    yield made
    await made.close()


@pytest.fixture
def send(admin: Admin) -> Send:
    def answered(method: str, path: str, body: Any, manager: str) -> Any:
        media = APPLY if method == "APPLY" else MERGE
        if method == "APPLY":
            where = path.split("/")
            body = {
                **body,
                "metadata": {**body["metadata"], "namespace": where[where.index("namespaces") + 1]},
            }
        answer = admin.http.patch(
            path, json=body, params={"fieldManager": manager}, headers={"Content-Type": media}
        )
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    return answered


@pytest.mark.real
class TestOnARealCluster(TrafficLives):
    """With exactly the rights that are shipped."""
