"""The kinds of Kubernetes objects that Holdpoint can apply, with their place in the API server's paths.

The table is explicit: a change must not reach beyond its namespace, so a cluster-scoped or unknown kind is
a mistake of the change and is found before anything is sent.
"""

from urllib.parse import quote

from holdpoint.models.errors import StepConfig
from holdpoint.models.record import ObjectRef

PLURALS: dict[tuple[str, str], str] = {
    ("v1", "ConfigMap"): "configmaps",
    ("v1", "Endpoints"): "endpoints",
    ("v1", "LimitRange"): "limitranges",
    ("v1", "PersistentVolumeClaim"): "persistentvolumeclaims",
    ("v1", "Pod"): "pods",
    ("v1", "ResourceQuota"): "resourcequotas",
    ("v1", "Secret"): "secrets",
    ("v1", "Service"): "services",
    ("v1", "ServiceAccount"): "serviceaccounts",
    ("apps/v1", "DaemonSet"): "daemonsets",
    ("apps/v1", "Deployment"): "deployments",
    ("apps/v1", "ReplicaSet"): "replicasets",
    ("apps/v1", "StatefulSet"): "statefulsets",
    ("autoscaling/v1", "HorizontalPodAutoscaler"): "horizontalpodautoscalers",
    ("autoscaling/v2", "HorizontalPodAutoscaler"): "horizontalpodautoscalers",
    ("batch/v1", "CronJob"): "cronjobs",
    ("batch/v1", "Job"): "jobs",
    ("networking.k8s.io/v1", "Ingress"): "ingresses",
    ("networking.k8s.io/v1", "NetworkPolicy"): "networkpolicies",
    ("policy/v1", "PodDisruptionBudget"): "poddisruptionbudgets",
    ("rbac.authorization.k8s.io/v1", "Role"): "roles",
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): "rolebindings",
}


def known(api_version: str, kind: str) -> bool:
    """Tell whether Holdpoint can apply objects of this kind."""
    return (api_version, kind) in PLURALS


def collection_path(api_version: str, kind: str, namespace: str) -> str:
    """Return the URL path of a namespace's objects of one kind. Raises StepConfig for an unknown kind."""
    plural = PLURALS.get((api_version, kind))
    if plural is None:
        raise StepConfig(
            f"Unknown kind: {api_version} {kind} is not a namespaced kind that Holdpoint can apply."
        )
    root = "/api/v1" if api_version == "v1" else f"/apis/{api_version}"
    return f"{root}/namespaces/{quote(namespace, safe='')}/{plural}"


def object_path(ref: ObjectRef) -> str:
    """Return the URL path of one object. Raises StepConfig for an unknown kind."""
    return f"{collection_path(ref.api_version, ref.kind, ref.namespace)}/{quote(ref.name, safe='')}"
