"""List and lift bans."""

from typing import Annotated

from fastapi import APIRouter, Query

from holdpoint.api.bodies import Bans, LiftBanBody
from holdpoint.api.dependencies import Caller, HasParts
from holdpoint.models.artifact import Ban
from holdpoint.service import bans

router = APIRouter(prefix="/v1/bans", tags=["bans"])


@router.get("")
async def list_bans(
    parts: HasParts,
    actor: Caller,
    service: Annotated[str | None, Query(max_length=63, pattern=r"^[a-z0-9.-]+$")] = None,
    all: Annotated[bool, Query(description="lifted ones as well")] = False,
) -> Bans:
    """Return the digests that are banned, the newest first."""
    return Bans(items=await bans.list_bans(parts.ledger, service=service, in_force=not all))


@router.post("/{ban_id}/lift")
async def lift_ban(ban_id: str, body: LiftBanBody, parts: HasParts, actor: Caller) -> Ban:
    """End a ban: what it covers may be submitted again."""
    return await bans.lift(ban_id, body.reason, actor, ledger=parts.ledger)
