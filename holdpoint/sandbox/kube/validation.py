"""What a kind demands of its objects; each broken demand is a cause in the 422 that Kubernetes would give."""

import json
import re
from typing import Any

from holdpoint.sandbox.kube import selectors
from holdpoint.sandbox.kube.kinds import Kind
from holdpoint.sandbox.kube.status import Cause, invalid, invalid_value, required, unsupported

Body = dict[str, Any]

_SUBDOMAIN = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
_LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
_LABEL_VALUE = re.compile(r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$")
_LABEL_KEY = re.compile(r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$")

_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character"
)
_NAME_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character"
)
_NEGATIVE = "must be greater than or equal to 0"
_IMMUTABLE = "field is immutable"


def check(kind: Kind, body: Body, before: Body | None = None) -> None:
    """Raise 422 with every cause when the object, or the change from `before`, is not allowed."""
    causes = _metadata(kind, body["metadata"])
    try:
        if checker := _BY_KIND.get(kind.kind):
            causes += checker(body)
        if before is not None and (changes := _CHANGES.get(kind.kind)):
            causes += changes(before, body)
    except (AttributeError, TypeError, KeyError) as error:
        causes.append(Cause("spec", f"Invalid value: {error}"))
    if causes:
        raise invalid(kind, body["metadata"].get("name", ""), causes)


def _quoted(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _metadata(kind: Kind, metadata: Body) -> list[Cause]:
    causes = []
    name = metadata.get("name", "")
    strict = kind.kind in ("Service", "Namespace")
    if not name:
        causes.append(required("metadata.name", "name or generateName is required"))
    elif not (_LABEL if strict else _SUBDOMAIN).match(name) or len(name) > (63 if strict else 253):
        text = _NAME_TEXT if strict else _SUBDOMAIN_TEXT
        causes.append(invalid_value("metadata.name", _quoted(name), text))
    return causes + _labels("metadata.labels", metadata.get("labels"))


def _labels(field: str, labels: Any) -> list[Cause]:
    causes = []
    for key, value in (labels or {}).items():
        if not _LABEL_KEY.match(key):
            causes.append(
                invalid_value(field, _quoted(key), "name part must consist of alphanumeric characters")
            )
        if not isinstance(value, str) or len(value) > 63 or not _LABEL_VALUE.match(value):
            causes.append(
                invalid_value(
                    field,
                    _quoted(value),
                    "a valid label must be an empty string or consist of "
                    "alphanumeric characters, '-', '_' or '.'",
                )
            )
    return causes


def _replicas(spec: Body) -> list[Cause]:
    value = spec.get("replicas")
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return []
    return [invalid_value("spec.replicas", _quoted(value), _NEGATIVE)]


def _workload(body: Body) -> list[Cause]:
    spec = body.get("spec") or {}
    causes = _replicas(spec)
    selector, template = spec.get("selector"), spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    if not selector:
        causes.append(required("spec.selector"))
        causes.append(
            invalid_value(
                "spec.template.metadata.labels",
                _quoted(labels),
                "`selector` does not match template `labels`",
            )
        )
    elif not selector.get("matchLabels") and not selector.get("matchExpressions"):
        causes.append(invalid_value("spec.selector", "{}", "empty selector is invalid for deployment"))
    elif not selectors.matches(selector, labels):
        causes.append(
            invalid_value(
                "spec.template.metadata.labels",
                _quoted(labels),
                "`selector` does not match template `labels`",
            )
        )
    causes += _labels("spec.template.metadata.labels", labels)
    causes += _containers("spec.template.spec", template.get("spec") or {})
    if (template.get("spec") or {}).get("restartPolicy") != "Always" and template.get("spec"):
        given = str(template["spec"].get("restartPolicy"))
        causes.append(unsupported("spec.template.spec.restartPolicy", given, ["Always"]))
    return causes


def _deployment(body: Body) -> list[Cause]:
    spec = body.get("spec") or {}
    causes = _workload(body)
    for name in ("minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"):
        value = spec.get(name)
        if value is not None and (not isinstance(value, int) or value < 0):
            causes.append(invalid_value(f"spec.{name}", _quoted(value), _NEGATIVE))
    if spec.get("progressDeadlineSeconds", 1) <= spec.get("minReadySeconds", 0):
        shown = _quoted(spec.get("progressDeadlineSeconds"))
        causes.append(
            invalid_value("spec.progressDeadlineSeconds", shown, "must be greater than minReadySeconds")
        )
    return causes + _strategy(spec.get("strategy") or {})


def _strategy(strategy: Body) -> list[Cause]:
    kind = strategy.get("type")
    if kind not in ("RollingUpdate", "Recreate"):
        return [unsupported("spec.strategy.type", str(kind), ["Recreate", "RollingUpdate"])]
    rolling = strategy.get("rollingUpdate")
    if kind == "Recreate":
        text = "may not be specified when strategy `type` is 'Recreate'"
        return (
            [Cause("spec.strategy.rollingUpdate", f"Forbidden: {text}", "FieldValueForbidden")]
            if rolling
            else []
        )
    causes = []
    for name in ("maxSurge", "maxUnavailable"):
        value = (rolling or {}).get(name)
        if not (isinstance(value, int) and value >= 0) and not re.match(r"^[0-9]+%$", str(value)):
            text = "a valid percent string must be a numeric string followed by an ending '%'"
            causes.append(invalid_value(f"spec.strategy.rollingUpdate.{name}", _quoted(value), text))
    if not causes and all(str((rolling or {}).get(n)) in ("0", "0%") for n in ("maxSurge", "maxUnavailable")):
        text = "may not be 0 when `maxSurge` is 0"
        causes.append(invalid_value("spec.strategy.rollingUpdate.maxUnavailable", "0", text))
    return causes


def _containers(field: str, pod: Body) -> list[Cause]:
    containers = pod.get("containers")
    if not containers:
        return [required(f"{field}.containers")]
    causes, seen = [], set()
    for index, container in enumerate(containers):
        at = f"{field}.containers[{index}]"
        name = container.get("name")
        if not name:
            causes.append(required(f"{at}.name"))
        elif not _LABEL.match(name):
            causes.append(invalid_value(f"{at}.name", _quoted(name), _NAME_TEXT))
        elif name in seen:
            causes.append(Cause(f"{at}.name", f"Duplicate value: {_quoted(name)}", "FieldValueDuplicate"))
        seen.add(name)
        if not container.get("image"):
            causes.append(required(f"{at}.image"))
        causes += _mounts(at, container, pod)
    return causes


def _mounts(at: str, container: Body, pod: Body) -> list[Cause]:
    volumes = {volume.get("name") for volume in pod.get("volumes") or []}
    return [
        Cause(
            f"{at}.volumeMounts[{i}].name", f"Not found: {_quoted(mount.get('name'))}", "FieldValueNotFound"
        )
        for i, mount in enumerate(container.get("volumeMounts") or [])
        if mount.get("name") not in volumes
    ]


def _pod(body: Body) -> list[Cause]:
    return _containers("spec", body.get("spec") or {})


def _service(body: Body) -> list[Cause]:
    spec = body.get("spec") or {}
    ports = spec.get("ports") or []
    headless = spec.get("clusterIP") == "None"
    causes = (
        [required("spec.ports")] if not ports and not headless and spec.get("type") != "ExternalName" else []
    )
    for index, port in enumerate(ports):
        number = port.get("port")
        if not isinstance(number, int) or not 0 < number < 65536:
            text = "must be between 1 and 65535, inclusive"
            causes.append(invalid_value(f"spec.ports[{index}].port", _quoted(number), text))
        if len(ports) > 1 and not port.get("name"):
            causes.append(required(f"spec.ports[{index}].name"))
    return causes


def _autoscaler(body: Body) -> list[Cause]:
    spec = body.get("spec") or {}
    causes = []
    low, high = spec.get("minReplicas", 1), spec.get("maxReplicas", 0)
    if not high or high < 1:
        causes.append(invalid_value("spec.maxReplicas", _quoted(high), "must be greater than 0"))
    elif high < low:
        text = "must be greater than or equal to `minReplicas`"
        causes.append(invalid_value("spec.maxReplicas", _quoted(high), text))
    target = spec.get("scaleTargetRef") or {}
    causes += [required(f"spec.scaleTargetRef.{name}") for name in ("kind", "name") if not target.get(name)]
    return causes


def _selector_kept(before: Body, after: Body) -> list[Cause]:
    old, new = before["spec"].get("selector"), (after.get("spec") or {}).get("selector")
    return [] if old == new else [invalid_value("spec.selector", _quoted(new), _IMMUTABLE)]


def _address_kept(before: Body, after: Body) -> list[Cause]:
    old, new = before["spec"].get("clusterIP"), after["spec"].get("clusterIP")
    if old in (None, "", new):
        return []
    return [invalid_value("spec.clusterIPs[0]", _quoted([new]), "may not change once set")]


def _data_kept(before: Body, after: Body) -> list[Cause]:
    if not before.get("immutable"):
        return []
    text = "field is immutable when `immutable` is set"
    return [
        Cause(name, f"Forbidden: {text}", "FieldValueForbidden")
        for name in ("data", "binaryData", "stringData")
        if before.get(name) != after.get(name)
    ]


def _pod_kept(before: Body, after: Body) -> list[Cause]:
    def fixed(spec: Body) -> Body:
        containers = [{k: v for k, v in c.items() if k != "image"} for c in spec.get("containers", [])]
        return {**spec, "containers": containers, "tolerations": None, "activeDeadlineSeconds": None}

    if fixed(before["spec"]) == fixed(after["spec"]):
        return []
    text = "pod updates may not change fields other than `spec.containers[*].image`"
    return [Cause("spec", f"Forbidden: {text}", "FieldValueForbidden")]


_BY_KIND = {
    "Deployment": _deployment,
    "ReplicaSet": _workload,
    "Pod": _pod,
    "Service": _service,
    "HorizontalPodAutoscaler": _autoscaler,
}
_CHANGES = {
    "Deployment": _selector_kept,
    "ReplicaSet": _selector_kept,
    "Service": _address_kept,
    "ConfigMap": _data_kept,
    "Secret": _data_kept,
    "Pod": _pod_kept,
}
