"""Tickets with many targets, for tests: their start, their plans, and what one target is to answer."""

from collections.abc import Callable
from typing import Any

from holdpoint.models.activity_calls import Evaluation
from holdpoint.models.plan import PlannedStep
from holdpoint.models.waves import OnFailure, WavePlan
from tests.workflows.builders import an_apply, an_evaluation
from tests.workflows.usual import usual
from tests.workflows.world import World


def target(world: World, cluster: str) -> str:
    """Return the key of a target that only this world has."""
    return f"{cluster}/default/{world.ticket}"


def plan_of(
    world: World, *waves: list[str], bake: float = 30.0, on_failure: OnFailure = "rollback"
) -> WavePlan:
    """Return the waves of these clusters."""
    keys = [[target(world, cluster) for cluster in wave] for wave in waves]
    return WavePlan(waves=keys, bake=bake, on_failure=on_failure)


def evaluated(plan: WavePlan, steps: list[PlannedStep] | None = None, **changes: Any) -> Evaluation:
    """Return an evaluation with the same plan for every target."""
    steps = steps or [an_apply()]
    found = an_evaluation(plan=steps, **changes)
    return found.model_copy(update={"plans": dict.fromkeys(plan.targets, steps)})


async def submit(
    world: World,
    plan: WavePlan,
    steps: list[PlannedStep] | None = None,
    *,
    verify: float = 5.0,
    **changes: Any,
) -> None:
    """Start a ticket of these waves; `changes` are of its evaluation."""
    world.answers["evaluate"] = evaluated(plan, steps, **changes)
    world.targets = {key: {} for key in plan.targets}
    await world.submit(target=plan.targets[0], waves=plan, verify=verify)


def only_on(key: str, answer: Any) -> Callable[[Any], Any]:
    """Return an answer for one target; the others go well."""

    def choose(call: Any) -> Any:
        from temporalio import activity

        if call.target != key:
            return usual(activity.info().activity_type, call)
        return answer(call) if callable(answer) else answer

    return choose


def order(world: World, name: str) -> list[str]:
    """Return the clusters in the order in which an activity was first asked for each."""
    return list(dict.fromkeys(call.target.partition("/")[0] for at, call in world.calls if at == name))
