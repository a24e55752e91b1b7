"""What is not in the cluster as a manifest has it."""

from typing import Any

from activities.comparison import described, differences
from holdpoint.clients.cluster import Cluster, ref_of

REPLICAS = ("spec", "replicas")


async def drifted(cluster: Cluster, manifest: dict[str, Any], *, scale: bool = True) -> list[str]:
    """Return each field that differs, for people. Without `scale`, the number of replicas may be anyone's."""
    name = f"{manifest['kind']} {manifest['metadata']['name']}"
    live = await cluster.read(ref_of(cluster.name, manifest))
    if live is None:
        return [f"{name} is missing"]
    wanted = await cluster.dry_run(manifest, force=True)
    return [
        f"{name} {described(manifest['kind'], difference)}"
        for difference in differences(wanted, live)
        if scale or difference.path != REPLICAS
    ]
