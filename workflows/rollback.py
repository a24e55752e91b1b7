"""RollingBack: undo from the snapshot, compare with it, and say what came of it. Nothing stops this.

It is never held by a freeze, it works while the ledger is down, and no cancel reaches it (see `shield.py`).
"""

from holdpoint.models.activity_calls import CompareCall, Compared, UndoCall
from holdpoint.models.contracts import COMPARE, EMERGENCY, UNDO
from holdpoint.models.http_step import OUTSIDE_KINDS
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import Reason, RollbackResult, RollbackView, StepStatus
from holdpoint.models.timed_steps import TIMED_KINDS
from workflows.failures import Broken, Overdue
from workflows.limits import FLUSH_BEFORE_UNDO, UNDO_BOUND, UNDO_ROUND_PAUSE, UNDO_ROUNDS, UNDO_TRIES
from workflows.record_keeping import wait
from workflows.rollout_state import RolloutWork


async def roll_back(work: RolloutWork, reason: Reason, *, failed: bool = True) -> tuple[Phase, Reason]:
    """Undo everything and compare; return the phase that this ends in, and why the ticket is there.

    `failed` says that the current step has not held.
    """
    work.undoing, work.live = True, None
    work.clerk.on_stir = None
    work.clerk.lift_all()
    if failed:
        work.mark_failed()
    await work.enter(Phase.ROLLING_BACK, reason)
    await work.clerk.flush(limit=FLUSH_BEFORE_UNDO)
    try:
        compared = await _until_restored(work)
    except (Broken, Overdue) as error:
        return Phase.ROLLBACK_FAILED, _failed(reason, str(error))
    if compared.result is RollbackResult.RESTORED:
        return Phase.ROLLED_BACK, _with_what_stays(reason, compared)
    return Phase.ROLLBACK_FAILED, _failed(reason, _told(compared))


async def _until_restored(work: RolloutWork) -> Compared:
    """Undo and compare, again while something of ours is left.

    What others have edited is theirs: no second try.
    """
    attempt = 1
    while True:
        await _undo(work)
        compared = await _compare(work, attempt)
        if compared.result is not RollbackResult.PARTIAL or attempt == UNDO_ROUNDS:
            return compared
        attempt += 1
        await wait(lambda: False, UNDO_ROUND_PAUSE, "Give controllers a moment, then undo what is left")


async def _undo(work: RolloutWork) -> None:
    """Undo, again while it is incomplete: the comparison needs the ledger, and nobody can wait for that."""
    pause = UNDO_ROUND_PAUSE
    for attempt in range(1, UNDO_TRIES + 1):
        undone = await work.clerk.insist(
            UNDO,
            work.call(UndoCall, snapshot=_snapshot(work), plan=work.start.plan, begun=_begun(work)),
            summary="Undo everything from the snapshot, in reverse order",
            bound=UNDO_BOUND,
            priority=EMERGENCY,
            stoppable=False,
        )
        work.clerk.carry(undone.deferred)
        work.clerk.note("rollback.undone", {"complete": undone.complete, "message": undone.message})
        if undone.complete or attempt == UNDO_TRIES:
            return
        await wait(lambda: False, pause, "Undo what could not be undone yet")
        pause *= 2


async def _compare(work: RolloutWork, attempt: int) -> Compared:
    compared = await work.clerk.insist(
        COMPARE,
        work.call(CompareCall, snapshot=_snapshot(work), plan=work.start.plan),
        summary="Compare the cluster with the snapshot",
        bound=UNDO_BOUND,
        priority=EMERGENCY,
        stoppable=False,
    )
    work.rollback = RollbackView(
        result=compared.result,
        differences=compared.differences,
        stays=compared.stays,
        attempts=attempt,
    )
    if compared.result is RollbackResult.RESTORED:
        _show_undone(work)
    view = work.rollback.model_dump(mode="json")
    work.clerk.note("rollback.compared", view, rollback=view, steps=work.shown_steps())
    return compared


def _show_undone(work: RolloutWork) -> None:
    for index, step in enumerate(work.steps):
        if step.status is StepStatus.PENDING or step.kind in TIMED_KINDS:
            continue
        if not work.start.plan[index].config.get("cannotBeUndone"):
            work.steps[index] = step.model_copy(update={"status": StepStatus.UNDONE, "weight": 0.0})


def _begun(work: RolloutWork) -> list[int] | None:
    """Return the steps that had begun, for an undo without the ledger; None where nobody here knows."""
    if work.start.mode == "undo" or not any(step.kind in OUTSIDE_KINDS for step in work.start.plan):
        return None
    return [index for index, step in enumerate(work.steps) if step.status is not StepStatus.PENDING]


def _snapshot(work: RolloutWork) -> str:
    if work.begun is None:
        raise Broken(Reason(code="error", message="There is no snapshot to return to."))
    return work.begun.snapshot


def _with_what_stays(reason: Reason, compared: Compared) -> Reason:
    if not compared.stays:
        return reason
    return reason.model_copy(update={"message": f"{reason.message} What stays: {'; '.join(compared.stays)}."})


def _told(compared: Compared) -> str:
    count = len(compared.differences)
    first = "; ".join(compared.differences[:3])
    counted = "1 difference" if count == 1 else f"{count} differences"
    return f"The comparison said `{compared.result.value}`, with {counted}: {first}."


def _failed(reason: Reason, what: str) -> Reason:
    message = f"A person is needed: {what} It was rolled back because: {reason.message}"
    return Reason(code="rollback_failed", message=message)
