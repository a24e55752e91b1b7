"""The queries of a service's own metrics: values filled into their templates, escaped."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from activities.fleet_counters import Answers, Block, Place, Pod
from holdpoint.clients.metrics import escaped
from holdpoint.judge.blocks import Rises
from holdpoint.models.own_metrics import OwnMetric
from holdpoint.models.query_template import Placeholder, parts

PODS = "-[a-z0-9]+-[a-z0-9]{5}"
"""What Kubernetes puts behind a Deployment's name: a ReplicaSet's hash, and five letters of the pod's own."""

Labels = tuple[tuple[str, str], ...]


def filled(template: str, namespace: str, deployment: str) -> str:
    """Return the query about one Deployment. The values are escaped as what they stand in needs it."""
    return "".join(
        _value(part, namespace, deployment) if isinstance(part, Placeholder) else part
        for part in parts(template)
    )


def _value(place: Placeholder, namespace: str, deployment: str) -> str:
    value = namespace if place.name == "namespace" else deployment
    text = re.escape(value) if place.pattern else value
    return escaped(text + PODS if place.name == "pods" else text)


class Shares:
    """The events that a `ratio` counts, and those that it is a share of: series by series, for each pod."""

    edges = 1

    def __init__(self, metric: OwnMetric, place: Place) -> None:
        self.name, self.allowed = metric.name, metric.allowed
        self.tolerated = None if metric.tolerance is None else 1 + metric.tolerance
        self._metric, self._place = metric, place
        self._asked: dict[str, tuple[str, bool]] = {}
        self._rises: Rises[tuple[Pod, bool, Labels]] = Rises()

    def queries(self, deployments: Sequence[str]) -> list[str]:
        """Return two queries for each Deployment: the events that count, and all."""
        namespace, metric = self._place.namespace, self._metric
        self._asked = {
            filled(template or "", namespace, name): (name, all_)
            for name in deployments
            for template, all_ in ((metric.query, False), (metric.of, True))
        }
        return list(self._asked)

    def taken(self, answers: Answers, moments: Sequence[float]) -> list[Block]:
        """Return what each pod counted up to each moment; the first moment of all has no block."""
        counters = {}
        for text, answer in answers.items():
            deployment, all_ = self._asked[text]
            for series in answer:
                pod = deployment, series.labels.get(self._place.names.pod, "")
                counters[pod, all_, tuple(sorted(series.labels.items()))] = series.points
        return [self._block(block) for block in self._rises.take(counters, moments)]

    def _block(self, block: Mapping[tuple[Pod, bool, Labels], float]) -> Block:
        sums: defaultdict[tuple[Pod, bool], float] = defaultdict(float)
        for (pod, all_, _), count in block.items():
            sums[pod, all_] += count
        higher = self._metric.direction == "higher"
        return {
            pod: [(sums[pod, True], sums[pod, True] - sums[pod, False] if higher else sums[pod, False])]
            for pod in {pod for pod, _ in sums}
        }
