"""A person's word on a ticket: approve, reject, pause, resume, abort, roll back."""

from fastapi import APIRouter

from holdpoint.api.bodies import ApproveBody, ReasonBody, RejectBody
from holdpoint.api.dependencies import Caller, HasParts, Parts
from holdpoint.models.ticket import TicketView
from holdpoint.service.control import Verb, control
from holdpoint.service.decide import Word, decide
from holdpoint.service.roles import Actor

router = APIRouter(prefix="/v1/changes/{ticket}", tags=["decisions"])


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
    """Undo what was applied; after a failed rollback, try again."""
    return await _control(ticket, "rollback", body, actor, parts)


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
