"""Steps that only let time pass: held time does not count, what is left is shown, and nothing is undone."""

from datetime import datetime
from typing import Any

import pytest

from holdpoint.models import contracts
from holdpoint.models.activity_calls import BeginCall, Begun, Gate
from holdpoint.models.phases import Phase
from tests.workflows.builders import (
    a_control,
    a_digest,
    a_hold,
    a_verdict,
    a_wait,
    an_analysis,
    an_apply,
    an_evaluation,
)
from tests.workflows.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

CLOSE = pytest.approx(0, abs=20)
"""Seconds that a loaded machine may take between two things that a test does; the test's clock runs on."""


async def running(world: World, *plan: Any, **changes: Any) -> None:
    """Bring a ticket with this plan to where its first step runs."""
    world.answers["evaluate"] = an_evaluation(plan=list(plan), obligations={"pause_bound": 90000.0})
    await world.submit(**{"analysis": None, "verify": 1.0, **changes})
    await world.until(lambda: "step.started" in world.kinds)


def lasted(world: World) -> float:
    """Return for how many seconds the first step ran."""
    at = {kind: [e.at for e in world.entries.values() if e.kind == kind] for kind in set(world.kinds)}
    return (at["step.finished"][0] - at["step.started"][0]).total_seconds()


async def test_a_wait_lasts_as_long_as_it_says_and_nothing_is_applied(world: World) -> None:
    await running(world, a_wait(86400))

    assert await world.ends() is Phase.SUCCEEDED
    assert lasted(world) - 86400 == CLOSE
    assert contracts.APPLY_STEP.name not in world.names


async def test_what_a_wait_has_left_is_shown(world: World) -> None:
    await running(world, a_wait(600))

    [step] = world.view["steps"]
    began = next(e.at for e in world.entries.values() if e.kind == "step.started")

    assert step["status"] == "running"
    assert (datetime.fromisoformat(step["ends_at"]) - began).total_seconds() - 600 == CLOSE
    assert (step["left"], step["weight"]) == (None, None)
    assert await world.ends() is Phase.SUCCEEDED
    assert world.view["steps"][0] == {**step, "status": "succeeded", "ends_at": None}


async def test_paused_time_is_no_waiting(world: World) -> None:
    await running(world, a_wait(600))
    await world.pass_time(seconds=200)

    await world.tell(contracts.PAUSE, a_control("pause"))
    await world.is_held("paused")
    [step] = world.view["steps"]
    await world.pass_time(seconds=5000)
    await world.tell(contracts.RESUME, a_control("resume"))

    assert (step["status"], step["ends_at"]) == ("held", None)
    assert step["left"] - 400 == CLOSE
    assert await world.ends() is Phase.SUCCEEDED
    assert lasted(world) - 5600 == CLOSE


async def test_a_freeze_holds_a_wait_until_it_is_lifted(world: World) -> None:
    await running(world, a_wait(600))

    world.answers["gate"] = Gate(holds=[a_hold()])
    await world.wake()
    await world.is_held("frozen")
    await world.pass_time(seconds=5000)
    assert "step.finished" not in world.kinds
    world.answers["gate"] = Gate()
    await world.wake()

    assert await world.ends() is Phase.SUCCEEDED
    assert lasted(world) - 5600 == CLOSE


async def test_a_pause_that_outlasts_its_bound_ends_a_wait(world: World) -> None:
    await running(world, a_wait(600))
    await world.tell(contracts.PAUSE, a_control("pause"))

    assert await world.ends() is Phase.FAILED
    assert world.view["reason"]["code"] == "hold_expired"


async def test_abort_of_a_wait_with_nothing_written_ends_in_aborted(live: World) -> None:
    await running(live, a_wait(600))

    await live.tell(contracts.ABORT, a_control("abort"))

    assert await live.ends() is Phase.ABORTED
    assert contracts.UNDO.name not in live.names
    assert live.view["steps"][0]["status"] == "failed"


@pytest.mark.parametrize("how", ["abort", "rollback", "cancel"])
async def test_a_stop_in_a_wait_undoes_what_was_written_before(live: World, how: str) -> None:
    await running(live, an_apply(), a_wait(600, index=1))
    await live.until(lambda: live.kinds.count("step.started") == 2)

    if how == "cancel":
        await live.of_ticket.cancel()
    else:
        await live.tell(contracts.ABORT if how == "abort" else contracts.ROLLBACK, a_control(how))

    assert await live.ends() is Phase.ROLLED_BACK
    assert [step["status"] for step in live.view["steps"]] == ["undone", "failed"]


async def test_a_rollback_of_nothing_is_restored(live: World) -> None:
    await running(live, a_wait(0.2), verify=600.0)
    await live.enters(Phase.VERIFYING)

    await live.tell(contracts.ROLLBACK, a_control("rollback"))

    assert await live.ends() is Phase.ROLLED_BACK
    assert live.view["rollback"]["result"] == "restored"
    assert live.view["steps"][0]["status"] == "succeeded"


async def test_a_wait_is_recorded_soon_after_a_ledger_that_was_down_is_back(world: World) -> None:
    async def goes_down(call: BeginCall) -> Begun:
        world.ledger_is_down = True
        return Begun(snapshot=a_digest("5"), objects=0, absent=0)

    world.answers["evaluate"] = an_evaluation(plan=[a_wait(3 * 86400)])
    world.answers["begin_rollout"] = goes_down
    await world.submit(analysis=None, verify=1.0)
    await world.asked(contracts.BEGIN)
    await world.pass_time(seconds=60)
    assert "step.started" not in world.kinds

    world.ledger_is_down = False
    await world.pass_time(seconds=60)

    await world.until(lambda: "step.started" in world.kinds)
    assert await world.ends() is Phase.SUCCEEDED


async def test_an_analysis_judges_everything_that_stands_for_its_time(world: World) -> None:
    world.answers["evaluate"] = an_evaluation(plan=[an_analysis(60)])
    await world.submit(verify=1.0)

    assert await world.ends() is Phase.SUCCEEDED
    judged = world.calls_of(contracts.JUDGE)[0]
    assert (judged.step, judged.weight) == (None, 100.0)
    assert lasted(world) - 60 == CLOSE
    assert world.view["steps"][0]["verdicts"]
    assert contracts.APPLY_STEP.name not in world.names


async def test_an_analysis_that_fails_undoes_what_was_written_before(world: World) -> None:
    world.answers["evaluate"] = an_evaluation(plan=[an_apply(), an_analysis(60, index=1)])
    world.answers["judge"] = a_verdict("fail", "Too many errors.")
    await world.submit()

    assert await world.ends() is Phase.ROLLED_BACK
    assert world.view["reason"] == {"code": "analysis_failed", "message": "Too many errors."}


async def test_an_analysis_without_a_verdict_holds_and_is_never_a_pass(world: World) -> None:
    world.answers["evaluate"] = an_evaluation(plan=[an_analysis(10)], obligations={"hold_bound": 600.0})
    world.answers["judge"] = a_verdict("no_data")
    await world.submit()
    await world.asked(contracts.JUDGE)
    await world.pass_time(seconds=30)
    await world.is_held("no_data")

    assert await world.ends() is Phase.FAILED
    assert world.view["reason"]["code"] == "hold_expired"
