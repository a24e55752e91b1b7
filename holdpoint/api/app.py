"""The HTTP API of one installation, under `/v1`.

OpenAPI is at `/v1/openapi.json` and in docs/openapi.json.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from holdpoint.api import problems
from holdpoint.api.cors import CodecCors
from holdpoint.api.dependencies import Parts
from holdpoint.api.heads import HeadAsGet
from holdpoint.api.limits import BodyLimits
from holdpoint.api.observed import Observed
from holdpoint.api.routes import (
    bans,
    changes,
    codec,
    decisions,
    evidence,
    freezes,
    health,
    metrics,
    policy,
    rehearsals,
)
from holdpoint.clients.catalog import Catalog
from holdpoint.service.background import end_freezes, finish_fencing, running
from holdpoint.telemetry.bounds import Bounds
from holdpoint.telemetry.installation import Installation

ROUTERS = (changes, rehearsals, decisions, freezes, bans, evidence, policy, health, codec, metrics)
DESCRIPTION = "Turns every production change into a durable, policy-checked workflow with evidence."


def create_app(parts: Parts) -> FastAPI:
    """Return the app on these parts. What it does in the background runs while the app does."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running(**background(parts)):
            yield
        parts.feed.close()

    app = bare_app()
    _let_pages_in(app, parts.settings.codec_origins)
    app.router.lifespan_context = lifespan
    app.state.parts = parts
    app.add_middleware(Observed, metrics=parts.metrics)
    return app


def bare_app() -> FastAPI:
    """Return the app without parts: enough to know its OpenAPI document."""
    app = FastAPI(
        title="Holdpoint",
        version="v1",
        description=DESCRIPTION,
        openapi_url="/v1/openapi.json",
        docs_url=None,  # the pages load their scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        # api/observed.py does it: one span a request, masked, with our IDs, and none for probes.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        responses=problems.RESPONSES,
        generate_unique_id_function=lambda route: route.name,
    )
    for module in ROUTERS:
        app.include_router(module.router)
    app.add_middleware(HeadAsGet)
    app.add_middleware(BodyLimits)
    problems.install(app)
    app.openapi = partial(_openapi, app)  # type: ignore[method-assign]  # FastAPI's documented way
    return app


def _let_pages_in(app: FastAPI, origins: list[str]) -> None:
    """Let Temporal's page, served from one of these origins, ask the codec from a browser; nobody else."""
    if origins:
        app.add_middleware(
            CodecCors,
            allow_origins=origins,
            allow_methods=["POST"],
            allow_headers=["Authorization", "Content-Type", "X-Namespace"],
            max_age=600,
        )


def background(parts: Parts) -> dict[str, Any]:
    """Return what runs beside the answering, by name."""
    bounds = Bounds(parts.settings.environments, Catalog(parts.settings.data / "catalog.yaml"))
    return {
        "delivery": parts.delivery.run,
        "feed": parts.feed.run,
        "installation": Installation(parts.metrics, parts.ledger, bounds).run,
        "freeze_expiry": partial(end_freezes, ledger=parts.ledger, delivery=parts.delivery),
        "fencing": partial(finish_fencing, ledger=parts.ledger, clusters=parts.clusters),
    }


def _openapi(app: FastAPI) -> dict[str, Any]:
    """Return the document: FastAPI's own, with the one shape of errors in place of its default."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        schemas = document["components"]["schemas"]
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        shape = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(shape.pop("$defs"))
        schemas["Problem"] = shape
        app.openapi_schema = document
    return app.openapi_schema
