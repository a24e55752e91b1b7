"""Shift requests by the weights of an HTTPRoute (Gateway API v1), and bring them back.

`spec.rules` is one atomic list to server-side apply, as is every rule's `backendRefs`: an apply of a weight
would own all rules of the route, and whoever states them would be in conflict with us for good. So the rules
are patched at the version that was seen, with nothing changed but the backends of our Service, and at the
end the list is given back to whom it belonged (docs/decisions/0008).
"""

from dataclasses import dataclass
from typing import Any

from activities.give_back import given_back
from activities.writes import Body
from holdpoint.clients.cluster import CANARY_SUFFIX, FIELD_MANAGER, Cluster, Receipt
from holdpoint.models.errors import StepConfig
from holdpoint.models.record import Intent, ObjectRef, Verb

API, KIND = "gateway.networking.k8s.io/v1", "HTTPRoute"
MANAGER = f"{FIELD_MANAGER}-traffic"
"""Whoever reads the route's managed fields during a canary sees what holds its rules."""

Rules = list[dict[str, Any]]


@dataclass(frozen=True)
class Split:
    """A Service, its canary's, and the canary's part of the requests in percent."""

    service: str
    weight: int

    @property
    def canary(self) -> str:
        """Return the name of the canary's Service."""
        return self.service + CANARY_SUFFIX


def rules_of(route: dict[str, Any]) -> Rules:
    """Return a route's rules."""
    return [rule for rule in (route.get("spec") or {}).get("rules") or [] if isinstance(rule, dict)]


def shifted(name: str, rules: Rules, split: Split) -> Rules:
    """Return the rules with the backends of our Service split. Raises StepConfig where that cannot be."""
    if not any(_stable(rule, split) for rule in rules):
        raise StepConfig(
            f"No traffic to shift: no rule of HTTPRoute {name} sends to Service {split.service}."
        )
    return [_split(name, rule, split) for rule in rules]


def returned(rules: Rules, before: Rules) -> Rules:
    """Return the rules without our canaries, each stable Service with the weight that it had."""
    had = {str(ref.get("name")): ref for rule in before for ref in _refs(rule)}
    out = []
    for rule in rules:
        ours = {str(ref.get("name")) for ref in _refs(rule) if _is_canary(ref, had)}
        stables = {name.removesuffix(CANARY_SUFFIX) for name in ours}
        kept = [ref for ref in _refs(rule) if ref.get("name") not in ours]
        refs = [_with_weight_of(ref, had) if ref.get("name") in stables else ref for ref in kept]
        out.append({**rule, "backendRefs": refs} if ours else rule)
    return out


def reached(rules: Rules, split: Split) -> float:
    """Return the smallest part of the requests that a rule of ours sends to the canary, in percent."""
    shares = []
    for rule in rules:
        weights = {ref.get("name"): int(ref.get("weight", 1)) for ref in _refs(rule)}
        if split.service in weights:
            total = weights[split.service] + weights.get(split.canary, 0)
            shares.append(100 * weights.get(split.canary, 0) / total if total else 0.0)
    return round(min(shares, default=0.0), 1)


@dataclass(frozen=True)
class _RoutePatch:
    """A patch of an HTTPRoute, at the version that was seen."""

    key: str
    ref: ObjectRef

    @property
    def verb(self) -> Verb:
        """Return what kind of request it is."""
        return "patch"

    async def send(self, cluster: Cluster, body: Body, intent: Intent, budget: float) -> Receipt:
        """Patch no more than the body states."""
        return await cluster.patch(self.ref, body.manifest, intent=intent, budget=budget, manager=MANAGER)


@dataclass(frozen=True)
class ShiftRoute(_RoutePatch):
    """The split of a Service's requests, where every other rule and field stays as it is."""

    split: Split

    async def missing(self, cluster: Cluster, live: dict[str, Any] | None) -> Body | None:
        """Return the rules while they split otherwise. Raises StepConfig when there is nothing to split."""
        if live is None:
            raise StepConfig(f"HTTPRoute {self.ref.name} does not exist, so no traffic can be shifted.")
        rules = shifted(self.ref.name, rules_of(live), self.split)
        return None if rules == rules_of(live) else Body({"spec": {"rules": rules}})


@dataclass(frozen=True)
class ReturnRoute(_RoutePatch):
    """All requests to the stable Services again, also in rules that somebody else has edited since."""

    before: dict[str, Any]

    async def missing(self, cluster: Cluster, live: dict[str, Any] | None) -> Body | None:
        """Return the rules while a canary of ours is in them."""
        if live is None:
            return None
        rules = returned(rules_of(live), rules_of(self.before))
        return None if rules == rules_of(live) else Body({"spec": {"rules": rules}})


@dataclass(frozen=True)
class GiveBack(_RoutePatch):
    """The rules owned by whom they belonged to, so that his next apply meets no conflict."""

    before: dict[str, Any]

    async def missing(self, cluster: Cluster, live: dict[str, Any] | None) -> Body | None:
        """Return the managed fields while we own the rules."""
        fields = None if live is None else given_back(live, self.before, manager=MANAGER, name="rules")
        return None if fields is None else Body({"metadata": {"managedFields": fields}})


def _refs(rule: dict[str, Any]) -> list[dict[str, Any]]:
    return [ref for ref in rule.get("backendRefs") or [] if isinstance(ref, dict)]


def _is_service(ref: dict[str, Any]) -> bool:
    return ref.get("kind", "Service") == "Service" and not ref.get("group") and not ref.get("namespace")


def _stable(rule: dict[str, Any], split: Split) -> list[dict[str, Any]]:
    return [ref for ref in _refs(rule) if _is_service(ref) and ref.get("name") == split.service]


def _split(name: str, rule: dict[str, Any], split: Split) -> dict[str, Any]:
    stable = _stable(rule, split)
    if not stable:
        return rule
    others = [ref for ref in _refs(rule) if ref.get("name") not in (split.service, split.canary)]
    if others or len(stable) > 1:
        raise StepConfig(
            f"A rule of HTTPRoute {name} has other backends beside Service {split.service}: its part of the "
            "requests cannot be split without changing theirs. Give it a rule of its own."
        )
    backends = [
        {**stable[0], "weight": 100 - split.weight},
        {**stable[0], "name": split.canary, "weight": split.weight},
    ]
    return {**rule, "backendRefs": backends}


def _is_canary(ref: dict[str, Any], had: dict[str, Any]) -> bool:
    name = str(ref.get("name"))
    return _is_service(ref) and name.endswith(CANARY_SUFFIX) and name not in had


def _with_weight_of(ref: dict[str, Any], had: dict[str, Any]) -> dict[str, Any]:
    return {**ref, "weight": had.get(str(ref.get("name")), {}).get("weight", 1)}
