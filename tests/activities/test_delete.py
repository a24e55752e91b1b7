"""A delete removes what it names and waits until it is gone; the undo makes that again, and nothing else."""

from typing import Any

import pytest

from activities.removal import check_kept, check_named, refs_of
from activities.sent import Sent
from activities.steps import delete
from activities.undo import Undo
from holdpoint.models.errors import StepConfig
from holdpoint.models.object_steps import DeleteConfig
from holdpoint.models.record import ObjectRef
from tests.activities.world import World, deployment, service

OLD = {"kind": "Deployment", "name": "old"}
BOTH = [OLD, {"kind": "Service", "name": "old"}]


async def with_old(world: World, **config: Any) -> None:
    """Have an old Deployment and its Service in the cluster, and a change that removes them."""
    await world.deploy("chg-1", deployment("old", replicas=2), service("old"), service())
    step = {"delete": {"objects": BOTH, "timeout": "10s", **config}}
    await world.submit("chg-2", service(), steps=[step])
    await world.begin()


async def test_what_it_names_is_gone_when_it_is_done(world: World) -> None:
    await with_old(world)

    outcome = await world.finish_step()

    assert (outcome.status, outcome.reached) == ("done", 100.0)
    assert (await world.read("old"), await world.read("old", "Service")) == (None, None)
    assert await world.read(kind="Service") is not None
    assert [(i.request.verb, i.request.object.kind, i.status) for i in world.intents()] == [
        ("delete", "Deployment", "done"),
        ("delete", "Service", "done"),
    ]


async def test_plan_says_what_becomes_of_each_object(world: World) -> None:
    await world.deploy("chg-1", deployment("old", replicas=1))

    await world.submit("chg-2", service(), steps=[{"delete": {"objects": BOTH}}])

    assert world.plan[0].warnings == [
        "Deployment old is deleted; an undo makes it again as it was.",
        "Service old does not exist, so there is nothing to delete.",
    ]


async def test_crash_between_send_and_close_deletes_nothing_twice(world: World) -> None:
    await with_old(world)
    before = len(world.writes())
    await world.dies_after_sending()
    world.activities = world.again()

    outcome = await world.finish_step()

    assert outcome.status == "done"
    assert len(world.writes()) == before + 2
    assert [(i.status, i.attempt) for i in world.intents()] == [("done", 1), ("done", 1)]


async def test_freeze_holds_it(world: World) -> None:
    await with_old(world)
    world.freeze()

    held = await world.finish_step()

    assert (held.status, held.mutated) == ("held", False)
    assert await world.read("old") is not None


async def test_undo_makes_everything_again_as_it_was(world: World) -> None:
    await with_old(world)
    before = await world.live("old"), await world.live("old", "Service")
    await world.finish_step()

    undone = await world.undo()
    compared = await world.compare()

    assert (undone.complete, undone.message) == (True, "")
    assert (compared.result, compared.differences) == ("restored", [])
    after = await world.live("old"), await world.live("old", "Service")
    assert [body["spec"] for body in after] == [body["spec"] for body in before]
    assert after[0]["status"]["readyReplicas"] == 2
    assert {i.request.verb for i in world.intents("undo")} == {"apply"}


async def test_undo_is_repeated_without_making_anything_twice(world: World) -> None:
    await with_old(world)
    await world.finish_step()
    await world.undo()

    assert await world.undone_again() == (True, [])


async def test_undo_makes_again_what_was_deleted_before_the_worker_died(world: World) -> None:
    await with_old(world)
    await world.dies_after_sending()

    await world.undo()

    assert (await world.compare()).result == "restored"


async def test_undo_works_while_the_ledger_is_down(world: World) -> None:
    await with_old(world)
    await world.finish_step()

    async with world.without_ledger():
        undone = await world.undo()

    assert undone.deferred
    assert await world.read("old") is not None


async def test_comparison_before_the_undo_is_partial(world: World) -> None:
    await with_old(world)
    await world.finish_step()

    compared = await world.compare()

    assert compared.result == "partial"
    assert "Deployment/old: (object): present -> (none)" in compared.differences


async def test_what_somebody_else_deleted_is_not_made_again(world: World) -> None:
    await with_old(world)
    world.sandbox.ask("DELETE", world.path("old", "Service"))

    await world.undo()
    compared = await world.compare()

    assert await world.read("old", "Service") is None
    assert (compared.result, compared.differences) == (
        "diverged",
        ["Service/old: (object): present -> (none)"],
    )


async def test_object_that_comes_back_is_not_as_applied(world: World) -> None:
    await with_old(world)
    await world.finish_step()
    before = await world.postcheck()
    world.create(service("old"), manager="stranger")

    after = await world.postcheck()

    assert (before.passed, after.passed) == (True, False)
    assert after.checks[0].message == "Service old is there again"


async def test_object_that_was_changed_since_the_rollout_began_is_not_deleted(world: World) -> None:
    await with_old(world)
    world.sandbox.edit(world.path("old"), {"metadata": {"labels": {"hand": "made"}}})

    outcome = await world.finish_step()

    assert outcome.status == "failed"
    assert outcome.reason is not None
    assert outcome.reason.code == "changed_meanwhile"
    assert "Deployment old was changed since the rollout began (metadata.labels" in outcome.reason.message
    assert await world.read("old") is not None


async def test_replicas_that_an_autoscaler_sets_meanwhile_do_not_keep_it(world: World) -> None:
    await with_old(world)
    world.sandbox.edit(world.path("old"), {"spec": {"replicas": 3}}, manager="kube-controller-manager")

    assert (await world.finish_step()).status == "done"


async def test_object_that_does_not_go_fails_the_step_and_names_what_keeps_it(world: World) -> None:
    await world.deploy("chg-1", service("old"), service())
    world.sandbox.edit(world.path("old", "Service"), {"metadata": {"finalizers": ["example.dev/hold"]}})
    await world.submit("chg-2", service(), steps=[{"delete": {"objects": BOTH[1:], "timeout": "1s"}}])
    await world.begin()

    outcome = await world.finish_step()

    assert outcome.reason is not None
    assert outcome.reason.code == "not_gone"
    assert "finalizers wait for something (example.dev/hold)" in outcome.reason.message


async def test_undo_waits_for_what_is_on_its_way_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.deploy("chg-1", service("old"), service())
    world.sandbox.edit(world.path("old", "Service"), {"metadata": {"finalizers": ["example.dev/hold"]}})
    await world.submit("chg-2", service(), steps=[{"delete": {"objects": BOTH[1:], "timeout": "1s"}}])
    await world.begin()
    await world.finish_step()

    async def gone(cluster: object, ref: ObjectRef, *, limit: float) -> None:
        world.sandbox.edit(world.path("old", "Service"), {"metadata": {"finalizers": None}})

    monkeypatch.setattr("activities.undo.wait_gone", gone)
    undone = await world.undo()

    assert undone.complete
    assert (await world.compare()).result == "restored"


class Refusing:
    """A writer that must not be asked."""

    async def settle(self, write: object) -> bool:
        raise AssertionError("it was written")


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "PersistentVolumeClaim", "metadata": {"name": "data"}},
        {"kind": "Job", "metadata": {"name": "migrate"}},
        {
            "kind": "StatefulSet",
            "metadata": {"name": "db"},
            "spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}},
        },
    ],
    ids=lambda body: str(body["kind"]),
)
async def test_undo_says_what_it_cannot_bring_back(body: dict[str, Any]) -> None:
    ref = ObjectRef(cluster="eu", api_version="v1", kind=body["kind"], namespace="prod", name="x")
    undo = Undo(cluster=None, writer=Refusing(), sent=Sent(removed={ref}))  # type: ignore[arg-type]  # neither is asked

    with pytest.raises(StepConfig, match="cannot be brought back"):
        await undo._again(ref, body)


def named(kind: str, version: str = "v1", name: str = "x") -> ObjectRef:
    return ObjectRef(cluster="eu", api_version=version, kind=kind, namespace="prod", name=name)


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        pytest.param(named("Namespace"), "Cluster-scoped kind", id="a namespace"),
        pytest.param(
            named("CustomResourceDefinition", "apiextensions.k8s.io/v1"),
            "Cluster-scoped kind",
            id="a definition",
        ),
        pytest.param(named("Role", "rbac.authorization.k8s.io/v1"), "Protected kind", id="access rights"),
        pytest.param(named("ResourceQuota"), "Protected kind", id="a quota"),
        pytest.param(named("PersistentVolumeClaim"), "its data went with it", id="data"),
        pytest.param(named("Job", "batch/v1"), "it would run again", id="a job"),
        pytest.param(named("Service", name="shop"), "Stated and deleted", id="an object of the change"),
    ],
)
def test_what_no_change_may_remove_is_refused_with_the_reason(ref: ObjectRef, said: str) -> None:
    with pytest.raises(StepConfig, match=said):
        check_named(ref, [service()], irreversible=False)


def test_what_cannot_be_undone_is_removed_where_the_change_says_so() -> None:
    check_named(named("PersistentVolumeClaim"), [], irreversible=True)

    with pytest.raises(StepConfig, match="Protected kind"):
        check_named(named("Role"), [], irreversible=True)


@pytest.mark.parametrize(
    ("meta", "said"),
    [
        pytest.param(
            {"ownerReferences": [{"kind": "Deployment", "name": "shop", "controller": True}]},
            "is made by Deployment shop",
            id="an owned object",
        ),
        pytest.param(
            {"annotations": {"argocd.argoproj.io/tracking-id": "a"}}, "Object of Argo CD", id="Argo CD's"
        ),
        pytest.param({"labels": {"kustomize.toolkit.fluxcd.io/name": "a"}}, "Object of Flux", id="Flux's"),
    ],
)
def test_what_somebody_would_make_again_is_refused(meta: dict[str, Any], said: str) -> None:
    with pytest.raises(StepConfig, match=said):
        check_kept({"kind": "ConfigMap", "metadata": {"name": "x", **meta}}, irreversible=True)


def test_version_of_a_built_in_kind_is_known_and_any_other_must_be_stated() -> None:
    config = {"objects": [{"kind": "HorizontalPodAutoscaler", "name": "a"}, {"kind": "Widget", "name": "b"}]}

    with pytest.raises(StepConfig, match="Widget is no built-in kind"):
        refs_of(DeleteConfig.model_validate(config), "eu", "prod")
    config["objects"].pop()
    assert refs_of(DeleteConfig.model_validate(config), "eu", "prod")[0].api_version == "autoscaling/v2"


async def test_object_named_twice_is_refused(world: World) -> None:
    with pytest.raises(StepConfig, match="named twice"):
        await world.submit("chg-1", service(), steps=[{"delete": {"objects": [OLD, OLD]}}])


def test_rights_can_remove_and_make_again_and_no_more() -> None:
    verbs = {(right.identity, right.resource): set(right.verbs) for right in delete.RIGHTS}

    assert verbs["forward", "deployments"] == {"get", "delete"}
    assert verbs["undo", "deployments"] == {"get", "create", "patch"}
    assert verbs["undo", "persistentvolumeclaims"] == {"get", "patch"}
