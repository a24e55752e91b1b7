"""Archive a closed ticket's evidence as one signed file, and find out what an abandoned ticket has left."""

import asyncio
from pathlib import Path
from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowFailureError
from temporalio.service import RPCError, RPCStatusCode

from activities.beat import beating
from activities.history import cut_after, fetch_history
from holdpoint.ledger import archives, checkpoint, intents, targets, tickets
from holdpoint.ledger.canonical import canonical, digest_of
from holdpoint.ledger.export import build_evidence
from holdpoint.ledger.files import replace
from holdpoint.ledger.signing import Signer
from holdpoint.ledger.store import Ledger
from holdpoint.models import contracts
from holdpoint.models.activity_calls import Abandoned, ArchiveCall, Archived, InspectCall
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.phases import TRANSITIONS, Phase
from holdpoint.models.record import EntryDraft, Intent, TargetRow
from holdpoint.models.ticket import Reason, TicketView
from holdpoint.models.workflow_messages import RolloutResult, RolloutStart

ACTOR = "holdpoint"
BADNESS = {Phase.ROLLED_BACK: 1, Phase.ROLLBACK_FAILED: 2}
"""Of many targets the worst decides how an abandoned ticket ends."""


class ArchiveActivities:
    """What happens when a ticket is over, or when nobody looks after it any more."""

    def __init__(self, *, ledger: Ledger, signer: Signer, archive_folder: Path, temporal: Client) -> None:
        self._ledger, self._signer = ledger, signer
        self._archive, self._temporal = archive_folder, temporal

    @activity.defn(name=contracts.ARCHIVE.name)
    async def archive(self, call: ArchiveCall) -> Archived:
        """Keep the evidence: entries, redacted history and the statement that binds them.

        The embedded stack has it as `<archive>/<ticket>.json`, too.
        """
        async with beating():
            info = activity.info()
            executions = await fetch_history(self._temporal, call.ticket, call.workflow, call.run)
            history = canonical(cut_after(executions, call.run, info.activity_id))
            evidence = await self._ledger.read(
                build_evidence, call.ticket, signer=self._signer, history=history
            )
            draft = EntryDraft(
                key=f"archived/{call.run}",
                kind="ticket.archived",
                actor=ACTOR,
                at=info.started_time,
                body={"digest": digest_of(evidence), "size": len(evidence)},
            )
            kept = await self._ledger.write(archives.keep, call.ticket, evidence, draft)
            if not self._ledger.shared:
                await asyncio.to_thread(replace, self._archive / f"{call.ticket}.json", kept)
            # Whoever keeps a copy of the signed checkpoint can show later that the record was rewritten.
            await self._ledger.write(checkpoint.publish, self._signer)
            return Archived(digest=digest_of(kept))

    @activity.defn(name=contracts.INSPECT.name)
    async def inspect_abandoned(self, call: InspectCall) -> Abandoned:
        """Return the undos that are still to be made, and the phase that the ticket ends in if there is none.

        A target that the ticket holds and that nothing was written to is given back here. Asked of one
        target, the others are left alone: their rollouts run.
        """
        view = await self._ledger.read(tickets.get_ticket, call.ticket)
        held = await self._ledger.read(targets.held_targets)
        rows = [row for row in held if row.holder_ticket == call.ticket and call.target in (None, row.target)]
        dirty = [row for row in rows if row.dirty and row.in_hand_of is None]
        for row in rows:
            if not row.dirty and row.holder_run is not None:
                await self._ledger.write(
                    targets.release_target, target=row.target, run=row.holder_run, clean=True
                )
        phase, reason = await self._end_of(view, undoes=bool(dirty), target=call.target)
        return Abandoned(
            rollouts=[_undo(row, reason) for row in dirty],
            phase=phase,
            reason=reason,
            closed=view.phase.terminal,
        )

    async def _end_of(self, view: TicketView, *, undoes: bool, target: str | None) -> tuple[Phase, Reason]:
        """Return the phase in which a ticket ends that nobody looks after, and why."""
        if view.phase.terminal:
            return view.phase, view.reason or Reason(code="closed", message="The ticket is closed.")
        made = await self._ledger.read(intents.intents_of, view.id)
        made = [intent for intent in made if target in (None, intent.request.target)]
        if not made:
            message = "The ticket's workflow was lost before anything was changed."
            return _before_mutation(view), Reason(code="workflow_lost", message=message)
        if undoes:
            message = "The ticket's workflow was lost while its change was being made: it is undone."
            return Phase.ROLLED_BACK, Reason(code="workflow_lost", message=message)
        result = await self._worst_result(made)
        if result is not None:
            return result.phase, result.reason
        message = "The ticket's workflow was lost; its rollout had undone the change."
        return Phase.ROLLED_BACK, Reason(code="workflow_lost", message=message)

    async def _worst_result(self, made: list[Intent]) -> RolloutResult | None:
        """Return what the last rollout on each target came to, the worst; None if one cannot say so."""
        last = {one.request.target: one.request.run for one in sorted(made, key=lambda one: one.opened_seq)}
        results = [await self._rollout_result(target, run) for target, run in last.items()]
        found = [result for result in results if result is not None]
        if len(found) < len(results):
            return next((result for result in found if result.phase is Phase.ROLLBACK_FAILED), None)
        return max(found, key=lambda result: BADNESS.get(result.phase, 0))

    async def _rollout_result(self, target: str, run: str) -> RolloutResult | None:
        """Return what a rollout came to, if it could still say so."""
        handle = self._temporal.get_workflow_handle(
            contracts.rollout_workflow(target), run_id=run, result_type=RolloutResult
        )
        try:
            result: RolloutResult = await handle.result(follow_runs=False)
        except WorkflowFailureError:
            return None
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                return None
            raise UpstreamUnavailable(f"Temporal did not say how the rollout ended: {error}") from error
        return result


def _before_mutation(view: TicketView) -> Phase:
    """Return how a ticket ends that has changed nothing."""
    for phase in (Phase.ABORTED, Phase.ERRORED):
        if phase in TRANSITIONS[view.phase]:
            return phase
    return Phase.ROLLED_BACK


def _undo(row: TargetRow, reason: Reason) -> RolloutStart:
    rollout: dict[str, Any] = {**(row.rollout or {}), "record": None}
    return RolloutStart.model_validate({**rollout, "mode": "undo", "reason": reason.model_dump()})
