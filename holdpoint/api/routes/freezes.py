"""Freeze, list, lift."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response

from holdpoint.api.bodies import FreezeBody, Freezes, ReasonBody
from holdpoint.api.dependencies import Caller, HasParts
from holdpoint.service import freeze
from holdpoint.service.freeze import Acknowledgement, FreezeOrder, FreezeView

router = APIRouter(prefix="/v1/freezes", tags=["freezes"])


REPEATED: dict[int | str, dict[str, Any]] = {
    200: {"model": Acknowledgement, "description": "the freeze that this key has made before"}
}


@router.post("", status_code=201, responses=REPEATED)
async def create_freeze(
    body: FreezeBody,
    parts: HasParts,
    actor: Caller,
    response: Response,
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
) -> Acknowledgement:
    """Freeze; after the answer no forward write of ours is committed in scope. A key makes one freeze."""
    order = FreezeOrder(
        scope=body.scope,
        reason=body.reason,
        until=body.until,
        except_types=body.except_,
        include_rollbacks=body.include_rollbacks,
        key=idempotency_key,
    )
    declared = await freeze.create(
        order,
        actor,
        ledger=parts.ledger,
        clusters=parts.clusters,
        settings=parts.settings,
        delivery=parts.delivery,
    )
    response.status_code = 201 if declared.created else 200
    return declared.freeze


@router.get("")
async def list_freezes(
    parts: HasParts, actor: Caller, all: Annotated[bool, Query(description="ended ones as well")] = False
) -> Freezes:
    """Return the freezes in force, oldest first."""
    return Freezes(items=await freeze.list_freezes(parts.ledger, active_only=not all))


@router.post("/{freeze_id}/lift")
async def lift_freeze(freeze_id: str, body: ReasonBody, parts: HasParts, actor: Caller) -> FreezeView:
    """End a freeze; what waited for it goes on."""
    return await freeze.lift(freeze_id, body.reason, actor, ledger=parts.ledger, delivery=parts.delivery)
