"""KWOK's stages: how nodes and pods of the stand-in kubelets move on.

They are KWOK's own of its "fast" set, and live in the cluster, so that they can be changed while it runs:
pods of an image that shall never be ready are left out of the stage that makes pods ready, and meet stages of
ours instead, which let them run without being ready.
"""

import copy
from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from tools.stack.parts import files

FOLDERS = ("node/fast", "node/heartbeat", "pod/fast")
NOBODY = "nobody.invalid/none:none"
"""A list of images must not be empty."""

IMAGES = ".spec.containers.[].image"
READY = '.status.conditions.[] | select( .type == "Ready" ) | .status'


def all_stages(never_ready: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield every stage, with these images never ready."""
    for folder in FOLDERS:
        for path in sorted((files("kwok", "stages") / folder).glob("*.yaml")):
            found = yaml.safe_load(path.read_text())
            if found["kind"] == "Stage" and found["metadata"]["name"] != "pod-ready":
                yield found
    yield from readiness_stages(never_ready)


def readiness_stages(never_ready: Iterable[str]) -> list[dict[str, Any]]:
    """Return the stages that decide which pods become ready, and which stop being so."""
    images = [NOBODY, *sorted(never_ready)]
    path = files("kwok", "stages") / "pod/fast/pod-ready.yaml"
    ready: dict[str, Any] = yaml.safe_load(path.read_text())
    ready["spec"]["selector"]["matchExpressions"] = [
        _expression(".metadata.deletionTimestamp", "DoesNotExist"),
        _expression(".status.phase", "In", "Pending", "Running"),
        _expression(READY, "NotIn", "True"),
        _expression(IMAGES, "NotIn", *images),
    ]
    step = ready["spec"]["next"]
    step["statusTemplate"] = _keeping_address(step["statusTemplate"])
    unready = copy.deepcopy(ready)
    unready["metadata"]["name"] = "pod-unready"
    unready["spec"]["selector"]["matchExpressions"] = [
        _expression(".metadata.deletionTimestamp", "DoesNotExist"),
        _expression(".status.phase", "In", "Pending", "Running"),
        _expression(READY, "NotIn", "False"),
        _expression(IMAGES, "In", *images),
    ]
    unready["spec"]["next"]["statusTemplate"] = _not_ready(ready["spec"]["next"]["statusTemplate"])
    return [ready, unready]


def _keeping_address(template: str) -> str:
    """Return the template without a second address for a pod that has one: KWOK's own plays only once."""
    old, new = "{{ with $podIPs }}", "{{ with and (not .status.podIP) $podIPs }}"
    if old not in template:
        raise ValueError("KWOK's pod-ready stage gives no address where one was expected.")
    return template.replace(old, new)


def _not_ready(template: str) -> str:
    """Return KWOK's template of a ready pod's status, of one that runs without being ready."""
    before, containers, after = template.partition("containerStatuses:")
    for kind in ("Ready", "ContainersReady"):
        old = f'  status: "True"\n  type: {kind}\n'
        new = f'  status: "False"\n  reason: ContainersNotReady\n  type: {kind}\n'
        if old not in before:
            raise ValueError(f"KWOK's pod-ready stage has no condition {kind} to turn.")
        before = before.replace(old, new)
    return before + containers + after.replace("ready: true", "ready: false", 1)


def _expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}
