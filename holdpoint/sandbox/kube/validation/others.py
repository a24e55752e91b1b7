"""Demands on what the sandbox only keeps: Services, configuration, autoscalers, budgets, ingresses."""

from holdpoint.sandbox.kube.status import Cause, invalid_value, required, unsupported
from holdpoint.sandbox.kube.validation import texts
from holdpoint.sandbox.kube.validation.texts import Body, printed

_SERVICE_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_NO_EFFECTS = ("None", "NoneOnDryRun")
_SET = "Forbidden: field is immutable when `immutable` is set"


def service(body: Body) -> list[Cause]:
    """Return the causes for a Service."""
    spec = body.get("spec") or {}
    ports, kind = spec.get("ports") or [], spec.get("type")
    needed = spec.get("clusterIP") != "None" and kind != "ExternalName"
    causes = [required("spec.ports")] if not ports and needed else []
    for index, port in enumerate(ports):
        number = port.get("port")
        if len(ports) > 1 and not port.get("name"):
            causes.append(required(f"spec.ports[{index}].name"))
        if not texts.is_count(number) or not 0 < number < 65536:
            causes.append(invalid_value(f"spec.ports[{index}].port", printed(number), texts.PORT_RANGE))
    if kind == "ExternalName" and not spec.get("externalName"):
        causes.append(required("spec.externalName"))
    if kind not in _SERVICE_TYPES:
        causes.append(unsupported("spec.type", str(kind), _SERVICE_TYPES))
    return causes


def webhooks(body: Body) -> list[Cause]:
    """Return the causes for the webhooks of a configuration: a name, and dry runs without effects."""
    causes = []
    for index, hook in enumerate(body.get("webhooks") or []):
        at, effects = f"webhooks[{index}]", hook.get("sideEffects")
        if not hook.get("name"):
            causes.append(required(f"{at}.name"))
        if effects is None:
            causes.append(required(f"{at}.sideEffects", f"must specify one of {', '.join(_NO_EFFECTS)}"))
        elif effects not in _NO_EFFECTS:
            causes.append(unsupported(f"{at}.sideEffects", str(effects), _NO_EFFECTS))
    return causes


def address_kept(before: Body, after: Body) -> list[Cause]:
    """Return the cause for a change of a Service's address."""
    old, new = before["spec"].get("clusterIP"), after["spec"].get("clusterIP")
    if old in (None, "", new) or after["spec"].get("type") == "ExternalName":
        return []
    return [invalid_value("spec.clusterIPs[0]", printed([new]), "may not change once set")]


def data_kept(before: Body, after: Body) -> list[Cause]:
    """Return the causes for a change of configuration that was made immutable."""
    causes = []
    if before.get("type") != after.get("type"):
        causes.append(invalid_value("type", printed(after.get("type")), texts.IMMUTABLE))
    if before.get("immutable"):
        changed = [] if after.get("immutable") else ["immutable"]
        changed += [name for name in ("data", "binaryData") if before.get(name) != after.get(name)]
        causes += [Cause(name, _SET, "FieldValueForbidden") for name in changed]
    return causes


def config_map(body: Body) -> list[Cause]:
    """Return the causes for a ConfigMap."""
    twice = set(body.get("data") or {}) & set(body.get("binaryData") or {})
    text = "duplicate of key present in binaryData"
    return [invalid_value(f"data[{key}]", printed(key), text) for key in sorted(twice)]


def autoscaler(body: Body) -> list[Cause]:
    """Return the causes for a HorizontalPodAutoscaler."""
    spec = body.get("spec") or {}
    low, high = spec.get("minReplicas", 1), spec.get("maxReplicas", 0)
    causes = []
    if high < 1:
        causes.append(required("spec.maxReplicas", "must be set and greater than 0"))
    if high < low:
        text = "must be greater than or equal to `minReplicas`"
        causes.append(invalid_value("spec.maxReplicas", printed(high), text))
    target = spec.get("scaleTargetRef") or {}
    return causes + [
        required(f"spec.scaleTargetRef.{name}") for name in ("kind", "name") if not target.get(name)
    ]


def disruption_budget(body: Body) -> list[Cause]:
    """Return the causes for a PodDisruptionBudget."""
    spec = body.get("spec") or {}
    if spec.get("minAvailable") is None or spec.get("maxUnavailable") is None:
        return []
    return [invalid_value("spec", printed(spec), "minAvailable and maxUnavailable cannot be both set")]


def ingress(body: Body) -> list[Cause]:
    """Return the causes for an Ingress."""
    spec = body.get("spec") or {}
    if spec.get("rules") or spec.get("defaultBackend"):
        return []
    return [invalid_value("spec", "null", "either `defaultBackend` or `rules` must be specified")]


def http_route(body: Body) -> list[Cause]:
    """Return the causes for an HTTPRoute, as the CRD's schema has them."""
    causes = []
    for at, rule in enumerate((body.get("spec") or {}).get("rules") or []):
        for number, backend in enumerate(rule.get("backendRefs") or []):
            where = f"spec.rules[{at}].backendRefs[{number}]"
            if not backend.get("name"):
                causes.append(required(f"{where}.name"))
            weight = backend.get("weight")
            if not texts.is_count(weight) or weight < 0:
                causes.append(
                    invalid_value(f"{where}.weight", printed(weight), "should be greater than or equal to 0")
                )
    return causes
