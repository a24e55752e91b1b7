"""Reaching a real API server: kubeconfig, plugin, a token that expires and rotates, a CA of others."""

import base64
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from holdpoint.clients.kubernetes import Clusters
from holdpoint.models.errors import UpstreamRateLimited, UpstreamUnavailable
from holdpoint.models.record import ObjectRef
from holdpoint.models.settings import ClusterSettings
from tests.activities.world import deployment, service
from tests.real.kubernetes_admin import Admin
from tests.real.kubernetes_world import RealWorld

pytestmark = pytest.mark.real


def a_ref(namespace: str) -> ObjectRef:
    return ObjectRef(cluster="eu", api_version="apps/v1", kind="Deployment", namespace=namespace, name="shop")


def kubeconfig(admin: Admin, folder: Path, user: dict[str, Any]) -> ClusterSettings:
    """Return settings by a kubeconfig whose forward user is this one."""
    ca = base64.b64encode(admin.ca.read_bytes()).decode()
    cluster = {"server": admin.address, "certificate-authority-data": ca}
    users = {"forward": user, "undo": {"token": admin.token("holdpoint-undo")}}
    file = folder / "kubeconfig"
    document = {
        "clusters": [{"name": "eu", "cluster": cluster}],
        "contexts": [{"name": name, "context": {"cluster": "eu", "user": name}} for name in users],
        "users": [{"name": name, "user": one} for name, one in users.items()],
    }
    file.write_text(yaml.safe_dump(document))
    contexts = {"forward_context": "forward", "undo_context": "undo"}
    return ClusterSettings.model_validate(
        {"kubeconfig": file, "prometheus": "http://127.0.0.1:9", **contexts}
    )


@pytest.fixture
async def clusters(admin: Admin, namespace: str, tmp_path: Path) -> AsyncIterator[Clusters]:
    """Three clusters at once: a kubeconfig with a token, one with a plugin, and a server with token files."""
    (tmp_path / "files").mkdir()
    (tmp_path / "plugin").mkdir()
    version = "client.authentication.k8s.io/v1"
    status = {"token": admin.token("holdpoint-forward")}
    answer = json.dumps({"kind": "ExecCredential", "apiVersion": version, "status": status})
    plugin = {"exec": {"apiVersion": version, "command": "echo", "args": [answer]}}
    made = Clusters(
        {
            "by-token": kubeconfig(admin, tmp_path, {"token": admin.token("holdpoint-forward")}),
            "by-plugin": kubeconfig(admin, tmp_path / "plugin", plugin),
            "by-files": admin.settings(tmp_path / "files"),
        }
    )
    yield made
    await made.close()


@pytest.mark.parametrize("name", ["by-token", "by-plugin", "by-files"])
@pytest.mark.parametrize("identity", ["forward", "undo"])
async def test_each_way_reaches_the_server_as_each_identity(
    clusters: Clusters, namespace: str, name: str, identity: str
) -> None:
    cluster = clusters.forward(name) if identity == "forward" else clusters.undo(name)

    assert await cluster.read(a_ref(namespace)) is None


async def test_a_rollout_goes_on_when_an_expired_token_was_rotated(
    admin: Admin, namespace: str, tmp_path: Path
) -> None:
    world = RealWorld(admin, tmp_path, namespace)
    await world.submit("chg-1", deployment(), service(), steps=[{"apply": {}}])
    await world.begin()
    token = tmp_path / "forward.token"
    good = token.read_text()
    token.write_text("expired")

    with pytest.raises(UpstreamRateLimited, match="not accepted"):
        await world.clusters.forward("sandbox").read(world.ref())
    token.write_text(good)
    outcome = await world.finish_step()

    assert outcome.status == "done"
    await world.close()


@pytest.fixture
def other_ca(tmp_path: Path) -> Path:
    """A CA that did not sign the server's certificate."""
    file = tmp_path / "other.crt"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    more = ["-keyout", str(tmp_path / "k"), "-out", str(file), "-subj", "/CN=other", "-days", "1"]
    subprocess.run([*command, *more], check=True, capture_output=True)
    return file


async def test_a_server_whose_ca_is_another_is_not_sent_a_token(
    admin: Admin, namespace: str, tmp_path: Path, other_ca: Path
) -> None:
    clusters = Clusters({"eu": admin.settings(tmp_path, ca_file=other_ca)})

    with pytest.raises(UpstreamUnavailable, match=r"(?i)certificate.verify.failed"):
        await clusters.forward("eu").read(a_ref(namespace))
    await clusters.close()
