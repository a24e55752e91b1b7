"""A switch between two versions on a real API server."""

import pytest

from tests.activities.blue_green_lives import BlueGreenLives


@pytest.mark.real
class TestOnARealCluster(BlueGreenLives):
    """With exactly the rights that are shipped."""
