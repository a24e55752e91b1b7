"""A canary whose requests are shared out by a route, on the sandbox."""

from tests.activities.traffic_lives import TrafficLives


class TestOnTheSandbox(TrafficLives):
    """The stand-in for a cluster."""
