"""A kind is found where the API server serves it, also one that was installed a moment ago."""

from typing import Any

import pytest

from holdpoint.clients.discovery import Resources
from holdpoint.models.errors import StepConfig
from holdpoint.models.record import ObjectRef

GROUP = "/apis/stable.example.com/v1"


class Server:
    """Discovery documents by path, and which were asked for."""

    def __init__(self) -> None:
        self.documents: dict[str, Any] = {}
        self.asked: list[str] = []

    def serve(
        self, kind: str, plural: str, *, namespaced: bool = True, verbs: Any = ("get", "patch")
    ) -> None:
        entry = {"name": plural, "kind": kind, "namespaced": namespaced, "verbs": verbs}
        status = {**entry, "name": f"{plural}/status"}
        self.documents[GROUP] = {"resources": [status, entry]}

    async def fetch(self, path: str) -> dict[str, Any] | None:
        self.asked.append(path)
        return self.documents.get(path)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def resources(server: Server) -> Resources:
    return Resources("eu-1", server.fetch)


async def test_a_built_in_kind_is_not_asked_for(server: Server, resources: Resources) -> None:
    ref = ObjectRef(cluster="eu-1", api_version="apps/v1", kind="Deployment", namespace="prod", name="shop")

    assert await resources.object(ref) == "/apis/apps/v1/namespaces/prod/deployments/shop"
    assert server.asked == []


async def test_a_custom_kind_is_asked_for_once(server: Server, resources: Resources) -> None:
    server.serve("CronTab", "crontabs")

    found = [await resources.collection("stable.example.com/v1", "CronTab", "prod") for _ in range(2)]

    assert found == [f"{GROUP}/namespaces/prod/crontabs"] * 2
    assert server.asked == [GROUP]


async def test_a_kind_that_was_installed_since_is_found(server: Server, resources: Resources) -> None:
    with pytest.raises(StepConfig, match=r"eu-1 serves no stable.example.com/v1 CronTab"):
        await resources.collection("stable.example.com/v1", "CronTab", "prod")
    server.serve("CronTab", "crontabs")

    assert await resources.collection("stable.example.com/v1", "CronTab", "prod")


async def test_a_cluster_scoped_custom_kind_is_refused(server: Server, resources: Resources) -> None:
    server.serve("Fleet", "fleets", namespaced=False)

    with pytest.raises(StepConfig, match=r"Cluster-scoped kind: stable.example.com/v1 Fleet"):
        await resources.collection("stable.example.com/v1", "Fleet", "prod")


async def test_a_kind_that_cannot_be_applied_is_refused(server: Server, resources: Resources) -> None:
    server.serve("Review", "reviews", verbs=["create"])

    with pytest.raises(StepConfig, match="cannot be applied"):
        await resources.collection("stable.example.com/v1", "Review", "prod")


@pytest.mark.parametrize(
    ("api_version", "kind", "said"),
    [
        ("v1", "Namespace", "Cluster-scoped"),
        ("rbac.authorization.k8s.io/v1", "ClusterRole", "Cluster-scoped"),
        ("v1", "List", "A list"),
        ("apps/v1", "DeploymentList", "A list"),
        ("../v1", "Pod", "Not a kind"),
        ("v1", "pods/../secrets", "Not a kind"),
    ],
)
async def test_what_is_never_a_changes_business_is_refused_without_asking(
    server: Server, resources: Resources, api_version: str, kind: str, said: str
) -> None:
    with pytest.raises(StepConfig, match=said):
        await resources.collection(api_version, kind, "prod")

    assert server.asked == []
