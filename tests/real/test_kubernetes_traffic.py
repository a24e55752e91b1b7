"""A canary whose requests are shared out by a route, on a real API server with Gateway API's CRDs."""

from typing import Any

import pytest

from tests.activities.traffic_lives import Send, TrafficLives
from tests.real.kubernetes_admin import APPLY, MERGE, Admin


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
