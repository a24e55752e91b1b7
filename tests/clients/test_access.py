"""Credentials are read where they lie, again when they change, and stand in no error and no repr."""

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from holdpoint.clients import kubeconfig as kubeconfig_access
from holdpoint.clients.access import Access, Connection, TokenAccess, TokenFile
from holdpoint.clients.kubeconfig import KubeconfigAccess
from holdpoint.clients.kubernetes import Clusters
from holdpoint.models.errors import SettingsError, UpstreamUnavailable
from holdpoint.models.settings import ClusterSettings


def kubeconfig(folder: Path, *, user: dict[str, Any] | None = None, **cluster: Any) -> Path:
    """Write a kubeconfig with the contexts `eu` and `eu-undo`."""
    users = {"forward": user or {"token": "s3cret-forward"}, "undo": {"token": "s3cret-undo"}}
    contexts = {"eu": "forward", "eu-undo": "undo"}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "eu", "cluster": {"server": "https://127.0.0.1:6443", **cluster}}],
        "contexts": [
            {"name": name, "context": {"cluster": "eu", "user": who}} for name, who in contexts.items()
        ],
        "users": [{"name": name, "user": one} for name, one in users.items()],
    }
    file = folder / "kubeconfig"
    replace(file, yaml.safe_dump(document))
    return file


def replace(file: Path, text: str) -> None:
    """Change a file as Kubernetes changes a mounted one: by a rename."""
    fresh = file.with_name(f".{file.name}.new")
    fresh.write_text(text)
    fresh.rename(file)


def certificate(folder: Path) -> Path:
    file = folder / "ca.crt"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    more = ["-keyout", str(folder / "ca.key"), "-out", str(file), "-subj", "/CN=eu", "-days", "1"]
    subprocess.run([*command, *more], check=True, capture_output=True)
    return file


async def now(access: Access) -> Connection:
    return await access.now()


async def test_a_context_gives_its_server_and_its_token(tmp_path: Path) -> None:
    found = await now(KubeconfigAccess("eu-1", "undo", kubeconfig(tmp_path), "eu-undo"))

    assert (found.transport.host, found.authorization) == ("https://127.0.0.1:6443", "Bearer s3cret-undo")


async def test_a_kubeconfig_that_changes_is_read_again(tmp_path: Path) -> None:
    access = KubeconfigAccess("eu-1", "forward", kubeconfig(tmp_path), "eu")
    await now(access)
    kubeconfig(tmp_path, user={"token": "another"})

    assert (await now(access)).authorization == "Bearer another"


async def test_a_plugin_gives_the_token(tmp_path: Path) -> None:
    status = '{"kind": "ExecCredential", "apiVersion": "%s", "status": {"token": "from-plugin"}}'
    version = "client.authentication.k8s.io/v1"
    plugin = {
        "apiVersion": version,
        "command": "echo",
        "args": [status % version],
        "interactiveMode": "Never",
    }

    found = await now(KubeconfigAccess("eu-1", "forward", kubeconfig(tmp_path, user={"exec": plugin}), "eu"))

    assert found.authorization == "Bearer from-plugin"


async def test_a_plugin_that_hangs_is_an_outage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(kubeconfig_access, "load_kube_config", hangs)
    monkeypatch.setattr(kubeconfig_access, "LOAD_LIMIT", 0.05)

    with pytest.raises(UpstreamUnavailable, match="TimeoutError"):
        await now(KubeconfigAccess("eu-1", "forward", kubeconfig(tmp_path), "eu"))


async def test_a_user_without_credentials_is_an_outage_that_says_so(tmp_path: Path) -> None:
    access = KubeconfigAccess("eu-1", "forward", kubeconfig(tmp_path, user={"username": "x"}), "eu")

    with pytest.raises(UpstreamUnavailable, match="gives no credentials for cluster eu-1"):
        await now(access)


async def test_a_new_ca_file_makes_a_new_transport(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    ca = certificate(tmp_path)
    access = TokenAccess("eu-1", server="https://eu", token=TokenFile(tmp_path / "token"), ca_file=ca)
    before = (await now(access)).transport
    replace(ca, ca.read_text())

    assert (await now(access)).transport != before


@pytest.mark.parametrize("text", ["", "\n"], ids=["empty", "blank"])
async def test_an_empty_token_file_is_an_outage(tmp_path: Path, text: str) -> None:
    (tmp_path / "token").write_text(text)

    with pytest.raises(UpstreamUnavailable, match="token is empty"):
        TokenFile(tmp_path / "token").value()


async def test_no_credential_stands_in_a_repr(tmp_path: Path) -> None:
    access = KubeconfigAccess("eu-1", "forward", kubeconfig(tmp_path), "eu")

    assert "s3cret" not in repr(await now(access))
    assert "s3cret" not in repr(access)


def settings(**fields: Any) -> ClusterSettings:
    return ClusterSettings.model_validate({"prometheus": "http://127.0.0.1:9090", **fields})


def from_file(file: Path, **fields: str) -> ClusterSettings:
    contexts = {"forward_context": "eu", "undo_context": "eu-undo"}
    return settings(kubeconfig=file, **{**contexts, **fields})


def test_an_unknown_context_is_refused_at_startup_with_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"clusters.eu-1.undo_context: .*'eu-9'; it has: eu, eu-undo"):
        Clusters({"eu-1": from_file(kubeconfig(tmp_path), undo_context="eu-9")})


def test_a_server_that_nobody_checks_is_refused(tmp_path: Path) -> None:
    unchecked: dict[str, Any] = {"insecure-skip-tls-verify": True}
    file = kubeconfig(tmp_path, **unchecked)

    with pytest.raises(SettingsError, match="state certificate-authority"):
        Clusters({"eu-1": from_file(file)})


@pytest.mark.parametrize("text", ["a: [", "a: 1", "contexts: [s3cret]\nclusters: []"])
def test_a_broken_kubeconfig_is_named_and_not_quoted(tmp_path: Path, text: str) -> None:
    (tmp_path / "kubeconfig").write_text(text)

    with pytest.raises(SettingsError, match=r"clusters.eu-1.kubeconfig: .*not a readable") as raised:
        Clusters({"eu-1": from_file(tmp_path / "kubeconfig")})

    assert "s3cret" not in raised.value.message


def test_a_missing_ca_file_is_named(tmp_path: Path) -> None:
    tokens = {"forward_token_file": tmp_path / "f", "undo_token_file": tmp_path / "u"}

    with pytest.raises(SettingsError, match=r"clusters.eu-1.ca_file: there is no file"):
        Clusters({"eu-1": settings(server="https://eu", ca_file=tmp_path / "none", **tokens)})
