"""An apply brings what its paths name, waits until it is ready, and knows when to stop waiting."""

import pytest

from activities.manifests import Manifest
from activities.steps.apply import Apply
from holdpoint.models.errors import StepConfig
from holdpoint.models.plan import PlannedStep
from tests.activities.world import World, a_change, deployment, service


async def test_everything_is_applied_and_ready(world: World) -> None:
    await world.submit("chg-1", deployment(replicas=2), service(), steps=[{"apply": {"timeout": "30s"}}])
    await world.begin()

    outcome = await world.finish_step()

    assert world.plan[0].config == {"paths": [], "timeout": 30.0}
    assert (outcome.status, outcome.reached) == ("done", 100.0)
    assert (await world.live())["status"]["readyReplicas"] == 2
    assert (await world.live(kind="Service"))["metadata"]["annotations"]["holdpoint.dev/intent"]


def touched(*paths: str) -> list[str]:
    placed = {"metadata": {"name": "shop", "namespace": "prod"}}
    manifests = [Manifest("a.yaml", {**service(), **placed}), Manifest("b.yaml", {**deployment(), **placed})]
    step = PlannedStep(index=0, name="apply", kind="apply", config={"paths": list(paths), "timeout": 600.0})
    return [ref.kind for ref in Apply().touched(step, a_change("prod", [{"apply": {}}], {}), manifests, "eu")]


def test_only_the_named_paths_are_touched() -> None:
    assert touched() == ["Service", "Deployment"]
    assert touched("b.yaml") == ["Deployment"]


def test_path_that_the_change_does_not_have_is_refused() -> None:
    with pytest.raises(StepConfig, match="other"):
        touched("other.yaml")


async def test_waiting_ends_with_the_timeout_of_the_step(world: World) -> None:
    image = f"registry.example/{world.namespace}:broken"
    world.sandbox.steer("behave", image=image, never_ready=True)
    await world.submit("chg-1", deployment(replicas=1, image=image), steps=[{"apply": {"timeout": "1s"}}])
    await world.begin()

    outcome = await world.finish_step()

    assert outcome.status == "failed"
    assert outcome.reason is not None
    assert outcome.reason.code == "not_ready"
