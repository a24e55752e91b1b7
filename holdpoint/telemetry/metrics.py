"""Our own Prometheus metrics, in a registry of their own; docs/metrics.md documents each, held by a test.

Labels are bounded: what comes from a ticket is mapped to known values or `other`. A ticket's ID is never a
label; exemplars, logs and traces carry it.
"""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.process_collector import ProcessCollector

OTHER = "other"
"""What a label says where the value is not one that we know: nobody can make new series by sending names."""

QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
ACTIVITY = (0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600)
LONG = (1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 86400, 3 * 86400, 7 * 86400)


class Metrics:
    """The metrics of one process: what it does itself. Sum them over processes."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.ready = self.gauge(
            "ready", "1 while this process is ready, 0 while it is not, or drains", "process"
        )
        self.requests = self.counter(
            "http_requests", "answers of the API by route and status", "method", "route", "status"
        )
        self.request_seconds = self.histogram(
            "http_request_seconds", "seconds until the API had answered", QUICK, "route"
        )
        self.ledger_seconds = self.histogram(
            "ledger_seconds",
            "seconds of one verb of the ledger, waiting included",
            QUICK,
            "operation",
            "result",
        )
        self.policy_seconds = self.histogram(
            "policy_decision_seconds", "seconds until the policy engine had decided", QUICK, "result"
        )
        self.activity_seconds = self.histogram(
            "activity_seconds", "seconds of one attempt of an activity", ACTIVITY, "activity", "result"
        )
        self.activity_failures = self.counter(
            "activity_failures",
            "attempts of activities that failed, by our code of the error and by who did not answer",
            "activity",
            "code",
            "upstream",
        )
        self.reconciler_rounds = self.counter("reconciler_rounds", "rounds of the reconciler", "result")
        self.reconciler_closings = self.counter(
            "reconciler_closings", "abandoned tickets whose closing the reconciler started"
        )

    def exposed(self, accept: str) -> tuple[bytes, str]:
        """Return all metrics and their media type: OpenMetrics, with exemplars, for who accepts it."""
        encode, media_type = choose_encoder(accept)
        body: bytes = encode(self.registry)
        return body, media_type

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        """Return a counter of ours."""
        return Counter(name, text, labels, namespace="holdpoint", registry=self.registry)

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        """Return a gauge of ours."""
        return Gauge(name, text, labels, namespace="holdpoint", registry=self.registry)

    def histogram(self, name: str, text: str, buckets: Iterable[float], *labels: str) -> Histogram:
        """Return a histogram of ours."""
        return Histogram(
            name, text, labels, namespace="holdpoint", registry=self.registry, buckets=tuple(buckets)
        )
