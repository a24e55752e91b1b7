"""Whether the process answers and can do its work. No token: supervisors ask."""

from fastapi import APIRouter

from holdpoint.api.bodies import Health
from holdpoint.api.dependencies import HasParts
from holdpoint.ledger import head

router = APIRouter(prefix="/v1", tags=["health"])


@router.get("/health")
async def health() -> Health:
    """Return that the process answers."""
    return Health(status="ok")


@router.get("/ready")
async def ready(parts: HasParts) -> Health:
    """Return that the ledger answers too; without it this is 503.

    Temporal may be down: freezes still work.
    """
    await parts.ledger.read(head.read)
    return Health(status="ok")
