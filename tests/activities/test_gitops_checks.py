"""Nothing is written past a GitOps controller; what a commit would change is read before it is approved."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from holdpoint.clients.kubernetes import Clusters
from holdpoint.models.activity_calls import Check, Evaluation
from holdpoint.models.change import Change
from holdpoint.models.plan_diff import ObjectDiff, PlanDiff
from tests.activities.ticket_world import TicketWorld
from tests.activities.world import BETTER, Sandbox, deployment
from tests.environments import FILE, OVERLAY, Environment

OWNED = {"argocd.argoproj.io/instance": "shop"}
SECRET = "apiVersion: v1\nkind: Secret\nstringData:\n  word: correct-horse\n"


@pytest.fixture
async def shop(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[TicketWorld]:
    made = TicketWorld(sandbox, tmp_path)
    made.commit(deployment(image=BETTER))
    yield made
    await made.close()


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path)


def submit(shop: TicketWorld, *steps: dict[str, Any], paths: bool = True) -> None:
    change = shop.a_change().model_dump(mode="json", exclude_none=True, by_alias=True)
    change["spec"]["plan"]["steps"] = list(steps)
    if not paths:
        del change["spec"]["source"]["paths"]
    shop.submit(change=Change.model_validate(change))


def a_step(environment: Environment, **config: Any) -> dict[str, Any]:
    values = [{"file": FILE, "path": "images[0].newTag", "value": "6.14.1"}]
    return {"gitCommit": {"repository": environment.url, "branch": "main", "set": values, **config}}


async def checks(shop: TicketWorld) -> dict[str, Check]:
    return {check.name: check for check in (await shop.precheck()).checks}


def objects(shop: TicketWorld, evaluation: Evaluation) -> list[ObjectDiff]:
    assert evaluation.plan_diff is not None
    assert evaluation.plan_diff.digest is not None
    return PlanDiff.model_validate_json(shop.blobs.get(evaluation.plan_diff.digest)).objects


# Past a controller


def owned(shop: TicketWorld) -> None:
    """Have the Deployment belong to an Application."""
    item = deployment()
    item["metadata"]["labels"] = OWNED
    shop.deploy(item)


@pytest.mark.parametrize(
    "step",
    [
        pytest.param({"apply": {}}, id="apply"),
        pytest.param({"config": {"roll": ["shop"]}}, id="config"),
        pytest.param({"canary": {"deployment": "shop", "weights": [25]}}, id="canary"),
    ],
)
async def test_object_that_a_controller_owns_is_not_written(shop: TicketWorld, step: dict[str, Any]) -> None:
    if "config" in step:
        shop.commit({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other"}})
    owned(shop)
    submit(shop, step)

    evaluation, check = await shop.evaluate(), (await checks(shop))["gitops_owner"]

    assert not check.passed
    assert check.message.startswith("Deployment shop belongs to Argo CD's Application shop,")
    assert "gitCommit step" in check.message
    assert {str(one): one.change for one in objects(shop, evaluation)}["Deployment shop"] == "refused"


async def test_settings_may_permit_to_write_past_a_controller(shop: TicketWorld, sandbox: Sandbox) -> None:
    await shop.clusters.close()
    permitting = sandbox.settings().model_copy(update={"gitops_writes": True})
    shop.clusters = Clusters({"sandbox": permitting})
    shop.activities = shop.again()
    owned(shop)
    submit(shop, {"apply": {}})

    evaluation, check = await shop.evaluate(), (await checks(shop))["gitops_owner"]

    assert check.passed
    assert "belongs to Argo CD's Application shop" in check.message
    assert [one.change for one in objects(shop, evaluation)] == ["change"]


# What a commit would change


async def test_lines_of_the_file_are_in_the_diff_that_is_approved(
    shop: TicketWorld, environment: Environment
) -> None:
    submit(shop, a_step(environment), paths=False)

    evaluation = await shop.evaluate()

    [found] = objects(shop, evaluation)
    assert (found.change, found.kind, found.name) == ("change", "File", FILE)
    assert found.message == f"On main of {environment.url}."
    assert [line for line in found.fields[0].lines if line[0] in "+-"] == [
        '-    newTag: "6.13.0"   # by Holdpoint',
        '+    newTag: "6.14.1"   # by Holdpoint',
    ]
    assert "commits to main of" in evaluation.plan[0].does


async def test_digest_moves_with_the_file_and_not_with_others(
    shop: TicketWorld, environment: Environment
) -> None:
    submit(shop, a_step(environment), paths=False)
    first = await shop.evaluate()

    environment.push("Web", **{"envs/prod/web.yaml": "tag: 2\n"})
    same = await shop.evaluate(before=first)
    environment.push("More", **{FILE: OVERLAY.replace("6.13.0", "6.13.1")})
    other = await shop.evaluate(before=first)

    assert same.digest == first.digest
    assert other.digest != first.digest
    assert other.moved == [f"File {FILE} (content)"]


async def test_file_with_a_secret_is_told_by_a_fingerprint(
    shop: TicketWorld, environment: Environment
) -> None:
    environment.push("Secret", **{"secret.yaml": SECRET})
    values = [{"file": "secret.yaml", "path": "stringData.word", "value": "battery-staple"}]
    submit(shop, a_step(environment, set=values), paths=False)

    evaluation = await shop.evaluate()

    [found] = objects(shop, evaluation)
    assert "correct-horse" not in found.model_dump_json()
    assert "battery-staple" not in found.model_dump_json()
    assert str(found.fields[0].was).startswith("[redacted] #")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        pytest.param({"branch": "absent"}, "has no branch 'absent'", id="branch"),
        pytest.param({"set": [{"file": "a.yaml", "path": "a", "value": 1}]}, "a.yaml is not on", id="file"),
        pytest.param({"set": [{"file": FILE, "path": "a", "value": 1}]}, "a is not there", id="value"),
        pytest.param(
            {"files": [{"from": "a.yaml", "to": "b.yaml"}]}, "a file of the repository", id="source"
        ),
    ],
)
async def test_commit_that_cannot_be_made_is_denied(
    shop: TicketWorld, environment: Environment, config: dict[str, Any], said: str
) -> None:
    submit(shop, a_step(environment, **config), paths=False)

    assert said in " ".join((await shop.evaluate()).decision.deny)


async def test_precheck_asks_the_repository_and_the_controller(
    shop: TicketWorld, environment: Environment
) -> None:
    submit(shop, a_step(environment), paths=False)

    check = (await checks(shop))["git_push"]

    assert check.passed, check
    assert environment.subjects() == ["The shop"]


async def test_cluster_without_the_controller_fails_the_precheck(
    shop: TicketWorld, environment: Environment
) -> None:
    wait = {"kustomization": {"namespace": "flux-system", "name": "shop"}}
    submit(shop, a_step(environment, wait=wait), paths=False)

    check = (await checks(shop))["git_push"]

    assert not check.passed
    assert "Flux's Kustomization flux-system/shop cannot be there" in check.message
