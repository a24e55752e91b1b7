"""Checks that plan, catalog and policy ask for: bounded attempts, each evidence; flaky ones are told."""

from itertools import pairwise
from typing import Any

import pytest

from holdpoint.models import contracts
from holdpoint.models.activity_calls import Check, CheckCall, CheckReport
from holdpoint.models.checks import CheckAttempt
from holdpoint.models.phases import Phase
from tests.workflows.builders import a_check, a_manual, a_try, an_apply, an_evaluation, down, in_the_ledger
from tests.workflows.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

NO = a_try("The value is 9.", passed=False)


def asked(world: World, **checks: Any) -> None:
    """Have the plan, and nothing else, ask for these checks of a change that takes a moment."""
    world.answers["evaluate"] = an_evaluation(plan=[an_apply()], **checks)


async def test_checks_that_pass_at_once_are_shown_with_what_they_found(world: World) -> None:
    asked(world, prechecks=[a_check("before")], postchecks=[a_check("after", by="policy")])

    await world.submit(analysis=None)

    assert await world.ends() is Phase.SUCCEEDED
    assert [(call.check.name, call.when) for call in world.calls_of(contracts.CHECK)] == [
        ("before", "before"),
        ("after", "after"),
    ]
    shown = [(c["name"], c["when"], c["by"], c["status"], c["attempts"]) for c in world.view["checks"]]
    assert shown == [("before", "before", "plan", "passed", 1), ("after", "after", "policy", "passed", 1)]


async def test_nothing_is_written_before_the_prechecks_have_passed(world: World) -> None:
    asked(world, prechecks=[a_check()])

    await world.submit(analysis=None)
    await world.ends()

    assert world.names.index(contracts.CHECK.name) < world.names.index(contracts.APPLY_STEP.name)


async def test_check_that_fails_and_then_passes_is_flaky_and_each_attempt_is_evidence(world: World) -> None:
    asked(world, prechecks=[a_check(attempts=3)])
    world.answers["check"] = [NO, NO, a_try()]

    await world.submit(analysis=None)

    assert await world.ends() is Phase.SUCCEEDED
    tried = [entry for entry in world.entries.values() if entry.kind == "check.attempted"]
    assert [(one.body["attempt"], one.body["passed"]) for one in tried] == [(1, False), (2, False), (3, True)]
    pauses = [(later.at - one.at).total_seconds() for one, later in pairwise(tried)]
    assert pauses[0] >= 2
    assert pauses[1] >= 4
    [flaky] = world.bodies("check.flaky")
    assert flaky["said"] == ["The value is 9.", "The value is 9.", "The value is 0."]
    assert world.view["checks"][0]["status"] == "flaky"
    [check] = world.bodies("precheck.finished")[0]["checks"]
    assert (check["passed"], check["attempts"], check["kind"]) == (True, 3, "query")


async def test_precheck_that_fails_as_often_as_it_may_fails_the_ticket_and_nothing_was_touched(
    world: World,
) -> None:
    asked(world, prechecks=[a_check(attempts=2), a_check("other")])
    world.answers["check"] = [NO, NO, a_try()]

    await world.submit(analysis=None)

    assert await world.ends() is Phase.FAILED
    assert world.view["reason"]["code"] == "precheck_failed"
    assert world.view["reason"]["message"] == "errors: The value is 9. (2 attempts)"
    assert [c["status"] for c in world.view["checks"]] == ["failed", "passed"]
    assert contracts.BEGIN.name not in world.names
    assert world.bodies("check.flaky") == []


async def test_postcheck_that_fails_rolls_back(world: World) -> None:
    asked(world, postchecks=[a_check(attempts=1)])
    world.answers["check"] = NO

    await world.submit(analysis=None)

    assert await world.ends() is Phase.ROLLED_BACK
    assert world.view["reason"]["code"] == "postcheck_failed"


async def test_postcheck_without_data_holds_good_code_until_there_is_some(world: World) -> None:
    asked(world, postchecks=[a_check(attempts=1)])
    nothing = down("errors: the query has no data; no_data")
    world.answers["check"] = [*[nothing] * 4, a_try()]  # as often as one round asks

    await world.submit(analysis=None)

    assert await world.ends() is Phase.SUCCEEDED
    assert [hold["code"] for hold in world.bodies("hold.placed")] == ["no_data"]


async def test_built_in_check_that_fails_is_enough(world: World) -> None:
    asked(world, prechecks=[a_check()])
    no = Check(name="dry_run", passed=False, message="The API server would refuse it.")
    world.answers["precheck"] = CheckReport(passed=False, checks=[no])

    await world.submit(analysis=None)

    assert await world.ends() is Phase.FAILED
    assert world.calls_of(contracts.CHECK) == []


def by_hand_first(world: World, **obligations: Any) -> None:
    """Have a change begin with something that a person does before anything is written."""
    plan = [a_manual(timeout=86400.0), an_apply(1)]
    world.answers["evaluate"] = an_evaluation(plan=plan, prechecks=[a_check()], obligations=obligations)


async def waits_by_hand(world: World, **span: float) -> None:
    await world.submit(analysis=None)
    await world.is_held("manual")
    await world.pass_time(**span)
    world.answers["gate"] = in_the_ledger()
    await world.wake()


async def test_prechecks_run_again_when_a_hold_has_made_them_old_before_the_first_write(world: World) -> None:
    by_hand_first(world)

    await waits_by_hand(world, minutes=31)

    assert await world.ends() is Phase.SUCCEEDED
    assert len(world.calls_of(contracts.PRECHECK)) == 2
    assert len(world.calls_of(contracts.CHECK)) == 2
    assert world.names.index(contracts.APPLY_STEP.name) > world.names.index(contracts.BEGIN.name)
    assert len(world.bodies("precheck.repeated")) == 1


async def test_prechecks_do_not_run_again_while_they_are_fresh_enough(world: World) -> None:
    by_hand_first(world, recheck_after=7200.0)

    await waits_by_hand(world, minutes=31)

    assert await world.ends() is Phase.SUCCEEDED
    assert len(world.calls_of(contracts.PRECHECK)) == 1


async def test_what_is_no_longer_so_after_the_hold_fails_the_ticket_before_anything_is_written(
    world: World,
) -> None:
    def good_at_first(call: CheckCall) -> CheckAttempt:
        return a_try() if len(world.calls_of(contracts.CHECK)) == 1 else NO

    by_hand_first(world)
    world.answers["check"] = good_at_first

    await waits_by_hand(world, minutes=31)

    assert await world.ends() is Phase.FAILED
    assert world.view["reason"]["code"] == "precheck_failed"
    assert contracts.APPLY_STEP.name not in world.names


async def test_prechecks_are_not_repeated_between_two_writes(world: World) -> None:
    plan = [an_apply(0), a_manual(timeout=86400.0, index=1), an_apply(2)]
    world.answers["evaluate"] = an_evaluation(plan=plan)

    await waits_by_hand(world, hours=2)

    assert await world.ends() is Phase.SUCCEEDED
    assert len(world.calls_of(contracts.PRECHECK)) == 1
