"""A commit reaches its branch once, whoever dies on the way, and a rollback takes back just that."""

from pathlib import Path
from typing import Any, cast

import pytest

from activities import gitops
from activities.commits import with_seen
from holdpoint.clients.cluster import Cluster
from holdpoint.clients.fencing import Fencing, StillInDoubt
from holdpoint.clients.git import Repositories
from holdpoint.clients.git_branches import GitBranches
from holdpoint.clients.kubernetes import Clusters
from holdpoint.ledger.doors import LedgerDoor
from holdpoint.models.errors import InvalidChange
from holdpoint.models.ticket import RollbackResult
from tests.activities.world import World, deployment
from tests.environments import FILE, OVERLAY, Controller, Environment

NEW = OVERLAY.replace('"6.13.0"', '"6.14.1"')
APPLICATION = {"application": {"namespace": "argocd", "name": "shop"}, "cluster": "management"}


class Managed(Clusters):
    """The clusters, and one more in which the controller is."""

    controller: Controller

    def forward(self, name: str) -> Cluster:
        return cast(Cluster, self.controller) if name == "management" else super().forward(name)

    def undo(self, name: str) -> Cluster:
        return cast(Cluster, self.controller) if name == "management" else super().undo(name)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path)


@pytest.fixture
def controller(environment: Environment) -> Controller:
    return Controller(environment)


@pytest.fixture(autouse=True)
async def _pushing(
    world: World, tmp_path: Path, controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gitops, "POLL", 0.02)
    monkeypatch.setattr(gitops, "FAILED_PATIENCE", 0.1)
    await world.clusters.close()
    clusters = Managed({"sandbox": world.sandbox.settings()})
    clusters.controller = controller
    world.clusters = clusters
    world.branches = Repositories(tmp_path / "git", allow_local=True).branches
    world.activities = world.again()


def a_step(environment: Environment, **config: Any) -> dict[str, Any]:
    values = [{"file": FILE, "path": "images[name=shop].newTag", "value": "6.14.1"}]
    given = {"repository": environment.url, "branch": "main", "timeout": "5s", **config}
    return {"gitCommit": given if "files" in given else {"set": values, **given}}


async def begin(world: World, *steps: dict[str, Any]) -> None:
    await world.submit("chg-1", deployment(), steps=list(steps))
    assert world.branches is not None
    world.plan = [await with_seen(world.branches, step) for step in world.plan]
    await world.begin()


async def test_commit_changes_one_value_and_names_its_ticket(world: World, environment: Environment) -> None:
    await begin(world, a_step(environment))

    outcome = await world.finish_step()

    assert outcome.status == "done", outcome
    assert environment.read() == NEW
    message = environment.message()
    assert message.startswith("Holdpoint <holdpoint@localhost.localdomain>\nshop (shop, staging)\n")
    assert "\nHoldpoint-Ticket: chg-1\nHoldpoint-Step: 0\nHoldpoint-Rollout: " in message
    [intent] = world.intents()
    assert (intent.request.verb, intent.status) == ("push", "done")
    assert intent.result is not None
    assert intent.result["resource_version"] == environment.head()
    assert f"Holdpoint-Intent: {intent.audit_id}" in message


async def test_worker_that_dies_after_the_push_pushes_once(world: World, environment: Environment) -> None:
    await begin(world, a_step(environment))

    await world.dies_after_sending()
    outcome = await world.finish_step()

    assert outcome.status == "done", outcome
    assert environment.subjects() == ["shop (shop, staging)", "The shop"]
    assert [intent.status for intent in world.intents()] == ["done"]


async def test_push_of_another_in_between_is_kept_and_ours_goes_on_top(
    world: World, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    await begin(world, a_step(environment))
    push, others = GitBranches.push, iter(range(2))

    async def late(self: GitBranches, *args: Any, **kwargs: Any) -> None:
        if (number := next(others, None)) is not None:
            environment.push(f"Web {number}", **{"envs/prod/web.yaml": f"tag: {number + 2}\n"})
        await push(self, *args, **kwargs)

    monkeypatch.setattr(GitBranches, "push", late)
    outcome = await world.finish_step()

    assert outcome.status == "done", outcome
    assert environment.subjects() == ["shop (shop, staging)", "Web 1", "Web 0", "The shop"]
    assert environment.read() == NEW
    assert [(intent.attempt, intent.status) for intent in world.intents()] == [(3, "done")]


async def test_change_of_the_same_file_by_another_is_a_conflict_that_names_them(
    world: World, environment: Environment
) -> None:
    await begin(world, a_step(environment))
    theirs = environment.push("More shops", **{FILE: OVERLAY.replace("count: 3", "count: 5")})

    outcome = await world.finish_step()

    assert outcome.reason is not None
    assert (outcome.status, outcome.reason.code, outcome.mutated) == ("failed", "commit_conflict", False)
    assert f"commit {theirs[:12]} of Ada <ada@shop.example> (More shops)" in outcome.reason.message
    assert environment.head() == theirs
    assert world.intents() == []


async def test_freeze_holds_the_push(world: World, environment: Environment) -> None:
    await begin(world, a_step(environment))
    freeze = world.freeze()

    held = await world.finish_step()
    world.lift(freeze)
    done = await world.finish_step()

    assert (held.status, held.mutated) == ("held", False)
    assert done.status == "done"
    assert environment.subjects() == ["shop (shop, staging)", "The shop"]


async def test_value_that_is_set_already_makes_no_commit(world: World, environment: Environment) -> None:
    head = environment.push("By hand", **{FILE: NEW})
    await begin(world, a_step(environment, wait=APPLICATION))

    outcome = await world.finish_step()

    assert outcome.status == "done", outcome
    assert environment.head() == head
    assert world.intents() == []


async def test_file_of_the_source_is_taken_over_whole(world: World, environment: Environment) -> None:
    files = [{"from": "deploy/new.yaml", "to": "envs/prod/new.yaml"}]
    await begin(world, a_step(environment, files=files))

    outcome = await world.finish_step()

    assert outcome.status == "done", outcome
    assert environment.read("envs/prod/new.yaml").encode() == world.files.states["chg-1"]
    assert (await world.undo()).complete
    assert environment.files() == [FILE, "envs/prod/web.yaml"]


async def test_two_steps_may_change_the_same_file_one_after_the_other(
    world: World, environment: Environment
) -> None:
    count = [{"file": FILE, "path": "replicas[0].count", "value": 4}]
    await begin(world, a_step(environment), a_step(environment, set=count))

    outcomes = [await world.finish_step(step) for step in (0, 1)]

    assert [outcome.status for outcome in outcomes] == ["done", "done"]
    assert environment.read() == NEW.replace("count: 3", "count: 4")
    assert (await world.undo()).complete
    assert environment.read() == OVERLAY
    assert (await world.compare()).result is RollbackResult.RESTORED


# The controller


async def test_later_commit_of_another_includes_ours(
    world: World, environment: Environment, controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    await begin(world, a_step(environment, wait=APPLICATION))
    push = GitBranches.push

    async def followed(self: GitBranches, *args: Any, **kwargs: Any) -> None:
        await push(self, *args, **kwargs)
        environment.push("Web", **{"envs/prod/web.yaml": "tag: 2\n"})

    monkeypatch.setattr(GitBranches, "push", followed)

    assert (await world.finish_step()).status == "done"


async def test_degraded_application_fails_the_step_with_its_words(
    world: World, environment: Environment, controller: Controller
) -> None:
    await begin(world, a_step(environment, wait=APPLICATION))
    controller.health = "Degraded"

    outcome = await world.finish_step()

    assert outcome.reason is not None
    assert (outcome.status, outcome.reason.code, outcome.mutated) == ("failed", "gitops_failed", True)
    assert (
        "Argo CD's Application argocd/shop is Degraded: the shop does not answer." in outcome.reason.message
    )


async def test_application_that_stays_behind_fails_the_step_at_its_timeout(
    world: World, environment: Environment, controller: Controller
) -> None:
    await begin(world, a_step(environment, wait=APPLICATION, timeout="200ms"))
    controller.follows, controller.status = False, {"sync": {"status": "Synced", "revision": "f" * 40}}

    outcome = await world.finish_step()

    assert outcome.reason is not None
    assert outcome.reason.code == "gitops_not_applied"
    assert "is Synced and Healthy, at ffffffffffff" in outcome.reason.message


# Undo


async def test_undo_reverts_the_commit_once_and_compares_restored(
    world: World, environment: Environment
) -> None:
    await begin(world, a_step(environment, wait=APPLICATION))
    await world.finish_step()
    forward = environment.head()

    undone, again, compared = await world.undo(), await world.undo(), await world.compare()

    assert undone.complete, undone
    assert again.complete, again
    assert environment.read() == OVERLAY
    assert len(environment.subjects()) == 3
    assert environment.subjects()[0] == 'Revert "shop (shop, staging)"'
    assert f"Holdpoint-Reverts: {forward}" in environment.message()
    assert compared.result is RollbackResult.RESTORED, compared


async def test_undo_without_a_push_pushes_nothing(world: World, environment: Environment) -> None:
    await begin(world, a_step(environment))

    assert (await world.undo()).complete
    assert environment.subjects() == ["The shop"]
    assert (await world.compare()).result is RollbackResult.RESTORED


async def test_undo_leaves_what_others_have_changed_beside_it(world: World, environment: Environment) -> None:
    await begin(world, a_step(environment))
    await world.finish_step()
    environment.push("More", **{FILE: NEW.replace("count: 3", "count: 5"), "envs/prod/web.yaml": "tag: 2\n"})

    undone, compared = await world.undo(), await world.compare()

    assert undone.complete, undone
    assert environment.read() == OVERLAY.replace("count: 3", "count: 5")
    assert environment.read("envs/prod/web.yaml") == "tag: 2\n"
    assert compared.result is RollbackResult.RESTORED, compared


async def test_undo_never_overwrites_the_same_lines_of_another(
    world: World, environment: Environment
) -> None:
    await begin(world, a_step(environment))
    await world.finish_step()
    theirs = environment.push("Newer", **{FILE: NEW.replace("6.14.1", "6.15.0")})

    undone, compared = await world.undo(), await world.compare()

    assert not undone.complete
    assert environment.head() == theirs
    assert compared.result is RollbackResult.DIVERGED
    assert FILE in compared.differences[0]
    assert f"commit {theirs[:12]} of Ada <ada@shop.example> (Newer)" in compared.differences[0]


async def test_undo_of_a_commit_that_somebody_has_reverted_already_is_restored(
    world: World, environment: Environment
) -> None:
    await begin(world, a_step(environment))
    await world.finish_step()
    theirs = environment.push("Back", **{FILE: OVERLAY})

    assert (await world.undo()).complete
    assert environment.head() == theirs
    assert (await world.compare()).result is RollbackResult.RESTORED


async def test_rollback_is_partial_while_the_controller_has_not_the_revert(
    world: World, environment: Environment, controller: Controller
) -> None:
    await begin(world, a_step(environment, wait=APPLICATION, timeout="300ms"))
    await world.finish_step()
    controller.follows = False

    undone, compared = await world.undo(), await world.compare()

    assert "is pushed, but: Argo CD's Application argocd/shop" in undone.message
    assert compared.result is RollbackResult.PARTIAL
    assert "is not applied yet" in compared.differences[0]


async def test_undo_pushes_and_defers_its_record_while_the_ledger_is_down(
    world: World, environment: Environment
) -> None:
    await begin(world, a_step(environment))
    await world.finish_step()

    async with world.without_ledger():
        undone = await world.undo()

    assert undone.complete, undone
    assert undone.deferred
    assert environment.read() == OVERLAY


async def test_postcheck_sees_that_somebody_changed_the_file(world: World, environment: Environment) -> None:
    await begin(world, a_step(environment))
    await world.finish_step()
    assert (await world.postcheck()).passed

    environment.push("Newer", **{FILE: NEW.replace("6.14.1", "6.15.0")})

    report = await world.postcheck()
    assert not report.passed
    assert "(Newer)" in report.checks[0].message


def test_repository_that_the_settings_do_not_list_is_not_pushed_to(tmp_path: Path) -> None:
    branches = Repositories(tmp_path / "git", allow_local=False, git_hosts=["git.example.com"]).branches

    with pytest.raises(InvalidChange, match="git_push"):
        branches.check("https://git.example.com/environments.git")


async def test_push_in_doubt_is_waited_out_and_asks_no_cluster(
    world: World, environment: Environment
) -> None:
    await begin(world, a_step(environment))
    await world.dies_after_sending()
    [left] = await world.open_forward()

    with pytest.raises(StillInDoubt, match="cannot be fenced"):
        await Fencing(LedgerDoor(world.ledger), Clusters({}), cause="frz-1").close(left, patience=0)
