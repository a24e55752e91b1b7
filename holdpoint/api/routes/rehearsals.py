"""Rehearse a change on a staging target."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Response

from holdpoint.api.bodies import RehearsalBody
from holdpoint.api.dependencies import Caller, HasParts
from holdpoint.models.ticket import TicketView
from holdpoint.service.rehearse import Stage, rehearse
from holdpoint.service.submit import Submission

router = APIRouter(prefix="/v1/rehearsals", tags=["changes"])

JOINED: dict[int | str, dict[str, Any]] = {
    200: {"model": TicketView, "description": "the rehearsal that this key has opened before"}
}


@router.post("", status_code=201, responses=JOINED)
async def rehearse_change(
    body: RehearsalBody,
    parts: HasParts,
    actor: Caller,
    response: Response,
    idempotency_key: Annotated[str, Header(max_length=255)] = "",
) -> TicketView:
    """Open a ticket that runs the plan on another target, verifies it and undoes it; or join its key's."""
    done = await rehearse(
        Submission(text=body.change, base=body.base, key=idempotency_key),
        Stage(target=body.target, environment=body.environment),
        actor,
        ledger=parts.ledger,
        repositories=parts.repositories,
        settings=parts.settings,
        delivery=parts.delivery,
    )
    response.status_code = 201 if done.created else 200
    response.headers["Location"] = f"/v1/changes/{done.view.id}"
    return done.view
