"""Steps that write nothing touch nothing: their snapshot is empty, and an undo of it is restored."""

import pytest

from activities.steps.registry import kind_of
from holdpoint.ledger.tickets import change_of
from holdpoint.models.errors import StepConfig
from tests.activities.world import World, deployment

HAND = {"who": "sre", "what": "Fail over.", "runbook": "https://wiki/x", "timeout": "1h"}
STEPS = [{"name": "soak", "wait": {"for": "90s"}}, {"manual": HAND}, {"analysis": {"for": "5m"}}]


async def test_they_say_what_they_do_and_carry_what_the_workflow_needs(world: World) -> None:
    await world.submit("chg-1", deployment(), steps=STEPS)

    assert [(step.name, step.kind, step.does) for step in world.plan] == [
        ("soak", "wait", "waits 1m30s"),
        ("manual", "manual", "sre does by hand, within 1h: Fail over. (runbook: https://wiki/x)"),
        ("analysis", "analysis", "judges what stands for 5m"),
    ]
    assert [step.config for step in world.plan] == [{"for": "1m30s"}, HAND, {"for": "5m"}]
    assert all(step.weights == [] for step in world.plan)


async def test_a_rollout_of_them_alone_touches_nothing_and_is_restored(world: World) -> None:
    await world.deploy("chg-1", deployment(replicas=1))
    await world.submit("chg-2", deployment(replicas=2), steps=STEPS)
    before = world.writes()

    begun = await world.begin()
    looked = await world.postcheck()
    undone = await world.undo()
    compared = await world.compare()
    await world.finish(succeeded=False)

    assert (begun.objects, begun.absent) == (0, 0)
    assert looked.passed
    assert (undone.complete, compared.result, compared.differences) == (True, "restored", [])
    assert world.writes() == before
    assert (await world.live())["spec"]["replicas"] == 1


@pytest.mark.parametrize("step", range(3))
async def test_there_is_no_stage_to_bring_them_through(world: World, step: int) -> None:
    await world.submit("chg-1", deployment(), steps=STEPS)
    await world.begin()

    outcome = await world.finish_step(step)

    assert (outcome.status, outcome.mutated) == ("failed", False)
    assert outcome.reason is not None
    assert "writes nothing" in outcome.reason.message


async def test_a_step_of_another_kind_is_refused(world: World) -> None:
    await world.submit("chg-1", deployment(), steps=STEPS)
    change = world.ledger.read_now(change_of, "chg-1").change

    with pytest.raises(StepConfig, match="not of the kind wait"):
        await kind_of("wait").outline(
            1, change.spec.plan.steps[1], [], world.clusters.forward("sandbox"), "x"
        )
