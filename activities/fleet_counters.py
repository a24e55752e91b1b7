"""The counters behind a metric, per pod: which query has them, and how many requests were bad by them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import inf, isfinite
from typing import Protocol

from activities.questions import FAILED, edge_of
from holdpoint.clients.metrics import Metrics, Query, Series, selector
from holdpoint.judge.blocks import Rises
from holdpoint.models.analysis import Analysis, Latency
from holdpoint.models.metric_names import MetricNames

Pod = tuple[str, str]
"""A Deployment and one of its pods."""

Block = Mapping[Pod, Sequence[tuple[float, float]]]
"""Requests and bad ones of each pod between two moments, at each edge."""

Answers = Mapping[str, Sequence[Series]]
"""What each query was answered."""

QUICK, SLOW = 0.3, 0.05
"""Shares of stable's requests that are slower than the two edges beside the limit: about p70 and p95. A shift
of everything shows there, to which the limit is blind."""


LAG = 0.5
"""Seconds after which a scrape can be asked for: what is too young would be another answer a moment later."""


@dataclass(frozen=True)
class Place:
    """Where canary and stable are, since when both ran, and how many seconds two scrapes are apart.

    A scrape can be asked for `lag` seconds after it.
    """

    namespace: str
    canary: list[str]
    stable: list[str]
    began: datetime
    every: float
    names: MetricNames = field(default_factory=MetricNames)
    lag: float = LAG

    def counters(self, metric: str, deployments: Sequence[str], also: Mapping[str, str] | None = None) -> str:
        """Return the selector of a metric's series; `also` are patterns of more labels."""
        named = "|".join(re.escape(name) for name in deployments)
        patterns = {self.names.deployment: named, **(also or {})}
        return selector(metric, {self.names.namespace: self.namespace}, patterns)

    def summed(self, selected: str, by: str) -> str:
        """Return the query for the sum of these series of each pod, and of each value of one more label."""
        return f"sum by ({self.names.deployment}, {self.names.pod}, {by}) ({selected})"

    def pod(self, series: Series) -> Pod:
        """Return whose series this is."""
        return series.labels.get(self.names.deployment, ""), series.labels.get(self.names.pod, "")


class Counters(Protocol):
    """One metric's counters, taken in bit by bit.

    `tolerated` is how many times as bad as stable a canary may be, where stable's pods do not tell.
    """

    name: str
    allowed: float
    edges: int
    tolerated: float | None

    def queries(self, deployments: Sequence[str]) -> list[str]:
        """Return the queries that `taken` needs the answers of."""

    def taken(self, answers: Answers, moments: Sequence[float]) -> list[Block]:
        """Return what each pod counted up to each moment; the first moment of all has no block."""


async def counters_of(analysis: Analysis, metrics: Metrics, place: Place, now: datetime) -> list[Counters]:
    """Return the counters of what the analysis looks at. Raises UpstreamUnavailable and StepConfig."""
    found: list[Counters] = []
    if analysis.errorRatio is not None:
        found.append(Failures(place, analysis.errorRatio.max))
    if analysis.latency is not None:
        text = f"sum by (le) ({place.counters(place.names.durations, place.stable)})"
        samples = await metrics.samples(Query(text=text, at=now))
        buckets = {sample.labels.get("le", ""): sample.value for sample in samples}
        if edges := chosen(buckets, place.names.in_unit(analysis.latency.max)):
            found.append(Durations(place, analysis.latency, edges))
    return found


class Failures:
    """Requests, and those that failed."""

    name = "errorRatio"
    edges = 1
    tolerated: float | None = None

    def __init__(self, place: Place, allowed: float) -> None:
        self._place, self.allowed = place, allowed
        self._counts: Rises[tuple[Pod, str]] = Rises()

    def queries(self, deployments: Sequence[str]) -> list[str]:
        """Return the query for all requests by their status."""
        names = self._place.names
        return [self._place.summed(self._place.counters(names.requests, deployments), names.status)]

    def taken(self, answers: Answers, moments: Sequence[float]) -> list[Block]:
        """Return what each pod counted up to each moment; the first moment of all has no block."""
        place, [answer] = self._place, answers.values()
        counters = {(place.pod(one), one.labels.get(place.names.status, "")): one.points for one in answer}
        return [_failures(block) for block in self._counts.take(counters, moments)]


def _failures(block: Mapping[tuple[Pod, str], float]) -> Block:
    found: dict[Pod, tuple[float, float]] = {}
    for (pod, status), count in block.items():
        requests, bad = found.get(pod, (0.0, 0.0))
        found[pod] = requests + count, bad + count * status.startswith(FAILED)
    return {pod: [counts] for pod, counts in found.items()}


class Durations:
    """Requests, and those slower than each of some edges of a histogram; the last edge is the limit's."""

    name = "latency"
    tolerated: float | None = None

    def __init__(self, place: Place, latency: Latency, chosen_edges: Sequence[str]) -> None:
        self._place, self._chosen = place, chosen_edges
        self.allowed = round(1 - latency.quantile, 12)
        self.edges = len(chosen_edges)
        self._counts: Rises[tuple[Pod, str]] = Rises()

    def queries(self, deployments: Sequence[str]) -> list[str]:
        """Return the query for the buckets of these edges, and for all requests."""
        wanted = "|".join(re.escape(edge) for edge in (*self._chosen, "+Inf"))
        selected = self._place.counters(self._place.names.durations, deployments, {"le": wanted})
        return [self._place.summed(selected, "le")]

    def taken(self, answers: Answers, moments: Sequence[float]) -> list[Block]:
        """Return what each pod counted up to each moment; the first moment of all has no block."""
        [answer] = answers.values()
        buckets = {(self._place.pod(one), one.labels.get("le", "")): one.points for one in answer}
        return [
            {pod: self._slower(block, pod) for pod, le in block if le == "+Inf"}
            for block in self._counts.take(buckets, moments)
        ]

    def _slower(self, block: Mapping[tuple[Pod, str], float], pod: Pod) -> list[tuple[float, float]]:
        count = block[pod, "+Inf"]
        return [(count, max(0.0, count - block.get((pod, edge), 0.0))) for edge in self._chosen]


def chosen(buckets: Mapping[str, float], limit: float) -> list[str]:
    """Return the edges of a histogram at which it is compared, as their labels say them, the limit's last.

    `buckets` are how many requests were within each edge; `limit` has the unit of the edges.
    """
    edges = sorted((edge, le) for le in buckets if isfinite(edge := edge_of(le)))
    total = max((value for le, value in buckets.items() if edge_of(le) == inf), default=0.0)
    beyond = [le for edge, le in edges if edge >= limit][:1] or [le for _, le in edges][-1:]
    if not total > 0 or not beyond:  # NaN is not above zero either
        return beyond
    near = [
        min(edges, key=lambda one: abs(1 - buckets[one[1]] / total - share))[1] for share in (QUICK, SLOW)
    ]
    return [*dict.fromkeys(le for le in near if le != beyond[0]), beyond[0]]
