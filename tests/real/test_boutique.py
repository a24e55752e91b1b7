"""Whole changes of eleven Deployments and all that stands round them, and what refuses one in the middle."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.admission_webhook import Webhook, refusing_webhook
from tests.real import boutique
from tests.real.git_repository import make_repository
from tests.real.installation import Installation
from tests.real.kubernetes_admin import MERGE
from tests.real.outside import USERS
from tests.sandbox.process import wait_for

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

Json = dict[str, Any]
CANARIES = ("frontend", "cartservice", "checkoutservice")
FORWARD, _ = USERS


class Boutique:
    """The boutique in a namespace of its own."""

    def __init__(self, installation: Installation) -> None:
        self.at = installation
        self.namespace = installation.admin.namespace(f"boutique-{uuid.uuid4().hex[:6]}")
        installation.admin.install_rights(self.namespace)
        git = installation.stack["git"]
        self.repository = make_repository(git, self.namespace, boutique.releases())

    def submit(self, release: int, *canaries: str, bake: str = "2s") -> str:
        """Submit a release and return its ticket."""
        place = {"repository": self.repository, "namespace": self.namespace}
        return self.at.submit_text(boutique.change(release, **place, canaries=canaries, bake=bake))

    def brings(self, release: int, *canaries: str) -> Json:
        """Bring a release and return the closed ticket."""
        return self.at.ends(self.submit(release, *canaries))

    def behave(self, service: str, release: int, **behaviour: float) -> None:
        """Say how the pods of a service's release behave."""
        url = f"{self.at.stack['workload']['url']}/behave"
        body = {"image": boutique.image(service, release), **behaviour}
        assert httpx.post(url, json=body, trust_env=False, timeout=60).is_success

    def brings_into(self, refusal: Callable[[], AbstractContextManager[object]], release: int) -> Json:
        """Bring a release whose canary meets a refusal from its second weight on; return its ticket."""
        ticket = self.submit(release, "frontend", bake="5s")
        self.at.until(ticket, lambda view: bool(view["steps"] and view["steps"][0]["weight"]))
        self.at.command("pause", ticket, by="sre")
        with refusal():
            self.at.command("resume", ticket, by="sre")
            return self.at.ends(ticket)

    def deployments(self) -> dict[str, tuple[str, int]]:
        """Return image and wanted replicas of every Deployment, by name."""
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments"
        return {
            item["metadata"]["name"]: (
                item["spec"]["template"]["spec"]["containers"][0]["image"],
                item["spec"]["replicas"],
            )
            for item in self.at.admin.http.get(path).json()["items"]
        }

    def objects(self, plural: str) -> list[Json]:
        """Return the core objects of one kind."""
        path = f"/api/v1/namespaces/{self.namespace}/{plural}"
        found: list[Json] = self.at.admin.http.get(path).json()["items"]
        return found

    def banner(self) -> str:
        """Return what the ConfigMap says."""
        [settings] = [one for one in self.objects("configmaps") if one["metadata"]["name"] == "settings"]
        return str(settings["data"]["BANNER"])


def at_release(release: int) -> dict[str, tuple[str, int]]:
    """Return what the cluster has when all of it is at one release."""
    return {name: (boutique.image(name, release), boutique.SCALED.get(name, 1)) for name in boutique.SERVICES}


@pytest.fixture(scope="module")
def shop(installation: Installation) -> Iterator[Boutique]:
    """The boutique at its first release, brought by an `apply` step."""
    made = Boutique(installation)
    ended = made.brings(1)
    assert ended["phase"] == "Succeeded", ended
    yield made
    installation.admin.delete(f"/api/v1/namespaces/{made.namespace}")


def test_a_whole_demo_shop_is_applied_in_one_step(shop: Boutique) -> None:
    assert shop.deployments() == at_release(1)
    assert len(shop.objects("services")) == len(boutique.SERVICES) + 1


def test_a_release_of_it_goes_through_three_canaries(shop: Boutique) -> None:
    ended = shop.brings(2, *CANARIES)

    assert ended["phase"] == "Succeeded", ended["reason"]
    assert [step["status"] for step in ended["steps"]] == ["succeeded"] * 3
    assert {verdict["verdict"] for step in ended["steps"] for verdict in step["verdicts"]} == {"pass"}
    assert shop.deployments() == at_release(2)
    assert shop.banner() == "Welcome to v2"


def test_a_bad_second_canary_takes_back_the_first_one_and_everything_else(shop: Boutique) -> None:
    before = shop.deployments(), shop.banner()
    shop.behave("cartservice", 3, error_rate=0.3)

    ended = shop.brings(3, *CANARIES)

    assert (ended["phase"], ended["rollback"]["result"]) == ("RolledBack", "restored"), ended
    assert [step["status"] for step in ended["steps"]] == ["undone", "undone", "pending"]
    assert (shop.deployments(), shop.banner()) == before


def test_a_webhook_that_refuses_the_next_weight_rolls_back_with_its_words(
    shop: Boutique, tmp_path: Path
) -> None:
    before = shop.deployments(), shop.banner()

    ended = shop.brings_into(lambda: webhook(shop, tmp_path, users=(FORWARD,)), 5)

    assert (ended["phase"], ended["rollback"]["result"]) == ("RolledBack", "restored"), ended
    assert 'webhook "owner.holdpoint.dev" denied the request: not this week' in ended["reason"]["message"]
    assert (shop.deployments(), shop.banner()) == before


def test_a_webhook_that_refuses_the_undo_too_needs_a_person_and_the_rollback_is_tried_again(
    shop: Boutique, tmp_path: Path
) -> None:
    before = shop.deployments(), shop.banner()

    failed = shop.brings_into(lambda: webhook(shop, tmp_path, users=USERS), 6)
    shop.at.command("rollback", failed["id"], by="sre")
    view = wait_for(lambda: is_rolled_back(shop, failed["id"]), seconds=60)

    assert (failed["phase"], failed["rollback"]["result"]) == ("RollbackFailed", "partial"), failed
    assert "not this week" in failed["reason"]["message"]
    assert view["rollback"]["result"] == "restored"
    assert (shop.deployments(), shop.banner()) == before


def test_a_quota_that_refuses_the_next_weights_pods_rolls_back_with_its_words(shop: Boutique) -> None:
    before = shop.deployments(), shop.banner()

    ended = shop.brings_into(lambda: quota(shop, pods=str(len(shop.objects("pods")))), 4)

    assert (ended["phase"], ended["rollback"]["result"]) == ("RolledBack", "restored"), ended
    assert "exceeded quota: few, requested: pods=1" in ended["reason"]["message"]
    assert (shop.deployments(), shop.banner()) == before


def test_after_all_of_it_the_record_agrees_with_the_clusters_own_log(shop: Boutique) -> None:
    reconciled = shop.at.outside.reconciled()

    assert reconciled.findings == []
    assert reconciled.writes > 10 * len(boutique.SERVICES)
    assert not [target for target in shop.at.outside.dirty_targets() if shop.namespace in target]


def is_rolled_back(shop: Boutique, ticket: str) -> Json | None:
    view = shop.at.view(ticket)
    return view if view["phase"] == "RolledBack" else None


@contextmanager
def quota(shop: Boutique, **hard: str) -> Iterator[None]:
    """Bound what the namespace may hold; in force when this is entered.

    Pods that it refused come back minutes after it is lifted, for their controller pauses ever longer: no
    change may follow.
    """
    root = f"/api/v1/namespaces/{shop.namespace}/resourcequotas"
    hard = {**hard, "count/secrets": "0"}
    body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": hard}}
    assert shop.at.admin.http.post(root, json=body).status_code == 201
    probe = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "probe"}}
    secrets = f"/api/v1/namespaces/{shop.namespace}/secrets?dryRun=All"
    wait_for(lambda: shop.at.admin.http.post(secrets, json=probe).status_code == 403)
    yield
    shop.at.admin.delete(f"{root}/few")


@contextmanager
def webhook(shop: Boutique, folder: Path, *, users: tuple[str, ...]) -> Iterator[Webhook]:
    """Refuse what these users write to Deployments that are there; in force when this is entered."""
    admin, root = shop.at.admin.http, "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    with refusing_webhook(folder) as made:
        made.status = {"code": 403, "message": "not this week"}
        body = made.configuration(shop.namespace)
        [hook] = body["webhooks"]
        rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"]}
        hook["rules"] = [{**rule, "resources": ["deployments"]}]
        hook["objectSelector"] = {}
        named = ", ".join(f"'{user}'" for user in users)
        hook["matchConditions"] = [{"name": "users", "expression": f"request.userInfo.username in [{named}]"}]
        assert admin.post(root, json=body).status_code == 201
        wait_for(refused(shop))
        yield made
        shop.at.admin.delete(f"{root}/{shop.namespace}")


def refused(shop: Boutique) -> Callable[[], bool]:
    """Return what tells whether the forward identity may not write to the frontend."""
    path = f"/apis/apps/v1/namespaces/{shop.namespace}/deployments/frontend?dryRun=All"
    headers = {"Content-Type": MERGE, "Impersonate-User": FORWARD}
    body = {"metadata": {"annotations": {"probe": "probe"}}}
    return lambda: "not this week" in shop.at.admin.http.patch(path, json=body, headers=headers).text
