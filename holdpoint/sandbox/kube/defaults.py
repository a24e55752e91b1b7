"""The defaults that an API server writes into an object (k8s.io/kubernetes/pkg/apis/*/v1/defaults.go)."""

import hashlib
from typing import Any

from holdpoint.sandbox.kube.kinds import Kind

Body = dict[str, Any]


def defaulted(kind: Kind, body: Body) -> Body:
    """Fill in the defaults of a kind, in place, and return the object."""
    setter = _BY_KIND.get(kind.kind)
    if setter and isinstance(body.get("spec", {}), dict):
        setter(body)
    return body


def _fill(target: Body, **values: Any) -> None:
    for name, value in values.items():
        if target.get(name) is None:
            target[name] = value


def _deployment(body: Body) -> None:
    spec = body.setdefault("spec", {})
    _fill(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600, strategy={})
    strategy = spec["strategy"]
    if isinstance(strategy, dict):
        _fill(strategy, type="RollingUpdate")
        if strategy["type"] == "RollingUpdate":
            _fill(strategy, rollingUpdate={})
            _fill(strategy["rollingUpdate"], maxSurge="25%", maxUnavailable="25%")
    _template(spec)


def _replica_set(body: Body) -> None:
    spec = body.setdefault("spec", {})
    _fill(spec, replicas=1)
    _template(spec)


def _stateful_set(body: Body) -> None:
    spec = body.setdefault("spec", {})
    kept = {"whenDeleted": "Retain", "whenScaled": "Retain"}
    _fill(spec, replicas=1, revisionHistoryLimit=10, podManagementPolicy="OrderedReady", updateStrategy={})
    _fill(spec, persistentVolumeClaimRetentionPolicy=kept)
    strategy = spec["updateStrategy"]
    if isinstance(strategy, dict):
        _fill(strategy, type="RollingUpdate")
        if strategy["type"] == "RollingUpdate":
            _fill(strategy, rollingUpdate={})
            _fill(strategy["rollingUpdate"], partition=0)
    _template(spec)


def _job(body: Body) -> None:
    spec = body.setdefault("spec", {})
    if spec.get("completions") is None and spec.get("parallelism") is None:
        _fill(spec, completions=1)
    _fill(spec, parallelism=1, backoffLimit=6, completionMode="NonIndexed", suspend=False)
    _fill(spec, podReplacementPolicy="TerminatingOrFailed")
    _template(spec)


def _template(spec: Body) -> None:
    template = spec.get("template")
    if isinstance(template, dict):
        pod = template.get("spec")
        if isinstance(pod, dict):
            _pod_spec(pod)


def _pod(body: Body) -> None:
    _pod_spec(body.setdefault("spec", {}))


def _pod_spec(pod: Body) -> None:
    _fill(
        pod,
        restartPolicy="Always",
        dnsPolicy="ClusterFirst",
        schedulerName="default-scheduler",
        terminationGracePeriodSeconds=30,
        securityContext={},
    )
    if "serviceAccountName" in pod:
        _fill(pod, serviceAccount=pod["serviceAccountName"])
    for container in [*_maps(pod.get("containers")), *_maps(pod.get("initContainers"))]:
        _container(container)
    for volume in _maps(pod.get("volumes")):
        for source, modes in (("configMap", 420), ("secret", 420), ("projected", 420), ("downwardAPI", 420)):
            if isinstance(volume.get(source), dict):
                _fill(volume[source], defaultMode=modes)


def _container(container: Body) -> None:
    image = container.get("image")
    pull = "Always" if isinstance(image, str) and _floats(image) else "IfNotPresent"
    _fill(
        container,
        imagePullPolicy=pull,
        resources={},
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
    )
    for port in _maps(container.get("ports")):
        _fill(port, protocol="TCP")
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if isinstance(container.get(name), dict):
            _probe(container[name])
    for variable in _maps(container.get("env")):
        source = variable.get("valueFrom")
        if isinstance(source, dict) and isinstance(source.get("fieldRef"), dict):
            _fill(source["fieldRef"], apiVersion="v1")


def _probe(probe: Body) -> None:
    _fill(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    get = probe.get("httpGet")
    if isinstance(get, dict):
        _fill(get, path="/", scheme="HTTP")
    if isinstance(probe.get("grpc"), dict):
        _fill(probe["grpc"], service="")


def _floats(image: str) -> bool:
    name = image.rsplit("/", 1)[-1]
    return "@" not in name and (":" not in name or name.endswith(":latest"))


def _service(body: Body) -> None:
    spec = body.setdefault("spec", {})
    _fill(spec, type="ClusterIP", sessionAffinity="None", internalTrafficPolicy="Cluster")
    for port in _maps(spec.get("ports")):
        _fill(port, protocol="TCP", targetPort=port.get("port"))
    if spec["sessionAffinity"] == "ClientIP":
        _fill(spec, sessionAffinityConfig={"clientIP": {"timeoutSeconds": 10800}})
    if spec["type"] in ("NodePort", "LoadBalancer"):
        _fill(spec, externalTrafficPolicy="Cluster")
        for port in _maps(spec.get("ports")):
            _fill(port, nodePort=30000 + _number(body, str(port.get("port"))) % 2768)
    if spec["type"] != "ExternalName":
        _fill(spec, clusterIP=_address(body))
        _fill(spec, clusterIPs=[spec["clusterIP"]], ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")


def _address(body: Body) -> str:
    """Return an address in 10.96.0.0/16 that only depends on the name, so that a dry run shows what comes."""
    number = _number(body, "")
    return f"10.96.{number >> 8 & 255}.{number & 255 or 1}"


def _number(body: Body, more: str) -> int:
    metadata = body["metadata"]
    text = f"{metadata.get('namespace')}/{metadata.get('name')}/{more}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4])


def _autoscaler(body: Body) -> None:
    spec = body.setdefault("spec", {})
    _fill(spec, minReplicas=1)
    target = {"type": "Utilization", "averageUtilization": 80}
    if not spec.get("metrics"):
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]


def _secret(body: Body) -> None:
    _fill(body, type="Opaque")


def _namespace(body: Body) -> None:
    _fill(body.setdefault("spec", {}), finalizers=["kubernetes"])
    labels = body["metadata"].setdefault("labels", {})
    labels["kubernetes.io/metadata.name"] = body["metadata"]["name"]


def _http_route(body: Body) -> None:
    """Fill in what the CRD of Gateway API v1.7.0 states as defaults."""
    spec = body.setdefault("spec", {})
    _fill(spec, rules=[{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}]}])
    for parent in _maps(spec.get("parentRefs")):
        _fill(parent, group="gateway.networking.k8s.io", kind="Gateway")
    for rule in _maps(spec["rules"]):
        _fill(rule, matches=[{"path": {"type": "PathPrefix", "value": "/"}}])
        for match in _maps(rule["matches"]):
            _fill(match, path={})
            _fill(match["path"], type="PathPrefix", value="/")
            for named in (*_maps(match.get("headers")), *_maps(match.get("queryParams"))):
                _fill(named, type="Exact")
        for backend in _maps(rule.get("backendRefs")):
            _fill(backend, group="", kind="Service", weight=1)


def _webhooks(body: Body) -> None:
    for webhook in _maps(body.get("webhooks")):
        _fill(webhook, failurePolicy="Fail", matchPolicy="Equivalent", timeoutSeconds=10)
        _fill(webhook, namespaceSelector={}, objectSelector={})
        for rule in _maps(webhook.get("rules")):
            _fill(rule, scope="*")


def _maps(value: Any) -> list[Body]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


_BY_KIND = {
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "StatefulSet": _stateful_set,
    "Job": _job,
    "Pod": _pod,
    "Service": _service,
    "HorizontalPodAutoscaler": _autoscaler,
    "Secret": _secret,
    "Namespace": _namespace,
    "HTTPRoute": _http_route,
    "ValidatingWebhookConfiguration": _webhooks,
}
