"""Traffic to the Services of the cluster, sampled each second as if every running pod were scraped.

A Service's requests are spread evenly over the ready pods that its selector matches. Counts are accumulated
as fractions and shown as whole numbers, so that errors and slow requests appear in proportion; only the
volume has some noise, seeded by the pod. Latencies are exponential, with the asked 99th percentile.
Counters start from zero when the sandbox starts, as those of pods that restarted.
"""

import math
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from holdpoint.sandbox.behaviour import (
    DEFAULT_ERROR_RATE,
    DEFAULT_LATENCY_MS,
    DEFAULT_RPS,
    Behaviour,
    Behaviours,
)
from holdpoint.sandbox.controllers.pods import images_of, is_ready
from holdpoint.sandbox.kube import selectors
from holdpoint.sandbox.kube.kinds import HTTP_ROUTES, PODS, REPLICA_SETS, SERVICES, Kind
from holdpoint.sandbox.prom.series import Database, Target
from holdpoint.sandbox.store import Object

EDGES = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the latency buckets, in seconds; +Inf follows."""

NOISE = 0.03
TRIM_EVERY_MS = 60_000


class Objects(Protocol):
    """What the traffic is made from: the sandbox's store, or a mirror of a real cluster."""

    def all(self, kind: Kind, namespace: str | None = None) -> list[Object]:
        """Return the objects of a kind."""

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """Return one object, or None."""


class Readiness(Protocol):
    """Who knows since when a pod is ready."""

    def ready_at(self, pod: Object) -> float:
        """Return since when a ready pod is ready (Unix seconds)."""


@dataclass
class Counters:
    """What one pod has counted since it started."""

    noise: random.Random
    waiting: float = 0.0
    requests: int = 0
    errors: float = 0.0
    seconds: float = 0.0
    within: list[float] = field(default_factory=lambda: [0.0] * len(EDGES))

    def serve(self, expected: float, error_rate: float, latency_ms: float) -> None:
        """Count about `expected` requests with this share of errors and this 99th percentile of latency."""
        self.waiting += expected * self.noise.uniform(1 - NOISE, 1 + NOISE)
        whole = math.floor(self.waiting)
        self.waiting -= whole
        if not whole:
            return
        self.requests += whole
        self.errors += whole * error_rate
        decay, shares = _within(latency_ms)
        self.seconds += whole / decay
        self.within = [count + whole * share for count, share in zip(self.within, shares, strict=True)]

    def sample(self) -> list[float]:
        """Return the values in the order of `series_of`."""
        errors = float(math.floor(self.errors + 1e-6))
        total = float(self.requests)
        # To the nearest: rounded down, one request of each pod would stay slower than every edge.
        buckets = [float(math.floor(count + 0.5)) for count in self.within]
        return [1.0, total - errors, errors, *buckets, total, self.seconds, total]


@lru_cache(maxsize=100)
def _within(latency_ms: float) -> tuple[float, tuple[float, ...]]:
    """Return the rate of decay of latencies with this 99th percentile, and the share within each edge."""
    decay = math.log(100) / max(latency_ms / 1000, 1e-6)
    return decay, tuple(-math.expm1(-decay * edge) for edge in EDGES)


def target_of(namespace: str, deployment: str, pod: str) -> Target:
    """Return a pod's target with its series, empty yet."""
    labels = {"namespace": namespace, "deployment": deployment, "pod": pod}
    target = Target({key: value for key, value in labels.items() if value})
    target.add("up", job="pods")
    for status in ("200", "500"):
        target.add("http_requests_total", status=status)
    for edge in (*(f"{edge:g}" for edge in EDGES), "+Inf"):
        target.add("http_request_duration_seconds_bucket", le=edge)
    target.add("http_request_duration_seconds_sum")
    target.add("http_request_duration_seconds_count")
    return target


class Traffic:
    """Makes the traffic and takes the samples."""

    def __init__(
        self, store: Objects, behaviours: Behaviours, kubelet: Readiness, database: Database
    ) -> None:
        self._store = store
        self._behaviours = behaviours
        self._kubelet = kubelet
        self._database = database
        self._pods: dict[str, tuple[Target, Counters]] = {}
        self._trimmed = 0

    def tick(self, now: float, elapsed: float) -> None:
        """Serve the requests of the last `elapsed` seconds and sample every running pod."""
        moment = int(now * 1000)
        pods = [pod for pod in self._store.all(PODS) if pod.get("status", {}).get("phase") == "Running"]
        ready = [pod for pod in pods if is_ready(pod)]
        self._follow(ready)
        shares = self._shares(ready, now)
        for pod in pods:
            uid = pod["metadata"]["uid"]
            if uid not in self._pods:
                self._begin(pod)
            elif expected := shares.get(uid, 0.0) * elapsed:
                self._serve(pod, expected, now)
            target, counters = self._pods[uid]
            target.append(moment, counters.sample())
        self._end_missing({pod["metadata"]["uid"] for pod in pods}, moment)
        if moment - self._trimmed > TRIM_EVERY_MS:
            self._database.trim(moment)
            self._trimmed = moment

    def _follow(self, ready: list[Object]) -> None:
        since: dict[str, float] = {}
        for pod in ready:
            for image in images_of(pod):
                since[image] = min(since.get(image, math.inf), self._kubelet.ready_at(pod))
        self._behaviours.follow(since)

    def _shares(self, ready: list[Object], now: float) -> dict[str, float]:
        """Return the requests a second of each ready pod, by UID.

        Requests come to each Service; where an HTTPRoute splits some between Services, they come to the
        route and are shared by its weights.
        """
        shares: dict[str, float] = {}
        services = {(s["metadata"]["namespace"], s["metadata"]["name"]): s for s in self._store.all(SERVICES)}
        labelled = _by_label(ready)
        behind = {key: _behind(service, labelled) for key, service in services.items()}
        for parts in self._splits(services):
            total = self._total([pod for key in parts for pod in behind[key]], now)
            for key, part in parts.items():
                _spread(shares, behind.pop(key), total * part)
        for pods in behind.values():
            _spread(shares, pods, self._total(pods, now) if pods else 0.0)
        return shares

    def _splits(self, services: Iterable[tuple[str, str]]) -> Iterator[dict[tuple[str, str], float]]:
        """Yield the parts of the requests that each Service of a split gets; each Service once."""
        known = set(services)
        for route in self._store.all(HTTP_ROUTES):
            namespace = route["metadata"]["namespace"]
            for rule in route["spec"]["rules"]:
                refs = [(namespace, ref["name"], ref["weight"]) for ref in rule.get("backendRefs") or []]
                named = {(where, name): weight for where, name, weight in refs if (where, name) in known}
                if len(refs) > 1 and sum(named.values()):
                    known -= set(named)
                    yield {key: weight / sum(named.values()) for key, weight in named.items()}

    def _total(self, pods: list[Object], now: float) -> float:
        """Return a Service's requests a second; where several images ask for one, the latest wish counts."""
        images = {image for pod in pods for image in images_of(pod)}
        asked = [b for b in self._behaviours.in_effect(images, now) if b.rps is not None]
        latest = max(asked, key=lambda behaviour: behaviour.set_at, default=None)
        return DEFAULT_RPS if latest is None or latest.rps is None else latest.rps

    def _begin(self, pod: Object) -> None:
        metadata = pod["metadata"]
        target = target_of(metadata["namespace"], self._deployment(pod), metadata["name"])
        self._database.targets.append(target)
        self._pods[metadata["uid"]] = (target, Counters(random.Random(metadata["uid"])))  # noqa: S311 - noise, no secret

    def _deployment(self, pod: Object) -> str:
        """Return the name of the Deployment that a pod belongs to, or nothing."""
        for owner in pod["metadata"].get("ownerReferences", []):
            found = self._store.get(REPLICA_SETS, pod["metadata"]["namespace"], owner["name"])
            for above in found["metadata"].get("ownerReferences", []) if found else []:
                return str(above["name"])
        return ""

    def _serve(self, pod: Object, expected: float, now: float) -> None:
        effects = self._behaviours.in_effect(images_of(pod), now)
        _, counters = self._pods[pod["metadata"]["uid"]]
        counters.serve(expected, *_worst(effects))

    def _end_missing(self, running: set[str], moment: int) -> None:
        for uid in [uid for uid in self._pods if uid not in running]:
            target, _ = self._pods.pop(uid)
            target.end(moment)


def _worst(effects: list[Behaviour]) -> tuple[float, float]:
    errors = [b.error_rate for b in effects if b.error_rate is not None]
    latencies = [b.latency_ms for b in effects if b.latency_ms is not None]
    return max(errors, default=DEFAULT_ERROR_RATE), max(latencies, default=DEFAULT_LATENCY_MS)


def _by_label(pods: list[Object]) -> dict[tuple[str, str, str], list[Object]]:
    """Return pods by namespace and each of their labels."""
    found: dict[tuple[str, str, str], list[Object]] = {}
    for pod in pods:
        metadata = pod["metadata"]
        for name, value in (metadata.get("labels") or {}).items():
            found.setdefault((metadata["namespace"], name, value), []).append(pod)
    return found


def _behind(service: Object, labelled: dict[tuple[str, str, str], list[Object]]) -> list[Object]:
    selector: dict[str, str] = service["spec"].get("selector") or {}
    for name, value in selector.items():
        having = labelled.get((service["metadata"]["namespace"], name, value), [])
        return [pod for pod in having if selectors.subset(selector, pod["metadata"]["labels"])]
    return []


def _spread(shares: dict[str, float], pods: list[Object], rate: float) -> None:
    for pod in pods:
        uid = pod["metadata"]["uid"]
        shares[uid] = shares.get(uid, 0.0) + rate / len(pods)
