"""Whether the process answers and can do its work. No token: supervisors ask."""

from fastapi import APIRouter

from holdpoint.api.bodies import Health
from holdpoint.api.dependencies import HasParts
from holdpoint.ledger import head
from holdpoint.models.errors import UpstreamUnavailable

router = APIRouter(prefix="/v1", tags=["health"])


@router.get("/health")
async def health() -> Health:
    """Return that the process answers."""
    return Health(status="ok")


@router.get("/ready")
async def ready(parts: HasParts) -> Health:
    """Return that the ledger answers too; without it, and while the process drains, this is 503.

    Temporal may be down: freezes still work.
    """
    shown = parts.metrics.ready.labels(process="api")
    shown.set(0)
    if parts.stopping.is_set():
        raise UpstreamUnavailable("This process is stopping. Ask another one.")
    await parts.ledger.read(head.read)
    shown.set(1)
    return Health(status="ok")
