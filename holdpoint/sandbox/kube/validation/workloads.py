"""Demands on Deployments, ReplicaSets, StatefulSets and Jobs."""

import re
from typing import Any

from holdpoint.sandbox.kube import selectors
from holdpoint.sandbox.kube.status import Cause, invalid_value, required, unsupported
from holdpoint.sandbox.kube.validation import pods, texts
from holdpoint.sandbox.kube.validation.texts import Body, printed

_PERCENT = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex "
    "used for validation is '[0-9]+%')"
)


def replica_set(body: Body) -> list[Cause]:
    """Return the causes for a ReplicaSet, or for the part of a Deployment that is the same."""
    spec = body.get("spec") or {}
    template = spec.get("template") or {}
    causes = texts.counts(spec, "replicas") + _selector(spec, template)
    given = (template.get("metadata") or {}).get("labels")
    causes += texts.labels("spec.template.labels", given)
    pod = template.get("spec") or {}
    causes += pods.pod("spec.template.spec", pod)
    policy = pod.get("restartPolicy", "Always")
    if policy != "Always":
        causes.append(unsupported("spec.template.spec.restartPolicy", str(policy), ["Always"]))
    return causes


def deployment(body: Body) -> list[Cause]:
    """Return the causes for a Deployment."""
    spec = body.get("spec") or {}
    causes = replica_set(body) + _strategy(spec.get("strategy") or {})
    causes += texts.counts(spec, "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None and deadline <= spec.get("minReadySeconds", 0):
        text = "must be greater than minReadySeconds"
        causes.append(invalid_value("spec.progressDeadlineSeconds", printed(deadline), text))
    return causes


def selector_kept(before: Body, after: Body) -> list[Cause]:
    """Return the cause for a change of the selector."""
    old, new = before["spec"].get("selector"), (after.get("spec") or {}).get("selector")
    return [] if old == new else [invalid_value("spec.selector", printed(new), texts.IMMUTABLE)]


_MAY_CHANGE = (
    *("replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit"),
    *("persistentVolumeClaimRetentionPolicy", "minReadySeconds"),
)
_KEPT = (
    "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
    "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' "
    "are forbidden"
)


def stateful_set(body: Body) -> list[Cause]:
    """Return the causes for a StatefulSet."""
    spec = body.get("spec") or {}
    causes = replica_set(body) + texts.counts(spec, "minReadySeconds", "revisionHistoryLimit")
    policy, strategy = spec.get("podManagementPolicy"), spec.get("updateStrategy") or {}
    if policy not in ("OrderedReady", "Parallel"):
        text = "must be 'OrderedReady' or 'Parallel'"
        causes.append(invalid_value("spec.podManagementPolicy", printed(policy), text))
    rolling = strategy.get("rollingUpdate")
    if strategy.get("type") == "OnDelete" and rolling is not None:
        text = "only allowed for updateStrategy 'RollingUpdate'"
        causes.append(invalid_value("spec.updateStrategy.rollingUpdate", printed(rolling), text))
    elif strategy.get("type") not in ("OnDelete", "RollingUpdate"):
        text = "must be 'RollingUpdate' or 'OnDelete'"
        causes.append(invalid_value("spec.updateStrategy", printed(strategy), text))
    partition = (rolling or {}).get("partition", 0)
    if not texts.is_count(partition):
        at = "spec.updateStrategy.rollingUpdate.partition"
        causes.append(invalid_value(at, printed(partition), texts.NEGATIVE))
    return causes


def identity_kept(before: Body, after: Body) -> list[Cause]:
    """Return the cause for a change of what a StatefulSet's pods are known by."""
    old, new = (
        {name: value for name, value in (body.get("spec") or {}).items() if name not in _MAY_CHANGE}
        for body in (before, after)
    )
    return [] if old == new else [Cause("spec", _KEPT, "FieldValueForbidden")]


def job(body: Body) -> list[Cause]:
    """Return the causes for a Job."""
    spec = body.get("spec") or {}
    counted = (
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
    )
    pod = (spec.get("template") or {}).get("spec") or {}
    causes = texts.counts(spec, *counted) + pods.pod("spec.template.spec", pod)
    policy = pod.get("restartPolicy", "Always")
    if policy not in ("OnFailure", "Never"):
        causes.append(unsupported("spec.template.spec.restartPolicy", str(policy), ["OnFailure", "Never"]))
    return causes


def template_kept(before: Body, after: Body) -> list[Cause]:
    """Return the cause for a change of a Job's template."""
    old, new = before["spec"].get("template"), (after.get("spec") or {}).get("template")
    return [] if old == new else [invalid_value("spec.template", printed(new), texts.IMMUTABLE)]


def _selector(spec: Body, template: Body) -> list[Cause]:
    selector = spec.get("selector")
    labels = (template.get("metadata") or {}).get("labels") or {}
    if selector == {}:
        return [invalid_value("spec.selector", "{}", "empty selector is invalid for deployment")]
    causes = [required("spec.selector")] if selector is None else []
    if selector is None or not selectors.matches(selector, labels):
        text = "`selector` does not match template `labels`"
        causes.append(invalid_value("spec.template.metadata.labels", printed(labels), text))
    return causes


def _strategy(strategy: Body) -> list[Cause]:
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind not in ("RollingUpdate", "Recreate"):
        shown = printed({"Type": kind, "RollingUpdate": rolling})
        known = '"Recreate", "RollingUpdate"'
        text = f"Unsupported value: {shown}: supported values: {known}"
        return [Cause("spec.strategy", text, "FieldValueNotSupported")]
    if kind == "Recreate":
        text = "Forbidden: may not be specified when strategy `type` is 'Recreate'"
        return [Cause("spec.strategy.rollingUpdate", text, "FieldValueForbidden")] if rolling else []
    bounds = {name: (rolling or {}).get(name) for name in ("maxUnavailable", "maxSurge")}
    at = "spec.strategy.rollingUpdate"
    causes = [cause for name, value in bounds.items() for cause in _bound(f"{at}.{name}", value)]
    if not causes and all(str(value) in ("0", "0%") for value in bounds.values()):
        shown = printed(bounds["maxUnavailable"])
        causes.append(invalid_value(f"{at}.maxUnavailable", shown, "may not be 0 when `maxSurge` is 0"))
    return causes


def _bound(field: str, value: Any) -> list[Cause]:
    if isinstance(value, int):
        return [] if texts.is_count(value) else [invalid_value(field, printed(value), texts.NEGATIVE)]
    if not re.fullmatch(r"[0-9]+%", str(value)):
        return [invalid_value(field, printed(value), _PERCENT)]
    over = field.endswith("maxUnavailable") and int(str(value)[:-1]) > 100
    return [invalid_value(field, printed(value), "must not be greater than 100%")] if over else []
