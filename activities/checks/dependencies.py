"""Others of the target's namespace are healthy: Deployments by their replicas, Services by their Pods."""

from typing import Any

from activities.checks.kind import CheckKind, Found, Scene
from activities.readiness import readiness
from activities.steps.rights import Right
from holdpoint.models.checks import DependenciesCheck
from holdpoint.models.record import ObjectRef


class Dependencies(CheckKind[DependenciesCheck]):
    """Reads what is named, and the Pods that a Service selects."""

    kind, config, asks = "dependencies", DependenciesCheck, "cluster"
    rights = (
        Right("forward", "apps", "deployments", ("get",)),
        Right("forward", "", "services", ("get",)),
        Right("forward", "", "pods", ("list",)),
    )

    async def look(self, config: DependenciesCheck, scene: Scene) -> Found:
        """Look at each once."""
        said = {f"Deployment {name}": await _deployment(name, scene) for name in config.deployments}
        said |= {f"Service {name}": await _service(name, scene) for name in config.services}
        ill = [f"{name}: {why}" for name, why in said.items() if why is not None]
        answer = {"looked": {name: why or "healthy" for name, why in said.items()}}
        if ill:
            return Found(False, f"{'; '.join(ill)}.", answer)
        return Found(True, f"Healthy: {', '.join(said)}.", answer)


async def _deployment(name: str, scene: Scene) -> str | None:
    """Return what is wrong with a Deployment, or None."""
    body = await scene.cluster.read(_ref(scene, "apps/v1", "Deployment", name))
    if body is None:
        return "does not exist"
    now = readiness(body)
    if not now.ready:
        return now.message.partition(": ")[2] or "not ready"
    return None if (body.get("spec") or {}).get("replicas", 1) else "is scaled to none"


async def _service(name: str, scene: Scene) -> str | None:
    """Return what is wrong with a Service, or None when a Pod that it selects is ready."""
    body = await scene.cluster.read(_ref(scene, "v1", "Service", name))
    if body is None:
        return "does not exist"
    wanted = (body.get("spec") or {}).get("selector")
    if not wanted:
        return "selects no Pods, so nobody can tell who answers for it"
    selector = ",".join(f"{label}={value}" for label, value in sorted(wanted.items()))
    pods = await scene.cluster.list("v1", "Pod", scene.stored.change.spec.namespace, selector)
    if any(_ready(pod) for pod in pods):
        return None
    return f"none of its {len(pods)} Pods is ready" if pods else "no Pod that it selects exists"


def _ready(pod: dict[str, Any]) -> bool:
    if pod["metadata"].get("deletionTimestamp"):
        return False
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def _ref(scene: Scene, api_version: str, kind: str, name: str) -> ObjectRef:
    return ObjectRef(
        cluster=scene.cluster.name,
        api_version=api_version,
        kind=kind,
        namespace=scene.stored.change.spec.namespace,
        name=name,
    )
