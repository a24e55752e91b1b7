"""The clusters of an installation by name: both identities of each, and its metrics."""

from collections.abc import Mapping

from holdpoint.clients.access import Access, TokenAccess, TokenFile, trusted
from holdpoint.clients.cluster import Cluster
from holdpoint.clients.kubeconfig import KubeconfigAccess
from holdpoint.clients.kubernetes_api import ApiServer
from holdpoint.clients.metrics import Metrics, PrometheusMetrics
from holdpoint.models.errors import StepConfig
from holdpoint.models.metric_names import MetricNames
from holdpoint.models.settings import ClusterSettings

IDENTITIES = ("forward", "undo")


class Clusters:
    """Opens each connection on first use; `close` closes what was opened.

    Raises SettingsError, naming the field, for what cannot become a connection later either.
    """

    def __init__(self, settings: Mapping[str, ClusterSettings]) -> None:
        self._settings = settings
        self._trusted = {
            name: trusted(f"clusters.{name}.prometheus_ca_file", one.prometheus_ca_file)
            for name, one in settings.items()
        }
        self._access = {
            (name, identity): access_of(name, one, identity)
            for name, one in settings.items()
            for identity in IDENTITIES
        }
        self._servers: dict[tuple[str, str], ApiServer] = {}
        self._metrics: dict[str, PrometheusMetrics] = {}

    def names(self) -> list[str]:
        """Return the names of the clusters that are known."""
        return sorted(self._settings)

    def forward(self, name: str) -> Cluster:
        """Return the cluster under the identity that makes changes. Raises StepConfig for an unknown name."""
        return self._server(name, "forward")

    def undo(self, name: str) -> Cluster:
        """Return the cluster under the identity that undoes and fences."""
        return self._server(name, "undo")

    def denies_creates(self, name: str) -> bool:
        """Tell whether the cluster has the policy of deploy/kubernetes/admission/fence.yaml."""
        return self._of(name).admission_policy

    def metrics(self, name: str) -> Metrics:
        """Return the metrics of what runs in this cluster."""
        if name not in self._metrics:
            self._metrics[name] = self._metrics_of(name, self._of(name))
        return self._metrics[name]

    def scrape_interval(self, name: str) -> float:
        """Return how many seconds two scrapes of what runs in this cluster are apart."""
        return self._of(name).scrape_interval

    def metrics_lag(self, name: str) -> float:
        """Return how many seconds after it a scrape can be asked for."""
        return self._of(name).metrics_lag

    def metric_names(self, name: str) -> MetricNames:
        """Return how this cluster's Prometheus names what pods count."""
        return self._of(name).metrics

    def gitops_writes(self, name: str) -> bool:
        """Tell whether this cluster's objects are written to though a GitOps controller owns them."""
        return self._of(name).gitops_writes

    async def close(self) -> None:
        """Close every connection that was opened."""
        for server in self._servers.values():
            await server.close()
        for metrics in self._metrics.values():
            await metrics.close()
        self._servers.clear()
        self._metrics.clear()

    def _server(self, name: str, identity: str) -> ApiServer:
        self._of(name)
        if (name, identity) not in self._servers:
            self._servers[name, identity] = ApiServer(name, self._access[name, identity])
        return self._servers[name, identity]

    def _metrics_of(self, name: str, settings: ClusterSettings) -> PrometheusMetrics:
        file = settings.prometheus_token_file
        return PrometheusMetrics(
            settings.prometheus,
            tenant=settings.prometheus_tenant,
            token=None if file is None else TokenFile(file, whose=f"The Prometheus of {name}'s"),
            trusted=self._trusted[name],
        )

    def _of(self, name: str) -> ClusterSettings:
        if name not in self._settings:
            raise StepConfig(
                f"Unknown cluster: spec.target.cluster is {name!r}. "
                f"Add it to the settings or use one of: {', '.join(self.names()) or 'none'}."
            )
        return self._settings[name]


def check_clusters(settings: Mapping[str, ClusterSettings]) -> None:
    """Find what can never become a connection, before anything is waited for. Raises SettingsError."""
    Clusters(settings)


def access_of(name: str, settings: ClusterSettings, identity: str) -> Access:
    """Return the way to a cluster as `forward` or `undo`. Raises SettingsError, naming the field."""
    if settings.kubeconfig is None:
        token = TokenFile(settings.token_file(identity))
        return TokenAccess(name, server=settings.address, token=token, ca_file=settings.trusted_ca)
    if identity == "undo":
        file = settings.undo_kubeconfig or settings.kubeconfig
        return KubeconfigAccess(name, identity, file, settings.undo_context or "")
    return KubeconfigAccess(name, identity, settings.kubeconfig, settings.forward_context or "")
