"""Prometheus's metrics. No token: they hold no tickets, no people and no secrets."""

from fastapi import APIRouter, Request, Response

from holdpoint.api.dependencies import HasParts

router = APIRouter(tags=["health"])


@router.get("/metrics", include_in_schema=False)
async def metrics(parts: HasParts, request: Request) -> Response:
    """Return all metrics of this process, and of the installation as the ledger tells it."""
    body, media_type = parts.metrics.exposed(request.headers.get("accept", ""))
    return Response(body, media_type=media_type)
