"""The Services of a blueGreen step: what they select during it, and how they end."""

from typing import Any

from activities.intents import Stopped
from activities.service_selector import (
    GiveBackSelector,
    ReturnService,
    Selector,
    SwitchService,
    is_switched,
    selector_of,
    unswitched,
)
from activities.steps.canary_traffic import object_ref, relabelled, stated_or_live
from activities.steps.stage import Stage, failed
from holdpoint.clients.cluster import Cluster
from holdpoint.models.blue_green import BlueGreenConfig
from holdpoint.models.errors import StepConfig
from holdpoint.models.record import ObjectRef

Body = dict[str, Any]


def service_ref(cluster: str, namespace: str, name: str) -> ObjectRef:
    """Return the reference of a Service."""
    return object_ref(cluster, namespace, "v1", "Service", name)


def service_refs(cluster: str, namespace: str, config: BlueGreenConfig) -> list[ObjectRef]:
    """Return the Services that are switched; the one with the requests is the last."""
    names = [config.service] if config.preview is None else [config.preview, config.service]
    return [service_ref(cluster, namespace, name) for name in names]


def pods_of(service: Body, manifest: Body) -> tuple[Selector, tuple[str, str]]:
    """Return what selects the new version's pods, and the label whose value tells them from the old one's.

    Raises StepConfig where the Service would not reach them.
    """
    label = relabelled(service, manifest)
    _check_ports(service, manifest)
    return {**selector_of(service), label[0]: label[1]}, label


async def planned_service(ref: ObjectRef, manifests: list[Body], cluster: Cluster) -> Body:
    """Return the Service that will be switched, before anything runs. Raises StepConfig without one."""
    return unswitched(await stated_or_live(manifests, cluster, ref, needed_by="the blueGreen step"))


def check_apart(service: Body | None, green: Body) -> None:
    """Hold that the Service as it is now selects no pod of the new version. Raises StepConfig."""
    selector = {} if service is None else selector_of(service)
    labels = green["spec"]["template"]["metadata"]["labels"]
    if service is not None and selector and selector.items() <= labels.items():
        raise StepConfig(
            f"The selector of Service {service['metadata']['name']} is not what the change states; it "
            "would select the new version before the switch. Change it in a change of its own."
        )


def switched_service(stage: Stage, ref: ObjectRef) -> Body:
    """Return the Service as it was before the switch, or as it is to be. Raises StepConfig without one."""
    before = stage.snapshot.of(ref)
    found = _stated(stage, ref) or (before.body if before is not None else None)
    if found is None:
        raise StepConfig(f"Service {ref.name} did not exist when the rollout began.")
    return found


async def switch(stage: Stage, ref: ObjectRef, wanted: Selector) -> None:
    """Have a Service select the pods of `wanted`."""
    before = stage.snapshot.of(ref)
    had = None if before is None or before.body is None else selector_of(before.body)
    await stage.writer.settle(SwitchService(stage.key(ref, "switch"), ref, wanted, had))


async def make_missing(stage: Stage, ref: ObjectRef, otherwise: Body | None) -> None:
    """Make a Service that was not there: as the change states it, or as `otherwise`.

    One that a switch has reached is left as it is: the stage runs again, and stating it would switch it back.
    """
    before = stage.snapshot.of(ref)
    live = await stage.cluster.read(ref)
    if (before is not None and before.body is not None) or (live is not None and is_switched(live)):
        return
    wanted = _stated(stage, ref) or otherwise
    if wanted is not None:
        await stage.apply(wanted)


async def bring_back(stage: Stage, ref: ObjectRef) -> None:
    """Have a Service be as the change states it, as it was, or gone where it was neither."""
    stated, before = _stated(stage, ref), stage.snapshot.of(ref)
    if stated is not None:
        await stage.apply(stated)
    elif before is None or before.body is None:
        await stage.delete(ref)
    else:
        await stage.writer.settle(ReturnService(stage.key(ref, "return"), ref, before.body))
        await stage.writer.settle(GiveBackSelector(stage.key(ref, "owners"), ref, before.body))


async def check_selected(stage: Stage, name: str, wanted: Selector, count: int) -> None:
    """Hold that a Service has all pods of the new version to send to, ready. Raises Stopped."""
    namespace = stage.change.spec.namespace
    labels = ",".join(f"{key}={value}" for key, value in sorted(wanted.items()))
    pods = await stage.cluster.list("v1", "Pod", namespace, labels)
    ready = sum(_is_ready(pod) for pod in pods)
    if ready < count:
        said = f"Service {name} would select {ready} ready pods by {labels}; {count} of the new version run."
        raise Stopped(failed("not_ready", said))


def _stated(stage: Stage, ref: ObjectRef) -> Body | None:
    return next((one for one in stage.objects if stage.ref(one) == ref), None)


def _is_ready(pod: Body) -> bool:
    if pod["metadata"].get("deletionTimestamp"):
        return False
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def _check_ports(service: Body, manifest: Body) -> None:
    """Hold that each port which the Service names is one of the new pods': else it would reach none."""
    pod = manifest["spec"]["template"].get("spec") or {}
    containers = [one for one in pod.get("containers") or [] if isinstance(one, dict)]
    named = {port.get("name") for one in containers for port in one.get("ports") or []}
    for port in (service.get("spec") or {}).get("ports") or []:
        target = port.get("targetPort")
        if isinstance(target, str) and target not in named:
            raise StepConfig(
                f"Service {service['metadata']['name']} sends to the port {target!r}, which no container of "
                f"Deployment {manifest['metadata']['name']} has: the switch would lead nowhere."
            )
