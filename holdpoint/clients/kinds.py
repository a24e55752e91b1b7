"""The kinds of Kubernetes objects that a change may hold: the built-in ones, and what is never one.

The table saves asking the API server about its own kinds; any other kind is looked up in `discovery.py`. A
change must not reach beyond its namespace, so cluster-scoped kinds are refused.
"""

import re
from urllib.parse import quote

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


CLUSTER_SCOPED = frozenset(
    {
        "APIService",
        "CertificateSigningRequest",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "IngressClass",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "RuntimeClass",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
    }
)
"""Kubernetes' own cluster-scoped kinds that stand in manifests, to be refused before a cluster is asked."""

_BUILT_IN = re.compile(r"^(v\d|[a-z]+/v\d|[a-z.]+\.k8s\.io/v\d)")
_API_VERSION = re.compile(r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?v[0-9]+((alpha|beta)[0-9]+)?$")
_KIND = re.compile(r"^[A-Za-z][A-Za-z0-9]{0,62}$")


def refusal(api_version: str, kind: str) -> str | None:
    """Return why no change may hold such an object, or None where that hangs on the cluster."""
    if not _API_VERSION.match(api_version) or not _KIND.match(kind):
        return f"Not a kind of Kubernetes: apiVersion {api_version!r}, kind {kind!r}."
    if kind.endswith("List") and (api_version, kind.removesuffix("List")) in {*PLURALS, ("v1", "")}:
        return f"A list: {api_version} {kind} holds objects and is none. State its items as documents."
    if kind in CLUSTER_SCOPED and _BUILT_IN.match(api_version):
        return (
            f"Cluster-scoped kind: {api_version} {kind} belongs to no namespace, and a change must not reach "
            "beyond its own. Apply it by other means."
        )
    return None


def root_path(api_version: str) -> str:
    """Return the path under which a group version is served."""
    return f"/api/{quote(api_version)}" if "/" not in api_version else f"/apis/{quote(api_version)}"
