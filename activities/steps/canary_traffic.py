"""A canary's traffic by an HTTPRoute: its Service, the label that keeps it from stable's, and the weights."""

import asyncio
import time
from typing import Any

from activities.intents import Stopped
from activities.route_weights import (
    API,
    KIND,
    GiveBack,
    ReturnRoute,
    ShiftRoute,
    Split,
    reached,
    rules_of,
    shifted,
)
from activities.steps.canary_objects import TRACK
from activities.steps.stage import Stage, failed
from holdpoint.clients.cluster import CANARY_SUFFIX, Cluster
from holdpoint.models.change import CanaryConfig, Traffic
from holdpoint.models.errors import StepConfig
from holdpoint.models.record import ObjectRef

Body = dict[str, Any]

PATIENCE = 60.0
"""Seconds for a gateway to accept the route as it is now."""

POLL = 0.5
LONGEST_LABEL = 63


def service_name(config: CanaryConfig) -> str:
    """Return the Service that the canary's is made from: the stated one, or that of the Deployment's name."""
    return (config.traffic and config.traffic.service) or config.deployment


def traffic_refs(cluster: str, namespace: str, config: CanaryConfig) -> list[ObjectRef]:
    """Return what the traffic adds to the objects that are touched: the canary's Service and the route."""
    if config.traffic is None:
        return []
    service = object_ref(cluster, namespace, "v1", "Service", service_name(config) + CANARY_SUFFIX)
    return [service, route_ref(cluster, namespace, config.traffic)]


def route_ref(cluster: str, namespace: str, traffic: Traffic) -> ObjectRef:
    """Return the reference of the route."""
    return object_ref(cluster, namespace, API, KIND, traffic.httpRoute)


async def check_traffic(
    config: CanaryConfig, manifest: Body, manifests: list[Body], cluster: Cluster, namespace: str
) -> None:
    """Hold that the traffic can be shifted. Raises StepConfig, naming what is missing."""
    if config.traffic is None:
        return
    await cluster.check_kind(API, KIND)
    route = await stated_or_live(manifests, cluster, route_ref(cluster.name, namespace, config.traffic))
    shifted(config.traffic.httpRoute, rules_of(route), Split(service_name(config), 0))
    await service_of(config, manifest, manifests, cluster, namespace)


async def service_of(
    config: CanaryConfig, manifest: Body, manifests: list[Body], cluster: Cluster, namespace: str
) -> tuple[Body, tuple[str, str]]:
    """Return the canary's Service, and the label whose value keeps its pods from stable's Service."""
    ref = object_ref(cluster.name, namespace, "v1", "Service", service_name(config))
    if len(ref.name) + len(CANARY_SUFFIX) > LONGEST_LABEL:
        raise StepConfig(f"Service {ref.name} has too long a name for a canary beside it: {ref.name}-canary.")
    stable = await stated_or_live(manifests, cluster, ref)
    label = relabelled(stable, manifest)
    return service_beside(stable, namespace, ref.name + CANARY_SUFFIX, label), label


def service_beside(service: Body, namespace: str, name: str, label: tuple[str, str]) -> Body:
    """Return a Service with the ports of another for the pods whose label has this value."""
    spec = service["spec"]
    ports = [{key: port[key] for key in port if key != "nodePort"} for port in spec.get("ports") or []]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace, "labels": {TRACK: "canary"}},
        "spec": {"ports": ports, "selector": {**spec["selector"], label[0]: label[1]}},
    }


def relabelled(service: Body, manifest: Body) -> tuple[str, str]:
    """Return a label by which the Service selects the Deployment's pods, with the canary's value.

    With it stable's Service selects no pod of the canary: the route alone decides who gets a request.
    """
    selector = (service.get("spec") or {}).get("selector") or {}
    labels = (manifest["spec"]["template"].get("metadata") or {}).get("labels") or {}
    name, deployment = service["metadata"]["name"], manifest["metadata"]["name"]
    if not selector or any(labels.get(key) != value for key, value in selector.items()):
        raise StepConfig(f"Service {name} does not select the pods of Deployment {deployment}.")
    key = next((key for key in ("app.kubernetes.io/name", "app") if key in selector), min(selector))
    value = f"{selector[key]}{CANARY_SUFFIX}"
    if len(value) > LONGEST_LABEL:
        raise StepConfig(f"Label {key} of Deployment {deployment} is too long for a canary: {value}.")
    return str(key), value


async def shift(stage: Stage, config: CanaryConfig, weight: int) -> float:
    """Send this part of the requests to the canary, and return the part that the route really has."""
    assert config.traffic is not None  # noqa: S101  # for the type: callers ask for it
    ref = route_ref(stage.cluster.name, stage.change.spec.namespace, config.traffic)
    split = Split(service_name(config), weight)
    await stage.writer.settle(ShiftRoute(stage.key(ref, "traffic"), ref, split))
    return reached(rules_of(await _accepted(stage, ref)), split)


async def unshift(stage: Stage, config: CanaryConfig) -> None:
    """Send all requests to the stable Service again, and give the rules back to whom they belonged."""
    assert config.traffic is not None  # noqa: S101  # as above
    ref = route_ref(stage.cluster.name, stage.change.spec.namespace, config.traffic)
    stated = next((m for m in stage.objects if stage.ref(m) == ref), None)
    if stated is not None:
        await stage.apply(stated)
        return
    before = stage.snapshot.of(ref)
    if before is None or before.body is None:
        raise StepConfig(f"HTTPRoute {ref.name} did not exist when the rollout began.")
    await stage.writer.settle(ReturnRoute(stage.key(ref, "return"), ref, before.body))
    await stage.writer.settle(GiveBack(stage.key(ref, "owners"), ref, before.body))


async def _accepted(stage: Stage, ref: ObjectRef) -> Body:
    """Return the route once every gateway that says something of it has accepted it as it is now."""
    ends = time.monotonic() + PATIENCE
    while True:
        live = await stage.cluster.read(ref)
        if live is None:
            raise Stopped(failed("route_gone", f"HTTPRoute {ref.name} is gone."))
        waiting = [
            said
            for parent in (live.get("status") or {}).get("parents") or []
            if (said := _said(parent, live))
        ]
        if not waiting:
            return live
        if time.monotonic() >= ends:
            raise Stopped(failed("route_not_accepted", f"HTTPRoute {ref.name}: {waiting[0]}"))
        await asyncio.sleep(POLL)


def _said(parent: Body, route: Body) -> str:
    """Return why a gateway does not send by the route as it is now; empty when it does."""
    name = (parent.get("parentRef") or {}).get("name", "?")
    for condition in parent.get("conditions") or []:
        if condition.get("type") == "Accepted":
            if condition.get("observedGeneration", 0) < route["metadata"].get("generation", 0):
                return f"gateway {name} has not seen it yet."
            if condition.get("status") != "True":
                why = condition.get("message") or condition.get("reason")
                return f"gateway {name} does not accept it: {why}"
            return ""
    return f"gateway {name} has not accepted it yet."


async def stated_or_live(
    manifests: list[Body], cluster: Cluster, ref: ObjectRef, *, needed_by: str = "the canary's traffic"
) -> Body:
    """Return an object as the change states it, else as it is. Raises StepConfig where there is none."""
    for manifest in manifests:
        if (manifest["kind"], manifest["metadata"]["name"]) == (ref.kind, ref.name):
            return manifest
    live = await cluster.read(ref)
    if live is None:
        raise StepConfig(f"{ref.kind} {ref.name} does not exist in {ref.namespace}; {needed_by} needs it.")
    return live


def object_ref(cluster: str, namespace: str, api_version: str, kind: str, name: str) -> ObjectRef:
    """Return the reference of an object."""
    return ObjectRef(cluster=cluster, api_version=api_version, kind=kind, namespace=namespace, name=name)
