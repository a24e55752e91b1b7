"""The chart, rendered by the real Helm and held against the real API server and against our own code."""

import json
import subprocess
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import typer
import yaml
from sqlalchemy import make_url

from holdpoint.cli.main import app
from holdpoint.embedded.server import clean_environment, python
from holdpoint.ledger import entries
from holdpoint.ledger.store import Ledger
from holdpoint.models.record import EntryDraft, Record
from holdpoint.models.settings import Settings
from holdpoint.service.process_end import AFTER_DRAIN
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
        "migratePassword": "holdpoint-owner",
        "payloadKeys": "holdpoint-payloads",
        "clusters": "holdpoint-clusters",
    },
    "migrate": {"ledgerUrl": "postgresql://holdpoint_owner@postgres.example/holdpoint"},
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


def objects_of(kind: str, objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in objects if one["kind"] == kind]


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


def read_settings(text: str, folder: Path) -> Settings:
    """Return settings as the code reads them."""
    file = folder / "settings.yaml"
    file.write_text(text)
    return load_settings(None, {}, file=file)


@pytest.mark.parametrize("values", [LEAST, MOST], ids=["least", "most"])
def test_its_commands_and_settings_are_those_of_the_code(values: dict[str, Any], tmp_path: Path) -> None:
    objects = rendered(values)
    config, _ = [one["data"]["settings.yaml"] for one in objects if one["kind"] == "ConfigMap"]
    settings = read_settings(config, tmp_path)

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


def test_a_process_is_killed_only_after_it_had_its_time_to_drain(tmp_path: Path) -> None:
    objects = rendered({**LEAST, "drainSeconds": 40})
    settings = read_settings(objects_of("ConfigMap", objects)[0]["data"]["settings.yaml"], tmp_path)
    pause = {}
    for one in objects_of("Deployment", objects):
        pod = one["spec"]["template"]["spec"]
        stop = pod["containers"][0].get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command")
        component = one["metadata"]["labels"]["app.kubernetes.io/component"]
        pause[component] = int(stop[1]) if stop else 0
        assert pod["terminationGracePeriodSeconds"] > pause[component] + settings.drain + AFTER_DRAIN

    assert settings.drain == 40
    assert pause == {"api": 5, "worker": 0}


def test_the_tables_are_migrated_before_anything_of_a_release_starts() -> None:
    hooks = [one for one in rendered(MOST) if "migrate" in one["metadata"]["name"]]
    config, job = sorted(hooks, key=lambda one: int(one["metadata"]["annotations"]["helm.sh/hook-weight"]))

    assert (config["kind"], job["kind"]) == ("ConfigMap", "Job")
    assert {one["metadata"]["annotations"]["helm.sh/hook"] for one in hooks} == {"pre-install,pre-upgrade"}
    pod = job["spec"]["template"]["spec"]
    # What is no hook is not there yet when a hook runs.
    needed = [volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume]
    assert needed == [config["metadata"]["name"]]
    assert "serviceAccountName" not in pod
    assert [v["secret"]["secretName"] for v in pod["volumes"] if "secret" in v] == ["holdpoint-owner"]


def test_helm_installs_a_release_whose_migration_has_ended_before_its_processes_are_there(
    admin: Admin, real_stack: dict[str, Any]
) -> None:
    namespace, cluster = admin.namespace(), real_stack["kubernetes"]
    where = ("--namespace", namespace, "--kubeconfig", cluster["kubeconfig"], "--timeout", "90s")
    try:
        done = helm("install", "shop", *where, values=LEAST)
        assert done.returncode == 0, done.stderr
    finally:
        admin.delete(f"/api/v1/namespaces/{namespace}")

    lines = [json.loads(line) for line in Path(cluster["audit_log"]).read_text().splitlines()]
    story = [
        (line["verb"], line["objectRef"]["name"])
        for line in lines
        if line["user"]["username"] == "admin" and line["responseStatus"]["code"] in (200, 201)
        if line["objectRef"].get("namespace") == namespace
        if line["objectRef"]["resource"] in ("jobs", "deployments")
    ]
    migrate, current = "shop-holdpoint-migrate", "shop-holdpoint-make-current"
    assert story[:2] == [("patch", migrate), ("delete", migrate)]
    assert story[-2:] == [("patch", current), ("delete", current)]
    assert sorted(name.split("-")[2] for _, name in story[2:-2]) == ["api", "worker"]


def test_one_role_for_everything_migrates_with_its_own_password_and_grants_nothing() -> None:
    secrets = {**LEAST["secrets"], "ledgerPassword": "holdpoint-ledger"}
    for migrate in ({}, {"ledgerUrl": LEAST["settings"]["ledger_url"]}):
        values = {**LEAST, "secrets": {**secrets, "migratePassword": "holdpoint-ledger"}, "migrate": migrate}
        [job] = [one for one in objects_of("Job", rendered(values)) if "migrate" in one["metadata"]["name"]]
        pod = job["spec"]["template"]["spec"]

        assert pod["containers"][0]["args"] == ["migrate", "--settings", "/etc/holdpoint/settings.yaml"]
        assert [v["secret"]["secretName"] for v in pod["volumes"] if "secret" in v] == ["holdpoint-ledger"]


def test_the_migration_is_left_out_where_it_is_done_by_hand() -> None:
    objects = rendered({**LEAST, "migrate": {"enabled": False}})

    assert not [one for one in objects if "migrate" in one["metadata"]["name"]]


@pytest.fixture
def application_role(database: str) -> Iterator[str]:
    """A role of the real PostgreSQL for API and workers, with the password of the owner."""
    name = f"app_{uuid.uuid4().hex[:8]}"
    password = make_url(database).password
    with psycopg.connect(make_url(database).set(drivername="postgresql").render_as_string(False)) as db:
        db.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'".encode())
        db.commit()
        yield name
        db.execute(f"DROP OWNED BY {name}; DROP ROLE {name}".encode())


def test_the_rendered_migration_does_it_on_a_real_database(
    database: str, application_role: str, tmp_path: Path
) -> None:
    password, file = tmp_path / "password", tmp_path / "settings.yaml"
    place = make_url(database)
    password.write_text(str(place.password))
    owner, application = (
        f"postgresql://{name}@{place.host}:{place.port}/{place.database}"
        for name in (place.username, application_role)
    )
    settings = {**MOST["settings"], "ledger_url": application}
    hooks = [
        one
        for one in rendered({**MOST, "settings": settings, "migrate": {"ledgerUrl": owner}})
        if "migrate" in one["metadata"]["name"]
    ]
    [config], [job] = objects_of("ConfigMap", hooks), objects_of("Job", hooks)
    inside = "/run/secrets/ledger/password"
    file.write_text(config["data"]["settings.yaml"].replace(inside, str(password)))
    arguments = job["spec"]["template"]["spec"]["containers"][0]["args"]

    done = subprocess.run(
        python("holdpoint.cli", *(str(file) if one.startswith("/etc/") else one for one in arguments)),
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    ledger = Ledger(application, password)
    assert ledger.migrate().before is not None
    draft = EntryDraft(key="e", kind="phase.entered", actor="x", at=datetime.now(UTC))
    ledger.write_now(entries.append, Record(ticket="chg-1", entries=[draft]))
    ledger.close()


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
        ({"migrate": {"ledgerUrl": "postgresql://u:secret@db/h"}}, "ledgerUrl"),
        ({"settings": {"drain": "5m"}}, "drain"),
    ],
    ids=[
        "password in a value",
        "no keys",
        "unknown value",
        "no digest",
        "owner's password in a value",
        "another drain than the pods have time for",
    ],
)
def test_values_that_cannot_be_right_are_refused_by_name(change: dict[str, Any], words: str) -> None:
    values = {name: {**LEAST.get(name, {}), **change.get(name, {})} for name in {*LEAST, *change}}

    done = helm("template", "shop", values=values)

    assert done.returncode != 0
    assert words in done.stderr


def test_lint_finds_nothing_wrong() -> None:
    done = helm("lint", "--strict", values=LEAST)

    assert done.returncode == 0, done.stdout
