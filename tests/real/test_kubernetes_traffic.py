"""A canary whose requests are shared out by a route, on a real API server with Gateway API's CRDs."""

import pytest

from tests.activities.traffic_lives import TrafficLives


@pytest.mark.real
class TestOnARealCluster(TrafficLives):
    """With exactly the rights that are shipped."""
