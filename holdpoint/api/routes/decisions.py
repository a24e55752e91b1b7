"""A person's or a pipeline's word on a ticket: from approve and pause to promote, takeover and confirm."""

from typing import Any

from fastapi import APIRouter, Response

from holdpoint.api.bodies import ApproveBody, ConfirmBody, PromoteBody, ReasonBody, RejectBody, TakeoverBody
from holdpoint.api.dependencies import Caller, HasParts, Parts
from holdpoint.models.ticket import TicketView
from holdpoint.service import confirm, promote, takeover
from holdpoint.service.control import Verb, control
from holdpoint.service.decide import Word, decide
from holdpoint.service.linked import retry
from holdpoint.service.roles import Actor

router = APIRouter(prefix="/v1/changes/{ticket}", tags=["decisions"])

JOINED: dict[int | str, dict[str, Any]] = {
    200: {"model": TicketView, "description": "the open ticket that runs it again already"}
}


@router.post("/approve")
async def approve_change(ticket: str, body: ApproveBody, parts: HasParts, actor: Caller) -> TicketView:
    """Approve what the digest names; the ticket counts it before it runs anything."""
    return await _decide(ticket, Word("approve", body.digest, body.reason), actor, parts)


@router.post("/reject")
async def reject_change(ticket: str, body: RejectBody, parts: HasParts, actor: Caller) -> TicketView:
    """Refuse the approval; the ticket ends Rejected."""
    return await _decide(ticket, Word("reject", body.digest, body.reason), actor, parts)


@router.post("/pause")
async def pause_change(ticket: str, body: ReasonBody, parts: HasParts, actor: Caller) -> TicketView:
    """Hold the ticket where it is."""
    return await _control(ticket, "pause", body, actor, parts)


@router.post("/resume")
async def resume_change(ticket: str, body: ReasonBody, parts: HasParts, actor: Caller) -> TicketView:
    """Lift a pause."""
    return await _control(ticket, "resume", body, actor, parts)


@router.post("/abort")
async def abort_change(ticket: str, body: ReasonBody, parts: HasParts, actor: Caller) -> TicketView:
    """Stop the ticket; what was applied is rolled back."""
    return await _control(ticket, "abort", body, actor, parts)


@router.post("/rollback")
async def roll_back_change(ticket: str, body: ReasonBody, parts: HasParts, actor: Caller) -> TicketView:
    """Undo what was applied; after a failed rollback, try again.

    After success the answer is the ticket that brings back what stood before: one while that is open.
    """
    return await _control(ticket, "rollback", body, actor, parts)


@router.post("/retry", status_code=201, responses=JOINED)
async def retry_change(
    ticket: str, body: ReasonBody, parts: HasParts, actor: Caller, response: Response
) -> TicketView:
    """Run a finished ticket again, as a new one with the same document and commit; one while that is open."""
    done = await retry(ticket, body.reason, actor, ledger=parts.ledger, delivery=parts.delivery)
    response.status_code = 201 if done.created else 200
    response.headers["Location"] = f"/v1/changes/{done.view.id}"
    return done.view


@router.post("/promote")
async def promote_change(ticket: str, body: PromoteBody, parts: HasParts, actor: Caller) -> TicketView:
    """Let a canary go on that is held for want of a verdict; a `fail` cannot be overruled.

    With a weight it goes on there, and those between are left out.
    """
    word = promote.Word(digest=body.digest, reason=body.reason, weight=body.weight)
    return await promote.promote(
        ticket, word, actor, ledger=parts.ledger, delivery=parts.delivery, turns=parts.turns
    )


@router.post("/takeover")
async def take_over_target(ticket: str, body: TakeoverBody, parts: HasParts, actor: Caller) -> TicketView:
    """Take the target of a failed rollback in hand: nothing of ours writes there any more.

    With `done` it is given back: compared with the snapshot, and free whatever that says.
    """
    ledger, turns = parts.ledger, parts.turns
    if body.done:
        return await takeover.give_back(
            ticket, body.reason, actor, ledger=ledger, delivery=parts.delivery, turns=turns
        )
    return await takeover.take_over(
        ticket, body.reason, actor, ledger=ledger, clusters=parts.clusters, turns=turns
    )


@router.post("/confirm")
async def confirm_step(ticket: str, body: ConfirmBody, parts: HasParts, actor: Caller) -> TicketView:
    """Say of a manual step that it is done, or that it failed; only whom the step names may."""
    word = confirm.Word(step=body.step, done=not body.failed, reason=body.reason)
    return await confirm.confirm(
        ticket, word, actor, ledger=parts.ledger, delivery=parts.delivery, turns=parts.turns
    )


async def _decide(ticket: str, word: Word, actor: Actor, parts: Parts) -> TicketView:
    return await decide(ticket, word, actor, ledger=parts.ledger, delivery=parts.delivery, turns=parts.turns)


async def _control(ticket: str, verb: Verb, body: ReasonBody, actor: Actor, parts: Parts) -> TicketView:
    return await control(
        ticket,
        verb,
        body.reason,
        actor,
        ledger=parts.ledger,
        temporal=parts.temporal,
        delivery=parts.delivery,
        turns=parts.turns,
    )
