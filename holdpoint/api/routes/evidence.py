"""Evidence: one ticket's signed file, or the whole ledger."""

from typing import Any

from fastapi import APIRouter, Response

from holdpoint.api.dependencies import Caller, HasParts
from holdpoint.service.export import everything, ticket_evidence

router = APIRouter(prefix="/v1", tags=["evidence"])
FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {"schema": {}}}, "description": "the signed file, verbatim"}
}


@router.get("/changes/{ticket}/evidence", response_class=Response, responses=FILE)
async def export_ticket(ticket: str, parts: HasParts, actor: Caller) -> Response:
    """Return the evidence of one ticket; `holdpoint audit verify` checks it offline."""
    data = await ticket_evidence(
        ticket, actor, ledger=parts.ledger, signer=parts.signer, archive=parts.archive
    )
    return Response(data, media_type="application/json")


@router.get("/audit/export", response_class=Response, responses=FILE)
async def export_everything(parts: HasParts, actor: Caller) -> Response:
    """Return every entry of the ledger with its proof."""
    data = await everything(actor, ledger=parts.ledger, signer=parts.signer)
    return Response(data, media_type="application/json")
