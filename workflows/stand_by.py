"""Between its own success and that of all targets: a rollout of many keeps its target, clean only at the end.

What was verified may have to be undone, because another target fails. So nothing is given back until the
ticket says so, and whenever a wave bakes, everything that was touched is watched once more.
"""

from datetime import timedelta

from workflows.canary import watch_whole
from workflows.rollout_state import RolloutWork

LONGEST_LOOK = timedelta(days=1)
"""The ticket's word ends the wait; a timer of so long only shows that somebody still waits."""


async def stand_by(work: RolloutWork) -> None:
    """Return when the ticket lets the target go. Raises Fallen, Stopped, Overdue."""
    work.clerk.note("target.verified", steps=work.shown_steps())
    while True:
        await work.tell_ticket(stands=True)
        while work.told is None:
            await work.pass_time(
                LONGEST_LOOK, lambda: work.told is not None, "Stand by for the other targets"
            )
        told, work.told = work.told, None
        if told.bake is None:
            work.check()
            return
        await watch_whole(work, told.bake)
        work.clerk.note("target.baked", {"seconds": told.bake}, steps=work.shown_steps())
