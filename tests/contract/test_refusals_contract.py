"""What an API server refuses for a quota or a webhook, on the sandbox and a real one; what we make of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from activities.readiness import readiness
from holdpoint.clients.cluster import Cluster
from holdpoint.models.errors import AccessDenied, UpstreamUnavailable
from tests.contract.admission_webhook import Webhook, refusing_webhook
from tests.contract.conftest import ApiServer
from tests.sandbox.process import a_deployment, a_service, wait_for

Body = dict[str, Any]
PROBE = "count/services"
CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


@pytest.fixture
def webhook(server: ApiServer, tmp_path: Path) -> Iterator[Webhook]:
    """A webhook that refuses the guarded ConfigMaps of the namespace."""
    with refusing_webhook(tmp_path) as made:
        made.status = {"code": 403, "reason": "Forbidden", "message": "no owner"}
        configure(server, made)
        yield made
        server.send("DELETE", f"{CONFIGURATIONS}/{server.namespace}")


def configure(server: ApiServer, webhook: Webhook, *, side_effects: str = "None") -> None:
    """Have the server ask the webhook, and wait until it does."""
    body = webhook.configuration(server.namespace, side_effects=side_effects)
    answer = server.send("PATCH", f"{CONFIGURATIONS}/{server.namespace}", body,
                         media="application/apply-patch+yaml", fieldManager="admin")  # fmt: skip
    assert answer.status_code in (200, 201), answer.text
    wait_for(lambda: dry_apply(server, guarded(server, name="probe")).status_code >= 400)
    webhook.asked.clear()


def guarded(server: ApiServer, name: str = "settings") -> Body:
    """Return a ConfigMap that the webhook is asked about."""
    metadata = {"name": name, "namespace": server.namespace, "labels": {"guarded": "yes"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "1"}}


def dry_apply(server: ApiServer, body: Body) -> Any:
    """Apply without storing anything."""
    return server.apply("configmaps", body, dryRun="All")


def quota(server: ApiServer, **hard: str) -> None:
    """Bound the objects in the namespace, and wait until the server does.

    Its admission learns of a quota later than a reader does; that no Service is let in tells that it has.
    """
    hard = {**hard, PROBE: "0"}
    metadata = {"name": "few", "namespace": server.namespace}
    body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": hard}}
    assert server.send("POST", server.path("resourcequotas"), body).status_code == 201
    probe = a_service("probe")
    probe["metadata"]["namespace"] = server.namespace
    wait_for(lambda: "exceeded quota: few" in server.apply("services", probe, dryRun="All").text)


@pytest.mark.parametrize("resource", ["secrets", "count/secrets"])
@pytest.mark.parametrize("way", ["create", "apply", "dry apply"])
def test_an_object_beyond_the_quota_is_403_with_the_count(server: ApiServer, resource: str, way: str) -> None:
    quota(server, **{resource: "1"})
    metadata = {"namespace": server.namespace}
    first, second = (
        {"apiVersion": "v1", "kind": "Secret", "metadata": {**metadata, "name": n}} for n in "ab"
    )
    assert server.send("POST", server.path("secrets"), first).status_code == 201

    if way == "create":
        answer = server.send("POST", server.path("secrets"), second)
    else:
        answer = server.apply("secrets", second, **({"dryRun": "All"} if way == "dry apply" else {}))

    assert (answer.status_code, answer.json()["reason"]) == (403, "Forbidden")
    assert answer.json()["message"] == (
        f'secrets "b" is forbidden: exceeded quota: few, requested: {resource}=1, used: {resource}=1, '
        f"limited: {resource}=1"
    )
    assert answer.json()["details"] == {"name": "b", "kind": "secrets"}


def test_an_object_that_is_there_changes_under_a_full_quota(server: ApiServer) -> None:
    quota(server, **{"count/secrets": "1"})
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": server.namespace}}
    assert server.apply("secrets", body).status_code == 201

    assert server.apply("secrets", {**body, "stringData": {"a": "1"}}).status_code == 200
    assert server.get("resourcequotas", "few")["status"]["hard"] == {"count/secrets": "1", PROBE: "0"}


def test_a_dry_run_uses_nothing_of_a_quota(server: ApiServer) -> None:
    quota(server, **{"count/secrets": "1"})
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": server.namespace}}

    assert server.apply("secrets", body, dryRun="All").status_code == 201
    assert server.apply("secrets", body).status_code == 201


async def test_a_quota_is_told_in_the_servers_own_words(server: ApiServer, client: Cluster) -> None:
    quota(server, **{"count/secrets": "0"})
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": server.namespace}}

    with pytest.raises(AccessDenied, match="exceeded quota: few, requested: count/secrets=1, used"):
        await client.dry_run(body)


def test_pods_beyond_the_quota_are_told_by_the_deployment(server: ApiServer) -> None:
    quota(server, pods="1")
    body = a_deployment(replicas=2)
    body["metadata"]["namespace"] = server.namespace
    assert server.apply("deployments", body).status_code == 201

    def stuck() -> Body | None:
        found = server.get("deployments", "web")
        # One pod is ready, so what the Deployment says of itself does not move any more.
        return found if found.get("status", {}).get("availableReplicas") == 1 else None

    found = wait_for(stuck)

    failure = next(c for c in found["status"]["conditions"] if c["type"] == "ReplicaFailure")
    assert (failure["status"], failure["reason"]) == ("True", "FailedCreate")
    assert failure["message"].startswith('pods "web-')
    assert failure["message"].endswith(
        "is forbidden: exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1"
    )
    seen = readiness(found)
    assert not seen.ready
    assert seen.message.endswith(
        f"1 of 2 replicas updated, 1 ready, 1 in all; FailedCreate: {failure['message']}"
    )


def test_pods_come_when_the_quota_lets_them(server: ApiServer) -> None:
    quota(server, pods="1")
    body = a_deployment(replicas=2)
    body["metadata"]["namespace"] = server.namespace
    server.apply("deployments", body)
    wait_for(lambda: len(server.get("deployments", "web").get("status", {}).get("conditions", [])) == 3)

    server.send("DELETE", server.path("resourcequotas", "few"))

    found = wait_for(lambda: ready(server), seconds=30)
    assert {c["type"] for c in found["status"]["conditions"]} == {"Available", "Progressing"}


def ready(server: ApiServer) -> Body | None:
    """Return the Deployment once it is complete."""
    found = server.get("deployments", "web")
    return found if readiness(found).ready else None


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        ({"code": 403, "reason": "Forbidden", "message": "no owner"}, 403, ": no owner"),
        ({"code": 409, "message": "no owner"}, 409, ": no owner"),
        ({"message": "no owner"}, 400, ": no owner"),
        ({"code": 200, "message": "no owner"}, 400, ": no owner"),
        ({"reason": "NoOwner"}, 400, ": NoOwner"),
        ({}, 400, " without explanation"),
    ],
)
def test_a_webhook_chooses_the_status_of_its_refusal(
    server: ApiServer, webhook: Webhook, status: Body, code: int, said: str
) -> None:
    webhook.status = status

    answer = server.apply("configmaps", guarded(server))

    assert answer.status_code == answer.json()["code"] == code
    assert answer.json().get("reason", "") == status.get("reason", "")
    assert answer.json()["message"] == f'admission webhook "owner.holdpoint.dev" denied the request{said}'
    assert server.http.get(server.path("configmaps", "settings")).status_code == 404


def test_a_webhook_is_shown_what_would_be_stored(server: ApiServer, webhook: Webhook) -> None:
    dry_apply(server, guarded(server))

    (asked,) = webhook.asked
    assert (asked["operation"], asked["dryRun"], asked["oldObject"]) == ("CREATE", True, None)
    assert asked["resource"] == {"group": "", "version": "v1", "resource": "configmaps"}
    assert asked["object"]["data"] == {"a": "1"}


def test_a_webhook_is_not_asked_about_what_it_did_not_select(server: ApiServer, webhook: Webhook) -> None:
    body = guarded(server)
    del body["metadata"]["labels"]

    assert server.apply("configmaps", body).status_code == 201
    assert webhook.asked == []


def test_a_webhook_whose_dry_runs_have_effects_is_not_taken(server: ApiServer, webhook: Webhook) -> None:
    body = webhook.configuration(server.namespace, side_effects="Some")

    answer = server.send("PATCH", f"{CONFIGURATIONS}/{server.namespace}", body,
                         media="application/apply-patch+yaml", fieldManager="admin")  # fmt: skip

    # So every dry run of ours asks the webhooks: a precheck knows what they refuse.
    assert (answer.status_code, answer.json()["reason"]) == (422, "Invalid")
    (cause,) = answer.json()["details"]["causes"]
    assert (cause["field"], cause["reason"]) == ("webhooks[0].sideEffects", "FieldValueNotSupported")


@pytest.mark.parametrize("code", [400, 403, 404, 409])
async def test_a_refusal_of_a_webhook_is_told_in_its_own_words(
    server: ApiServer, client: Cluster, webhook: Webhook, code: int
) -> None:
    webhook.status = {"code": code, "message": "no owner"}

    with pytest.raises(AccessDenied, match=r'webhook "owner\.holdpoint\.dev" denied the request: no owner'):
        await client.dry_run(guarded(server))


async def test_a_webhook_that_cannot_be_reached_is_an_outage(
    server: ApiServer, client: Cluster, webhook: Webhook
) -> None:
    webhook.stop()

    answer = server.apply("configmaps", guarded(server))

    said = 'failed calling webhook "owner.holdpoint.dev": failed to call webhook: Post "https://127.0.0.1:'
    assert (answer.status_code, answer.json()["reason"]) == (500, "InternalError")
    assert answer.json()["message"].startswith(f"Internal error occurred: {said}")
    assert answer.json()["details"]["causes"][0]["message"].startswith(said)
    with pytest.raises(UpstreamUnavailable, match="failed calling webhook"):
        await client.dry_run(guarded(server))
