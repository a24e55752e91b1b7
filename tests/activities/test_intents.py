"""Nothing is sent twice, nothing under a freeze, and an answer that was lost is found again in the world."""

import asyncio
import time
from typing import Any

import pytest

from activities import intents as room
from holdpoint.clients.fencing import Fencing
from holdpoint.ledger import intents
from holdpoint.ledger.doors import LedgerDoor
from holdpoint.models.record import Opened
from tests.activities.world import BETTER, GOOD, World, deployment, service, until


async def next_second() -> None:
    """Return in the next second: managed fields tell by seconds when somebody wrote, and nothing else."""
    await asyncio.sleep(1.05 - time.time() % 1)


async def test_crash_between_send_and_close_sends_nothing_twice(world: World) -> None:
    await world.submit("chg-1", deployment(replicas=1), service(), steps=[{"apply": {}}])
    await world.begin()
    await world.dies_after_sending()
    left = [intent.status for intent in world.intents()]
    world.activities = world.again()

    outcome = await world.finish_step()

    assert left == ["open"]
    assert outcome.status == "done"
    assert [(i.status, i.attempt) for i in world.intents()] == [("done", 1), ("done", 1)]
    assert sorted(line["auditID"] for line in world.writes()) == sorted(i.audit_id for i in world.intents())
    first = next(i for i in world.intents() if i.request.object.kind == "Deployment")
    assert first.result is not None
    assert first.result["landed"] == first.audit_id


async def test_freeze_holds_before_anything_is_sent(world: World) -> None:
    await world.deploy("chg-1", deployment(replicas=1))
    await world.submit("chg-2", deployment(replicas=1, image=BETTER))
    await world.begin()
    before = world.writes()
    freeze = world.freeze()

    held = await world.weight(0)
    world.lift(freeze)
    done = await world.weight(0)

    assert (held.status, held.mutated, [hold.ref for hold in held.holds]) == ("held", False, [freeze.id])
    assert done.status == "done"
    assert len(world.writes()) > len(before)


async def test_write_that_is_late_meets_the_fence_and_gets_409(world: World) -> None:
    await world.deploy("chg-1", deployment(replicas=1))
    await world.submit("chg-2", deployment(replicas=1, image=BETTER), steps=[{"apply": {}}])
    await world.begin()
    world.sandbox.slow(1, seconds=30)
    late = asyncio.create_task(world.finish_step())
    await until(lambda: world.open_forward())
    freeze = world.freeze()
    left = (await world.open_forward())[0]
    fencing = Fencing(LedgerDoor(world.ledger), world.clusters, cause=freeze.id)
    fenced = await fencing.close(left, patience=0)
    outcome = await late
    world.sandbox.slow(0, seconds=0)

    assert fenced.status == "fenced"
    assert outcome.status == "held"
    lines = [line for line in world.sandbox.audit() if line["auditID"] == left.audit_id]
    assert [line["responseStatus"]["code"] for line in lines] == [409]
    assert (await world.live())["spec"]["template"]["spec"]["containers"][0]["image"] != BETTER


async def test_version_that_moved_is_observed_again_and_sent_as_a_new_attempt(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.deploy("chg-1", service())
    await world.submit("chg-2", service(port=81), steps=[{"apply": {}}])
    await world.begin()
    opened = LedgerDoor.open
    moved: list[int] = []

    async def open_late(self: LedgerDoor, request: Any) -> Any:
        outcome = await opened(self, request)
        if not moved:
            moved.append(1)
            world.sandbox.edit(world.path(kind="Service"), {"metadata": {"labels": {"moved": "yes"}}})
        return outcome

    monkeypatch.setattr(LedgerDoor, "open", open_late)
    outcome = await world.finish_step()

    assert outcome.status == "done"
    assert [(i.status, i.attempt) for i in world.intents()] == [("done", 2)]
    assert (await world.live(kind="Service"))["spec"]["ports"][0]["port"] == 81


@pytest.mark.parametrize(
    ("below", "moved", "dry_runs"),
    [
        pytest.param(
            "/status", {"status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.9"}]}}}, 1, id="status"
        ),
        pytest.param("", {"metadata": {"labels": {"moved": "yes"}}}, 2, id="more than the status"),
    ],
)
async def test_what_a_write_comes_to_is_asked_again_unless_only_the_status_moved(
    world: World, monkeypatch: pytest.MonkeyPatch, below: str, moved: dict[str, Any], dry_runs: int
) -> None:
    await world.deploy("chg-1", service())
    await world.submit("chg-2", service(port=81), steps=[{"apply": {}}])
    await world.begin()
    opened, before = LedgerDoor.open, len(world.sandbox.audit())

    async def open_late(self: LedgerDoor, request: Any) -> Any:
        outcome = await opened(self, request)
        if isinstance(outcome, Opened):
            world.sandbox.edit(world.path(kind="Service") + below, moved)
        return outcome

    monkeypatch.setattr(LedgerDoor, "open", open_late)
    outcome = await world.finish_step()

    assert outcome.status == "done"
    assert [(i.status, i.attempt) for i in world.intents()] == [("done", 2)]
    asked = [line["requestURI"] for line in world.sandbox.audit()[before:]]
    assert len([uri for uri in asked if "dryRun=All" in uri]) == dry_runs


async def test_create_in_doubt_is_not_sent_again_before_its_deadline(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "BUDGET", 2.0)
    await world.submit("chg-1", service(), steps=[{"apply": {}}])
    await world.begin()
    world.sandbox.slow(1, seconds=1)
    writing = asyncio.create_task(world.finish_step())
    await until(lambda: world.open_forward())
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing

    outcome = await world.finish_step()

    assert outcome.status == "done"
    assert len({line["auditID"] for line in world.writes()}) == len(world.writes()) == 1


async def test_foreign_manager_is_named_and_its_field_is_left_alone(world: World) -> None:
    await world.deploy("chg-1", deployment(replicas=1))
    world.sandbox.edit(world.path(), {"spec": {"minReadySeconds": 3}}, manager="argocd-controller")
    changed = deployment(replicas=1, image=BETTER)
    changed["spec"]["minReadySeconds"] = 1
    await world.submit("chg-2", changed, steps=[{"apply": {}}])
    await world.begin()

    outcome = await world.finish_step()

    assert (outcome.status, outcome.mutated) == ("failed", False)
    assert outcome.reason is not None
    assert "argocd-controller owns .spec.minReadySeconds" in outcome.reason.message
    assert "deployments/shop" in outcome.reason.message
    assert (await world.live())["spec"]["minReadySeconds"] == 3


async def test_field_that_is_taken_between_look_and_write_is_not_overwritten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = deployment(replicas=1, image=BETTER)
    changed["spec"]["minReadySeconds"] = 1
    await world.deploy("chg-1", deployment(replicas=1))
    await world.submit("chg-2", changed, steps=[{"apply": {}}])
    await world.begin()
    opened = LedgerDoor.open

    async def open_late(self: LedgerDoor, request: Any) -> Any:
        outcome = await opened(self, request)
        world.sandbox.edit(world.path(), {"spec": {"minReadySeconds": 3}}, manager="somebody")
        return outcome

    monkeypatch.setattr(LedgerDoor, "open", open_late)
    outcome = await world.finish_step()

    assert outcome.status == "failed"
    assert outcome.reason is not None
    assert "somebody owns .spec.minReadySeconds" in outcome.reason.message
    assert (await world.live())["spec"]["minReadySeconds"] == 3
    assert [(i.status, i.attempt) for i in world.intents()] == [("refused", 1)]


async def test_write_that_the_server_would_not_take_is_sent_again_as_a_new_attempt(world: World) -> None:
    await world.submit("chg-1", service(), steps=[{"apply": {}}])
    await world.begin()
    busy = {"part": "kubernetes", "mode": "busy", "user": "holdpoint-forward", "for": 0.7}
    world.sandbox.steer("fail", **busy)

    outcome = await world.finish_step()

    assert outcome.status == "done"
    (intent,) = world.intents()
    tried = [line for line in world.sandbox.audit() if line["auditID"].startswith(intent.id)]
    assert [line["responseStatus"]["code"] for line in tried] == [429, 201]
    assert [line["auditID"] for line in tried] == [f"{intent.id}.1", f"{intent.id}.2"]
    assert (intent.status, intent.attempt) == ("done", 2)


async def test_object_says_which_ticket_brought_which_artifact(world: World) -> None:
    await world.submit("chg-1", deployment(replicas=1), service(), steps=[{"apply": {}}])
    await world.begin()
    await world.finish_step()

    shop, front = await world.live(), await world.live(kind="Service")

    notes = shop["metadata"]["annotations"]
    assert (notes["holdpoint.dev/ticket"], notes["holdpoint.dev/artifact"]) == ("chg-1", GOOD)
    assert front["metadata"]["annotations"]["holdpoint.dev/artifact"] == "git:chg-1"
    assert "holdpoint.dev" not in str(shop["spec"]["template"])


async def test_undo_brings_back_the_names_of_the_ticket_before(world: World) -> None:
    await world.deploy("chg-1", deployment(replicas=1))
    await world.submit("chg-2", deployment(replicas=1, image=BETTER), steps=[{"apply": {}}])
    await world.begin()
    await world.finish_step()

    await world.undo()

    notes = (await world.live())["metadata"]["annotations"]
    assert (notes["holdpoint.dev/ticket"], notes["holdpoint.dev/artifact"]) == ("chg-1", GOOD)


async def test_what_was_deployed_by_hand_can_be_taken_over(world: World) -> None:
    world.create(deployment(replicas=1), manager="kubectl-client-side-apply")
    await world.submit("chg-1", deployment(replicas=1, image=BETTER), steps=[{"apply": {}}])
    await world.begin()

    outcome = await world.finish_step()
    await world.undo()
    compared = await world.compare()

    assert outcome.status == "done", outcome
    assert compared.differences == []
    assert compared.result == "restored"


async def test_what_somebody_edits_by_hand_in_mid_rollout_is_not_taken_over(world: World) -> None:
    world.create(deployment(replicas=1), manager="kubectl-create")
    await world.submit("chg-1", deployment(replicas=1, image=BETTER), steps=[{"apply": {}}])
    await world.begin()
    image = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "shop:by-hand"}]}}}}
    await next_second()
    world.sandbox.edit(world.path(), image, manager="kubectl-create")

    outcome = await world.finish_step()

    assert outcome.status == "failed"
    assert outcome.reason is not None
    assert "kubectl-create" in outcome.reason.message


async def test_run_that_lost_its_target_stops_writing(world: World) -> None:
    await world.submit("chg-1", service(), steps=[{"apply": {}}])
    await world.begin()
    world.run = "a-run-that-never-began"

    outcome = await world.finish_step()

    assert outcome.status == "lost"
    assert world.writes() == []


async def test_what_a_stranger_undid_is_written_again_under_a_new_intent(world: World) -> None:
    await world.submit("chg-1", service(), steps=[{"apply": {}}])
    await world.begin()
    await world.finish_step()
    world.sandbox.ask("DELETE", world.path(kind="Service"))

    outcome = await world.finish_step()

    assert outcome.status == "done"
    assert [i.request.key for i in world.intents()] == [
        "0/finish/0/Service/shop",
        "0/finish/0/Service/shop#1",
    ]


async def test_intent_that_is_open_for_a_stage_that_is_done_is_closed(world: World) -> None:
    await world.submit("chg-1", service(), steps=[{"apply": {}}])
    await world.begin()
    await world.finish_step()
    done = world.intents()[0].request
    again = done.model_copy(update={"key": f"{done.key}#1"})
    world.ledger.write_now(intents.open_intent, again)

    await world.finish_step()

    assert [i.status for i in world.intents()] == ["done", "done"]
