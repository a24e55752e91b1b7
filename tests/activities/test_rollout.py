"""A rollout goes to its end, can be repeated at any point, and says plainly when it cannot go on."""

from datetime import UTC, datetime

import pytest

from holdpoint.ledger import entries, promotions
from holdpoint.models.activity_calls import Promotion
from holdpoint.models.errors import Conflict
from holdpoint.models.record import EntryDraft
from tests.activities.world import BETTER, World, deployment, service

DIGEST = "sha256:" + "d" * 64
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


async def test_canary_lives_to_the_end(world: World) -> None:
    world.sandbox.steer("behave", image=BETTER, rps=5000)
    await world.deploy("chg-1", deployment(), service())
    await world.submit("chg-2", deployment(image=BETTER), service())
    begun = await world.begin()
    since = datetime.now(UTC)

    first = await world.weight(0)
    judgement = await world.judge(weight=first.reached or 0, window=15, since=since)
    second = await world.weight(1)
    done = await world.finish_step()
    last = await world.judge(weight=100, window=3, since=datetime.now(UTC), verifying=True)
    await world.finish(succeeded=True)

    assert (begun.objects, begun.absent, begun.created_whole) == (3, 1, False)
    assert (first.status, first.reached, first.mutated) == ("done", 25.0, True)
    assert judgement.verdict.verdict == "pass", judgement.verdict.message
    assert (second.reached, done.status, done.reached) == (50.0, "done", 100.0)
    assert last.verdict.verdict == "pass", last.verdict.message
    assert last.report is not None
    assert last.report.passed, last.report
    assert judgement.report is None
    live = await world.live()
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == BETTER
    assert live["spec"]["replicas"] == live["status"]["readyReplicas"] == 4
    assert await world.read("shop-canary") is None
    assert {intent.status for intent in world.intents()} == {"done"}


async def test_canary_of_two_weights_costs_six_writes_and_few_dry_runs(world: World) -> None:
    await world.deploy("chg-1", deployment())
    await world.submit("chg-2", deployment(image=BETTER))
    await world.begin()
    before = len(world.sandbox.audit())

    for stage in (world.weight(0), world.weight(1), world.finish_step()):
        assert (await stage).status == "done"
    await world.finish(succeeded=True)

    ours = [
        line
        for line in world.sandbox.audit()[before:]
        if line["user"]["username"].startswith("holdpoint") and line["verb"] in ("patch", "delete", "create")
    ]
    dry = [line for line in ours if "dryRun=All" in line["requestURI"]]
    assert [(line["verb"], line["objectRef"]["name"]) for line in ours if line not in dry] == [
        ("patch", "shop-canary"),
        ("patch", "shop"),
        ("patch", "shop-canary"),
        ("patch", "shop"),
        ("patch", "shop"),
        ("delete", "shop-canary"),
    ]
    assert len(dry) == 5


async def test_every_write_in_the_audit_log_is_one_intent(world: World) -> None:
    await world.submit("chg-1", deployment(replicas=1), service(), steps=[{"apply": {}}])
    await world.begin()
    await world.finish_step()
    await world.undo()

    sent = sorted(line["auditID"] for line in world.writes())
    assert sent == sorted(i.audit_id for d in ("forward", "undo") for i in world.intents(d))
    assert len(sent) == 4


async def test_deployment_that_is_absent_is_created_whole_and_undone_by_deletion(world: World) -> None:
    await world.submit("chg-1", deployment(replicas=2), service())
    begun = await world.begin()

    outcome = await world.weight(0)
    there = await world.live()
    await world.undo()
    compared = await world.compare()

    assert begun.created_whole
    assert [(w.asked, w.reached, w.canary, w.stable) for w in world.plan[0].weights] == [(25, 100.0, 2, 0)]
    assert (outcome.status, outcome.reached, there["status"]["readyReplicas"]) == ("done", 100.0, 2)
    assert compared.result == "restored"
    assert await world.read() is None
    assert await world.read(kind="Service") is None


async def test_beginning_again_keeps_the_first_snapshot(world: World) -> None:
    await world.deploy("chg-1", deployment(replicas=1))
    await world.submit("chg-2", deployment(replicas=1, image=BETTER))
    first = await world.begin()
    await world.weight(0)

    again = await world.begin()

    assert again.snapshot == first.snapshot


async def test_stage_that_is_done_sends_nothing_when_it_is_repeated(world: World) -> None:
    await world.deploy("chg-1", deployment(replicas=1))
    await world.submit("chg-2", deployment(replicas=1, image=BETTER))
    await world.begin()
    await world.weight(0)
    before = world.writes()

    again = await world.weight(0)

    assert again.status == "done"
    assert world.writes() == before


async def test_version_that_is_never_ready_fails_the_step_and_says_why(world: World) -> None:
    image = f"registry.example/{world.namespace}:broken"
    world.sandbox.steer("behave", image=image, never_ready=True)
    stuck = deployment(replicas=1, image=image)
    stuck["spec"]["progressDeadlineSeconds"] = 1
    await world.deploy("chg-1", deployment(replicas=1))
    await world.submit("chg-2", stuck)
    await world.begin()

    outcome = await world.weight(0)

    assert (outcome.status, outcome.mutated) == ("failed", True)
    assert outcome.reason is not None
    assert outcome.reason.code == "not_ready"
    assert "shop-canary" in outcome.reason.message


async def test_object_that_the_api_server_refuses_fails_the_step_untouched(world: World) -> None:
    broken = deployment(replicas=1)
    broken["spec"]["selector"] = {"matchLabels": {"app": "another"}}
    await world.submit("chg-1", broken, steps=[{"apply": {}}])
    await world.begin()

    outcome = await world.finish_step()

    assert (outcome.status, outcome.mutated) == ("failed", False)
    assert outcome.reason is not None
    assert "422" in outcome.reason.message


async def test_what_a_stranger_changed_after_the_apply_fails_the_postcheck(world: World) -> None:
    await world.submit("chg-1", deployment(replicas=1), service(), steps=[{"apply": {}}])
    await world.begin()
    await world.finish_step()
    assert (await world.postcheck()).passed

    container = {"name": "web", "image": "registry.example/shop:by-hand"}
    edited = {"spec": {"replicas": 3, "template": {"spec": {"containers": [container]}}}}
    world.sandbox.edit(world.path(), edited, manager="kubectl-edit")

    report = await world.postcheck()
    assert not report.passed
    assert "registry.example/shop:by-hand" in report.checks[0].message
    assert "replicas" not in report.checks[0].message  # how many there are may be an autoscaler's


async def test_an_object_that_a_stranger_deleted_after_the_apply_fails_the_postcheck(world: World) -> None:
    await world.submit("chg-1", deployment(replicas=1), service(), steps=[{"apply": {}}])
    await world.begin()
    await world.finish_step()
    world.sandbox.ask("DELETE", world.path(kind="Service"))

    report = await world.postcheck()

    assert [check.message for check in report.checks] == ["Service shop is missing"]


async def test_second_rollout_on_a_dirty_target_is_a_conflict(world: World) -> None:
    await world.submit("chg-1", deployment(replicas=1), steps=[{"apply": {}}])
    await world.begin()
    await world.finish_step()
    await world.finish(succeeded=False)
    world.run = "another-run"

    with pytest.raises(Conflict):
        await world.begin()


async def test_another_run_takes_a_dirty_target_over_to_undo_it(world: World) -> None:
    await world.submit("chg-1", deployment(replicas=1), steps=[{"apply": {}}])
    first = await world.begin()
    await world.finish_step()
    world.run = "the-undoing-run"

    begun = await world.begin(mode="undo")
    await world.undo()
    compared = await world.compare()

    assert begun.snapshot == first.snapshot
    assert compared.result == "restored"


async def test_rollout_that_wrote_nothing_gives_its_target_back_clean(world: World) -> None:
    await world.submit("chg-1", deployment(replicas=1), steps=[{"apply": {}}])
    await world.begin()
    await world.finish(succeeded=False)

    await world.deploy("chg-2", deployment(replicas=1))


async def test_gate_names_each_freeze_and_how_to_lift_it(world: World) -> None:
    await world.submit("chg-1", deployment(replicas=1))
    freeze = world.freeze()

    gate = await world.gate()

    assert [(hold.code, hold.ref, hold.lift) for hold in gate.holds] == [
        ("frozen", freeze.id, f"holdpoint freeze lift {freeze.id}")
    ]


async def test_gate_has_the_last_word_on_a_verdict_where_it_is_asked_for(world: World) -> None:
    await world.submit("chg-1", deployment(replicas=1))
    said = {"by": "sre", "reason": "r", "digest": DIGEST, "since": [NOON], "weight": 50}
    word = Promotion.model_validate({**said, "entry": promotions.key_of([NOON])})
    await world.ledger.write(
        promotions.give_word, world.ticket, word, over=["no_data"], roles=["sre"], at=NOON
    )

    assert (await world.gate()).promotion is None
    assert (await world.gate(promotion=True)).promotion == word


async def test_gate_takes_no_word_whose_author_is_another(world: World) -> None:
    await world.submit("chg-1", deployment(replicas=1))
    body = {"by": "sre", "reason": "r", "digest": DIGEST, "since": [NOON.isoformat()], "weight": None}
    draft = EntryDraft(key="forged", kind=promotions.GIVEN, actor="holdpoint", at=NOON, body=body)
    await world.ledger.write(entries.append_entry, draft, world.ticket)

    assert (await world.gate(promotion=True)).promotion is None
