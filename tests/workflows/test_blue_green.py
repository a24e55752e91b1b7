"""A blueGreen step: judged once it has all requests, and the old version is kept for a while after that."""

from datetime import datetime
from typing import Any

import pytest

from holdpoint.models import contracts
from holdpoint.models.activity_calls import JudgeCall, Judgement
from holdpoint.models.phases import Phase
from tests.workflows.builders import a_switch, a_verdict, an_evaluation
from tests.workflows.promotion import promoted
from tests.workflows.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")


def switching(world: World, **step: Any) -> None:
    """Have a ticket with one switch."""
    world.answers["evaluate"] = an_evaluation(plan=[a_switch(**step)])


def when(world: World, kind: str) -> datetime:
    """Return when an entry of this kind was made first."""
    return next(entry.at for entry in world.entries.values() if entry.kind == kind)


def kept(world: World) -> float:
    """Return for how many seconds the old version ran after the switch."""
    return (when(world, "step.finished") - when(world, "weight.reached")).total_seconds()


def stages(world: World) -> list[str]:
    return [call.stage for call in world.calls_of(contracts.APPLY_STEP)]


async def test_it_is_judged_after_the_switch_and_the_old_version_is_kept(world: World) -> None:
    switching(world)

    await world.submit()

    assert await world.ends() is Phase.SUCCEEDED
    assert stages(world) == ["weight", "finish"]
    assert kept(world) >= 300
    assert {call.weight for call in world.calls_of(contracts.JUDGE)} == {100.0}
    assert [step["status"] for step in world.view["steps"]] == ["succeeded"]


async def test_a_fail_while_the_old_version_is_kept_goes_back_to_it(world: World) -> None:
    switching(world)

    def later(call: JudgeCall) -> Judgement:
        return a_verdict("fail" if "old_version.kept" in world.kinds else "pass")

    world.answers["judge"] = later

    await world.submit()

    assert await world.ends() is Phase.ROLLED_BACK
    assert stages(world) == ["weight"]
    assert world.view["reason"]["code"] == "analysis_failed"


async def test_a_bake_that_is_longer_keeps_the_old_version_as_long(world: World) -> None:
    switching(world, bake=600.0, scale_down=60.0)

    await world.submit()

    assert await world.ends() is Phase.SUCCEEDED
    assert kept(world) >= 600
    assert "old_version.kept" not in world.kinds


async def test_what_is_created_whole_is_judged_and_keeps_nothing(world: World) -> None:
    switching(world, stable=0)

    await world.submit()

    assert await world.ends() is Phase.SUCCEEDED
    assert stages(world) == ["weight", "finish"]
    assert "old_version.kept" not in world.kinds


async def test_a_word_that_lets_it_pass_does_not_end_the_old_version_sooner(world: World) -> None:
    switching(world, bake=0.5)
    world.answers["judge"] = lambda call: a_verdict("no_data" if call.step else "pass")
    await world.submit()
    await world.is_held("no_data")

    await promoted(world)

    assert await world.ends() is Phase.SUCCEEDED
    assert kept(world) >= 300
