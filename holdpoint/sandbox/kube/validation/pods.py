"""Demands on pods and pod templates."""

import re
from fractions import Fraction
from typing import Any

from holdpoint.sandbox.kube.quantities import amount
from holdpoint.sandbox.kube.status import Cause, invalid_value, required, unsupported
from holdpoint.sandbox.kube.validation import texts
from holdpoint.sandbox.kube.validation.texts import Body, printed

_DNS = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_PULL = ("Always", "IfNotPresent", "Never")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")


def pod(field: str, spec: Body) -> list[Cause]:
    """Return the causes for the spec of a pod."""
    causes = _volumes(f"{field}.volumes", spec.get("volumes") or [])
    containers = spec.get("containers")
    if not containers:
        causes.append(required(f"{field}.containers"))
    for name in ("containers", "initContainers"):
        causes += _containers(f"{field}.{name}", spec.get(name) or [], spec)
    if spec.get("dnsPolicy", "Default") not in _DNS:
        causes.append(unsupported(f"{field}.dnsPolicy", spec["dnsPolicy"], _DNS))
    return causes


def _volumes(field: str, volumes: list[Body]) -> list[Cause]:
    causes: list[Cause] = []
    seen = set()
    for index, volume in enumerate(volumes):
        name = volume.get("name")
        if not name:
            causes.append(required(f"{field}[{index}].name"))
        elif name in seen:
            causes.append(_duplicate(f"{field}[{index}].name", name))
        seen.add(name)
    return causes


def _containers(field: str, containers: list[Body], spec: Body) -> list[Cause]:
    causes: list[Cause] = []
    seen = set()
    for index, container in enumerate(containers):
        at = f"{field}[{index}]"
        name = container.get("name")
        if not name:
            causes.append(required(f"{at}.name"))
        elif name in seen:
            causes.append(_duplicate(f"{at}.name", name))
        else:
            causes += texts.name(f"{at}.name", name, label=True)
        seen.add(name)
        causes += _container(at, container, spec)
    return causes


def _container(at: str, container: Body, spec: Body) -> list[Cause]:
    causes = [] if container.get("image") else [required(f"{at}.image")]
    causes += [c for i, p in enumerate(container.get("ports") or []) for c in _port(f"{at}.ports[{i}]", p)]
    for index, variable in enumerate(container.get("env") or []):
        if not variable.get("name"):
            causes.append(required(f"{at}.env[{index}].name"))
    causes += _mounts(at, container, spec)
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(name)
        if probe is not None and not any(handler in probe for handler in _HANDLERS):
            causes.append(required(f"{at}.{name}", "must specify a handler type"))
    policy = container.get("imagePullPolicy", "Always")
    if policy not in _PULL:
        causes.append(unsupported(f"{at}.imagePullPolicy", policy, _PULL))
    return causes + _resources(f"{at}.resources", container.get("resources") or {})


def _port(at: str, port: Body) -> list[Cause]:
    causes = []
    name = port.get("name")
    if name is not None and not (re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name) and len(name) <= 15):
        text = (
            "must be no more than 15 characters"
            if len(name) > 15
            else "must contain only alpha-numeric characters"
        )
        dashed = name.startswith("-") or name.endswith("-")
        text = "must not begin or end with a hyphen" if dashed else text
        causes.append(invalid_value(f"{at}.name", printed(name), text))
    number = port.get("containerPort")
    if not number:
        causes.append(required(f"{at}.containerPort"))
    elif not texts.is_count(number) or number > 65535:
        causes.append(invalid_value(f"{at}.containerPort", printed(number), texts.PORT_RANGE))
    if port.get("protocol", "TCP") not in _PROTOCOLS:
        causes.append(unsupported(f"{at}.protocol", port["protocol"], _PROTOCOLS))
    return causes


def _mounts(at: str, container: Body, spec: Body) -> list[Cause]:
    volumes = {volume.get("name") for volume in spec.get("volumes") or []}
    return [
        Cause(
            f"{at}.volumeMounts[{i}].name", f"Not found: {printed(mount.get('name'))}", "FieldValueNotFound"
        )
        for i, mount in enumerate(container.get("volumeMounts") or [])
        if mount.get("name") not in volumes
    ]


def _resources(at: str, resources: Body) -> list[Cause]:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    return [
        invalid_value(
            f"{at}.requests", printed(value), f"must be less than or equal to {name} limit of {limits[name]}"
        )
        for name, value in requests.items()
        if name in limits and _less(limits[name], value)
    ]


def _less(one: Any, other: Any) -> bool:
    return (amount(one) or Fraction(0)) < (amount(other) or Fraction(0))


def _duplicate(field: str, name: str) -> Cause:
    return Cause(field, f"Duplicate value: {printed(name)}", "FieldValueDuplicate")


def kept(before: Body, after: Body) -> list[Cause]:
    """Return the cause for a change of a pod that may not be changed in place."""

    def fixed(spec: Body) -> Body:
        containers = [{k: v for k, v in c.items() if k != "image"} for c in spec.get("containers", [])]
        return {**spec, "containers": containers, "tolerations": None, "activeDeadlineSeconds": None}

    if fixed(before["spec"]) == fixed(after["spec"]):
        return []
    text = "pod updates may not change fields other than `spec.containers[*].image`"
    return [Cause("spec", f"Forbidden: {text}", "FieldValueForbidden")]
