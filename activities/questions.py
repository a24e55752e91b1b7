"""What the judge asks a Prometheus: the counters of some Deployments at a moment."""

from datetime import datetime
from typing import Any

from holdpoint.clients.metrics import Metrics, Query, Sample, selector
from holdpoint.judge import counters, histogram
from holdpoint.judge.share import Share
from holdpoint.models.analysis import Analysis
from holdpoint.models.metric_names import MetricNames

FAILED = "5"
"""Statuses that begin so are failures of the service; 4xx are the caller's."""

Series = tuple[tuple[str, str], ...]


class Questions:
    """Asks about Deployments from one moment on, and keeps what was answered as evidence."""

    def __init__(
        self,
        metrics: Metrics,
        namespace: str,
        deployments: list[str],
        since: datetime,
        names: MetricNames,
    ) -> None:
        self._metrics, self._names = metrics, names
        self._namespace, self._deployments, self._since = namespace, deployments, since
        self._before: dict[str, dict[Series, float]] = {}
        self.asked: list[dict[str, Any]] = []

    async def shares(self, analysis: Analysis, now: datetime) -> list[Share]:
        """Return the share of bad requests of each metric since the beginning. Raises UpstreamUnavailable."""
        self.asked = [asked for asked in self.asked if asked["at"] == self._since.isoformat()]
        found = []
        if analysis.errorRatio is not None:
            risen, status = await self._risen(self._names.requests, now), self._names.status
            total = sum(risen.values())
            bad = sum(
                value for series, value in risen.items() if dict(series).get(status, "").startswith(FAILED)
            )
            found.append(Share("errorRatio", total, bad, bad, analysis.errorRatio.max))
        if analysis.latency is not None:
            buckets: dict[float, float] = {}
            for series, value in (await self._risen(self._names.durations, now)).items():
                edge = edge_of(dict(series).get("le", ""))
                buckets[edge] = buckets.get(edge, 0.0) + value
            total, surely, perhaps = histogram.slow(buckets, self._names.in_unit(analysis.latency.max))
            found.append(Share("latency", total, surely, perhaps, round(1 - analysis.latency.quantile, 12)))
        return found

    async def _risen(self, metric: str, now: datetime) -> dict[Series, float]:
        """Return by how much each series of a metric rose since the beginning."""
        if metric not in self._before:
            self._before[metric] = await self._ask(metric, self._since)
        return counters.increases(self._before[metric], await self._ask(metric, now))

    async def _ask(self, metric: str, at: datetime) -> dict[Series, float]:
        found: dict[Series, float] = {}
        for name in self._deployments:
            where = {self._names.namespace: self._namespace, self._names.deployment: name}
            text = selector(metric, where)
            samples = await self._metrics.samples(Query(text=text, at=at))
            self.asked.append({"query": text, "at": at.isoformat(), "answer": [_kept(s) for s in samples]})
            found |= {tuple(sorted(sample.labels.items())): sample.value for sample in samples}
        return found


def edge_of(text: str) -> float:
    """Return a bucket's edge; one that is no number belongs to no histogram that we know."""
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _kept(sample: Sample) -> dict[str, Any]:
    """Return a sample as evidence; as text, since JSON has no NaN."""
    return {"labels": sample.labels, "value": repr(sample.value)}
