"""The checks of a rollout: the prechecks once more where they are old, and the postchecks.

A hold may lie between the prechecks and the first write for a day. What was true then is asked again before
anything is written: no write of a rollout stands on checks that are older than the policy allows.
"""

from datetime import timedelta

from temporalio import workflow

from holdpoint.models.activity_calls import PrecheckCall
from holdpoint.models.checks import When
from holdpoint.models.contracts import PRECHECK
from holdpoint.models.ticket import Reason
from workflows.checking import Checker, why
from workflows.failures import Fallen
from workflows.held import hold_on
from workflows.rollout_state import RolloutWork


async def look_again_if_old(work: RolloutWork) -> None:
    """Run the prechecks again if nothing was written since and they are too old. Raises Fallen on a "no"."""
    stood_on = work.prechecked
    if stood_on is None or work.touched:
        return
    began = workflow.now()
    if began - stood_on.at < timedelta(seconds=stood_on.again_after):
        return
    work.clerk.note("precheck.repeated", {"since": stood_on.at.isoformat()})
    call = PrecheckCall(
        ticket=work.start.ticket,
        target=work.start.target,
        plan=work.start.plan,
        checks=stood_on.demanded,
        named=[check.name for check in stood_on.checks],
    )
    report = await work.clerk.insist(
        PRECHECK,
        call,
        summary="Run the prechecks again: they are old",
        bound=work.hold_bound,
        idle=lambda pause: hold_on(work, pause, work.clerk.wakes),
    )
    if report.passed and stood_on.checks:
        asked = await _checker(work, "before").run(stood_on.checks)
        report = asked.model_copy(update={"checks": [*report.checks, *asked.checks]})
    work.clerk.note("precheck.finished", report.model_dump(mode="json"))
    if not report.passed:
        message = f"The prechecks ran again after a hold, and one failed. {why(report)}"
        raise Fallen(Reason(code="precheck_failed", message=message))
    work.prechecked = stood_on.model_copy(update={"at": began})


async def postcheck(work: RolloutWork) -> None:
    """Run the postchecks that are asked for. Raises Fallen on a "no": the change is rolled back."""
    if not work.start.postchecks:
        return
    report = await _checker(work, "after").run(work.start.postchecks)
    work.clerk.note("postcheck.finished", report.model_dump(mode="json"))
    if not report.passed:
        raise Fallen(Reason(code="postcheck_failed", message=why(report)))


def _checker(work: RolloutWork, when: When) -> Checker:
    async def pause(span: timedelta, summary: str) -> None:
        await work.pass_time(span, lambda: False, summary)

    return Checker(
        clerk=work.clerk,
        when=when,
        views=work.checks,
        bound=work.hold_bound,
        pause=pause,
        target=work.start.target,
    )
