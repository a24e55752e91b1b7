"""How a rollout passes the time in which something holds it."""

from datetime import timedelta

from temporalio import workflow

from workflows.limits import look_again
from workflows.rollout_state import RolloutWork


async def until_clear(work: RolloutWork) -> None:
    """Wait as long as anything but an outage holds the rollout; the ledger would refuse the writes anyway."""
    work.check()
    while work.clerk.holds.forbids_writing:
        await until_looked(work, None)


async def hold_on(work: RolloutWork, longest: timedelta, seen: int | None) -> None:
    """Pass held time, judging what stands at a weight; until woken after `seen`, and free to go on."""
    until, holds = workflow.now() + longest, work.clerk.holds

    def ready() -> bool:
        woken = seen is None or work.clerk.wakes > seen
        return woken and not holds.forbids_writing

    while not ready() and workflow.now() < until:
        left = until - workflow.now()
        if work.live is None:
            await work.pass_time(left, ready, "Held")
        else:
            await work.live.glance(left, ready)


async def until_looked(work: RolloutWork, seen: int | None) -> None:
    """Pass held time; when nobody has woken it for long, look as if somebody had."""
    until = workflow.now() + look_again()
    await hold_on(work, until - workflow.now(), seen)
    if workflow.now() >= until:
        work.clerk.wakes += 1
