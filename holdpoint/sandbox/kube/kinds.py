"""The kinds that the sandbox serves; any other is a 404, as with an API server that lacks it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One served resource: its group and version, its names, and what hangs below it."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    short: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        """Return `group/version`, or the version alone in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def custom(self) -> bool:
        """Tell whether it comes from a CustomResourceDefinition."""
        return self.group == "gateway.networking.k8s.io"

    @property
    def resource(self) -> str:
        """Return the resource as Kubernetes' messages name it: `deployments.apps`, `services`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


KINDS: tuple[Kind, ...] = (
    Kind("", "v1", "Namespace", "namespaces", namespaced=False, short=("ns",), subresources=("status",)),
    Kind("", "v1", "Service", "services", short=("svc",), subresources=("status",)),
    Kind("", "v1", "Pod", "pods", short=("po",), subresources=("status",)),
    Kind("", "v1", "ConfigMap", "configmaps", short=("cm",)),
    Kind("", "v1", "Secret", "secrets"),
    Kind("", "v1", "ServiceAccount", "serviceaccounts", short=("sa",)),
    Kind("", "v1", "ResourceQuota", "resourcequotas", short=("quota",), subresources=("status",)),
    Kind("apps", "v1", "Deployment", "deployments", short=("deploy",), subresources=("status", "scale")),
    Kind("apps", "v1", "ReplicaSet", "replicasets", short=("rs",), subresources=("status", "scale")),
    Kind("apps", "v1", "StatefulSet", "statefulsets", short=("sts",), subresources=("status", "scale")),
    Kind("apps", "v1", "ControllerRevision", "controllerrevisions"),
    Kind("batch", "v1", "Job", "jobs", subresources=("status",)),
    Kind(
        "autoscaling",
        "v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        short=("hpa",),
        subresources=("status",),
    ),
    Kind(
        "policy",
        "v1",
        "PodDisruptionBudget",
        "poddisruptionbudgets",
        short=("pdb",),
        subresources=("status",),
    ),
    Kind("networking.k8s.io", "v1", "Ingress", "ingresses", short=("ing",), subresources=("status",)),
    Kind(
        "admissionregistration.k8s.io",
        "v1",
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        namespaced=False,
    ),
    Kind("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes", subresources=("status",)),
)

BY_PATH: dict[tuple[str, str, str], Kind] = {(k.group, k.version, k.plural): k for k in KINDS}
BY_RESOURCE: dict[str, Kind] = {k.resource: k for k in KINDS}

NAMESPACES = BY_RESOURCE["namespaces"]
SERVICES = BY_RESOURCE["services"]
PODS = BY_RESOURCE["pods"]
DEPLOYMENTS = BY_RESOURCE["deployments.apps"]
HTTP_ROUTES = BY_RESOURCE["httproutes.gateway.networking.k8s.io"]
RESOURCE_QUOTAS = BY_RESOURCE["resourcequotas"]
WEBHOOKS = BY_RESOURCE["validatingwebhookconfigurations.admissionregistration.k8s.io"]
JOBS = BY_RESOURCE["jobs.batch"]
STATEFUL_SETS = BY_RESOURCE["statefulsets.apps"]
REVISIONS = BY_RESOURCE["controllerrevisions.apps"]
REPLICA_SETS = BY_RESOURCE["replicasets.apps"]
