"""The chart, rendered by the real Helm and held against the real API server and against our own code."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from holdpoint.cli.main import app
from holdpoint.service.settings import load_settings
from tests.real.kubernetes_admin import APPLY, PLURALS, Admin
from tools.stack.parts import binary

pytestmark = pytest.mark.real
CHART = Path(__file__).parents[2] / "deploy" / "helm" / "holdpoint"
LEAST: dict[str, Any] = {
    "settings": {
        "ledger_url": "postgresql://holdpoint_app@postgres.example/holdpoint",
        "temporal_address": "temporal-frontend.temporal:7233",
        "opa_url": "http://opa.opa:8181",
        "clusters": {},
    },
    "secrets": {"keys": "holdpoint-keys", "opaToken": "holdpoint-opa"},
}
IN_CLUSTER = {
    "in_cluster": True,
    "undo_token_file": "/etc/holdpoint/clusters/undo.token",
    "prometheus": "http://prometheus.monitoring:9090",
}
MOST: dict[str, Any] = {
    "settings": {**LEAST["settings"], "clusters": {"home": IN_CLUSTER}, "policy_revision": "r7"},
    "secrets": {
        **LEAST["secrets"],
        "ledgerPassword": "holdpoint-ledger",
        "payloadKeys": "holdpoint-payloads",
        "clusters": "holdpoint-clusters",
    },
    "catalog": "holdpoint-catalog",
    "data": {"existingClaim": "holdpoint"},
    "serviceAccount": {"automountToken": True, "annotations": {"example.com/role": "holdpoint"}},
    "image": {"digest": "sha256:" + "a" * 64, "pullSecrets": [{"name": "registry"}]},
    "networkPolicy": {
        "enabled": True,
        "from": [{"namespaceSelector": {}}],
        "metricsFrom": [{"podSelector": {}}],
    },
}
MORE_PLURALS = {
    **PLURALS,
    "Job": "jobs",
    "PodDisruptionBudget": "poddisruptionbudgets",
    "NetworkPolicy": "networkpolicies",
}


def helm(*arguments: str, values: dict[str, Any]) -> "subprocess.CompletedProcess[str]":
    command = [str(binary("helm")), *arguments, str(CHART), "--values", "-"]
    return subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=False)


def rendered(values: dict[str, Any]) -> list[dict[str, Any]]:
    done = helm("template", "shop", "--namespace", "ops", values=values)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def pods(objects: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for one in objects:
        if one["kind"] in ("Deployment", "Job"):
            yield one["spec"]["template"]["spec"]


@pytest.mark.parametrize("values", [LEAST, MOST], ids=["least", "most"])
def test_the_api_server_takes_every_object_as_it_is(admin: Admin, values: dict[str, Any]) -> None:
    namespace = admin.namespace()
    try:
        for one in rendered(values):
            root = "/api/v1" if one["apiVersion"] == "v1" else f"/apis/{one['apiVersion']}"
            path = f"{root}/namespaces/{namespace}/{MORE_PLURALS[one['kind']]}/{one['metadata']['name']}"
            answer = admin.http.patch(
                path,
                json=one,
                params={"fieldManager": "helm", "dryRun": "All", "fieldValidation": "Strict"},
                headers={"Content-Type": APPLY},
            )
            assert answer.status_code == 201, (one["kind"], answer.text)
            assert "Warning" not in answer.headers, (one["kind"], answer.headers["Warning"])
    finally:
        admin.delete(f"/api/v1/namespaces/{namespace}")


@pytest.mark.parametrize("values", [LEAST, MOST], ids=["least", "most"])
def test_its_commands_and_settings_are_those_of_the_code(values: dict[str, Any], tmp_path: Path) -> None:
    objects = rendered(values)
    [config] = [one for one in objects if one["kind"] == "ConfigMap"]
    file = tmp_path / "settings.yaml"
    file.write_text(config["data"]["settings.yaml"])

    settings = load_settings(None, {}, file=file)

    mounted = {mount["mountPath"] for pod in pods(objects) for mount in pod["containers"][0]["volumeMounts"]}
    named = [settings.opa_token_file, settings.ledger_password_file]
    named += [cluster.undo_token_file for cluster in settings.clusters.values()]
    assert {str(path.parent) for path in named if path} <= mounted
    assert settings.payload_keys is None or str(settings.payload_keys) in mounted
    assert str(settings.data) in mounted
    for pod in pods(objects):
        name, *arguments = pod["containers"][0]["args"]
        command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]  # the app is a group
        assert command.make_context(name, arguments).args == []


def test_every_pod_runs_without_rights_on_a_root_that_cannot_be_written() -> None:
    for pod in pods(rendered(MOST)):
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_another_image_is_another_deployment_of_workers_and_leaves_the_old_one() -> None:
    def workers(image: dict[str, str]) -> dict[str, Any]:
        objects = rendered({**LEAST, "image": image})
        deployments = [one for one in objects if one["kind"] == "Deployment"]
        [one] = [one for one in deployments if "worker" in one["metadata"]["name"]]
        return one

    old, new = workers({"tag": "1.0.0"}), workers({"tag": "2.0.0"})

    assert old["metadata"]["name"] != new["metadata"]["name"]
    assert old["spec"]["selector"] != new["spec"]["selector"]
    assert old["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"settings": {"ledger_url": "postgresql://u:secret@db/h"}}, "ledger_url"),
        ({"secrets": {"keys": ""}}, "keys"),
        ({"api": {"replica": 3}}, "replica"),
        ({"image": {"digest": "sha256:short"}}, "digest"),
    ],
    ids=["password in a value", "no keys", "unknown value", "no digest"],
)
def test_values_that_cannot_be_right_are_refused_by_name(change: dict[str, Any], words: str) -> None:
    values = {name: {**LEAST.get(name, {}), **change.get(name, {})} for name in {*LEAST, *change}}

    done = helm("template", "shop", values=values)

    assert done.returncode != 0
    assert words in done.stderr


def test_lint_finds_nothing_wrong() -> None:
    done = helm("lint", "--strict", values=LEAST)

    assert done.returncode == 0, done.stdout
