"""The clusters of an installation by name: both identities of each, and its metrics."""

from collections.abc import Mapping

from holdpoint.clients.cluster import Cluster, Receipt, ref_of
from holdpoint.clients.kubernetes_api import ApiServer, TokenFile
from holdpoint.clients.metrics import Metrics, PrometheusMetrics
from holdpoint.models.errors import StepConfig
from holdpoint.models.settings import ClusterSettings

__all__ = ["Cluster", "Clusters", "Receipt", "ref_of"]


class Clusters:
    """Opens each connection on first use; `close` closes what was opened."""

    def __init__(self, settings: Mapping[str, ClusterSettings]) -> None:
        self._settings = settings
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

    def metrics(self, name: str) -> Metrics:
        """Return the metrics of what runs in this cluster."""
        if name not in self._metrics:
            self._metrics[name] = PrometheusMetrics(self._of(name).prometheus)
        return self._metrics[name]

    async def close(self) -> None:
        """Close every connection that was opened."""
        for server in self._servers.values():
            await server.close()
        for metrics in self._metrics.values():
            await metrics.close()
        self._servers.clear()
        self._metrics.clear()

    def _server(self, name: str, identity: str) -> ApiServer:
        settings = self._of(name)
        if (name, identity) not in self._servers:
            file = settings.forward_token_file if identity == "forward" else settings.undo_token_file
            self._servers[name, identity] = ApiServer(
                name, server=settings.server, token=TokenFile(file), ca_file=settings.ca_file
            )
        return self._servers[name, identity]

    def _of(self, name: str) -> ClusterSettings:
        if name not in self._settings:
            raise StepConfig(
                f"Unknown cluster: spec.target.cluster is {name!r}. "
                f"Add it to the settings or use one of: {', '.join(self.names()) or 'none'}."
            )
        return self._settings[name]
