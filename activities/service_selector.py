"""Switch a Service between two sets of pods by its selector, and bring it back.

A Service's selector is one atomic value to server-side apply, and the Service mostly belongs to somebody
else. So only the selector is patched, at the version that was seen, and at the end it is given back to whom
it belonged, as a route's rules are (docs/decisions/0008 and 0017).
"""

from dataclasses import dataclass
from typing import Any

from activities.give_back import given_back, holds
from activities.writes import Body
from holdpoint.clients.cluster import CANARY_SUFFIX, FIELD_MANAGER, Cluster, Receipt
from holdpoint.models.errors import StepConfig
from holdpoint.models.record import Intent, ObjectRef, Verb

KIND = "Service"
MANAGER = f"{FIELD_MANAGER}-switch"
"""Whoever reads the Service's managed fields while it is switched sees what holds its selector."""

DRAIN = 10.0
"""Seconds between a switch and the end of the pods that it took the requests from: the proxies of all nodes
must have heard of it, and none of them answers us when it has."""

Selector = dict[str, str]


def selector_of(service: dict[str, Any]) -> Selector:
    """Return what a Service selects its pods by."""
    return dict((service.get("spec") or {}).get("selector") or {})


def is_switched(service: dict[str, Any]) -> bool:
    """Tell whether the selector is one that a switch of ours has set."""
    return holds(service, MANAGER, "selector")


def unswitched(service: dict[str, Any]) -> dict[str, Any]:
    """Return a Service as it is once another rollout's switch has ended, for what is planned meanwhile."""
    if not is_switched(service):
        return service
    selector = {key: value.removesuffix(CANARY_SUFFIX) for key, value in selector_of(service).items()}
    return {**service, "spec": {**service["spec"], "selector": selector}}


@dataclass(frozen=True)
class _SelectorPatch:
    """A patch of a Service, at the version that was seen."""

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
class SwitchService(_SelectorPatch):
    """The pods of `wanted` behind a Service that had those of `before`; None for whatever it had."""

    wanted: Selector
    before: Selector | None

    async def missing(self, cluster: Cluster, live: dict[str, Any] | None) -> Body | None:
        """Return the selector while it is another. Raises StepConfig where somebody else has changed it."""
        if live is None:
            raise StepConfig(f"Service {self.ref.name} is gone, so nothing can be switched.")
        now = selector_of(live)
        if now == self.wanted:
            return None
        if self.before is not None and now != self.before:
            raise StepConfig(
                f"Service {self.ref.name} was changed since the rollout began: its selector is {_text(now)}. "
                "It is not switched."
            )
        return Body({"spec": {"selector": _patch(now, self.wanted)}})


@dataclass(frozen=True)
class ReturnService(_SelectorPatch):
    """The selector that a Service had, unless somebody else has changed it since."""

    before: dict[str, Any]

    async def missing(self, cluster: Cluster, live: dict[str, Any] | None) -> Body | None:
        """Return the selector while ours is there."""
        if live is None or not is_switched(live):
            return None
        now, had = selector_of(live), selector_of(self.before)
        return None if now == had else Body({"spec": {"selector": _patch(now, had)}})


@dataclass(frozen=True)
class GiveBackSelector(_SelectorPatch):
    """The selector owned by whom it belonged to, so that his next apply meets no conflict."""

    before: dict[str, Any]

    async def missing(self, cluster: Cluster, live: dict[str, Any] | None) -> Body | None:
        """Return the managed fields while we own the selector."""
        if live is None:
            return None
        fields = given_back(live, self.before, manager=MANAGER, name="selector")
        return None if fields is None else Body({"metadata": {"managedFields": fields}})


def _patch(now: Selector, wanted: Selector) -> dict[str, str | None]:
    """Return the merge patch from one selector to another: what is to go is null."""
    return {**dict.fromkeys(now.keys() - wanted.keys()), **wanted}


def _text(selector: Selector) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(selector.items())) or "empty"
