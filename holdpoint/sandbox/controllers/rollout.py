"""The arithmetic of a rolling update (k8s.io/kubernetes/pkg/controller/deployment/util)."""

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Generation:
    """One ReplicaSet of a Deployment, in numbers."""

    name: str
    replicas: int
    available: int


def bounds(spec: dict[str, Any]) -> tuple[int, int]:
    """Return maxSurge and maxUnavailable in pods; never both zero."""
    rolling = spec["strategy"].get("rollingUpdate") or {}
    replicas = spec["replicas"]
    surge = _pods(rolling.get("maxSurge", "25%"), replicas, up=True)
    unavailable = min(_pods(rolling.get("maxUnavailable", "25%"), replicas, up=False), replicas)
    return surge, unavailable if surge or unavailable else 1


def next_sizes(spec: dict[str, Any], new: Generation, old: list[Generation]) -> dict[str, int]:
    """Return the sizes that the ReplicaSets get next; `old` is ordered oldest first."""
    replicas = spec["replicas"]
    if spec["strategy"]["type"] == "Recreate":
        sizes = {generation.name: 0 for generation in old}
        return sizes | ({} if any(g.replicas for g in old) else {new.name: replicas})
    surge, unavailable = bounds(spec)
    grown = _grown(new, old, replicas, surge)
    if grown != new.replicas:
        return {new.name: grown}
    return _shrunk(new, old, replicas - unavailable)


def _grown(new: Generation, old: list[Generation], replicas: int, surge: int) -> int:
    if new.replicas >= replicas:
        return replicas
    room = replicas + surge - new.replicas - sum(g.replicas for g in old)
    return new.replicas + max(0, min(room, replicas - new.replicas))


def _shrunk(new: Generation, old: list[Generation], least: int) -> dict[str, int]:
    """Return smaller sizes of old ReplicaSets, unavailable pods first, never below `least` available pods."""
    sizes = {g.name: g.replicas for g in old}
    total = new.replicas + sum(sizes.values())
    budget = total - least - (new.replicas - new.available)
    for generation in old:
        unhealthy = max(0, min(budget, generation.replicas - generation.available))
        sizes[generation.name] -= unhealthy
        budget -= unhealthy
    spare = new.available + sum(g.available for g in old) - least
    for generation in old:
        gone = max(0, min(spare, budget, sizes[generation.name]))
        sizes[generation.name] -= gone
        spare -= gone
        budget -= gone
    return {g.name: sizes[g.name] for g in old if sizes[g.name] != g.replicas}


def _pods(value: int | str, replicas: int, *, up: bool) -> int:
    if isinstance(value, int):
        return value
    share = int(value.rstrip("%")) * replicas / 100
    return math.ceil(share) if up else math.floor(share)
