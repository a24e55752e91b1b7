"""The API on a world: real app, real ledger, real tokens; HTTP without a socket."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest
import structlog

from holdpoint.api.app import create_app
from holdpoint.api.dependencies import Parts
from holdpoint.ledger.tickets import StoredChange
from holdpoint.models.artifact import Artifact
from holdpoint.models.plan import PlannedStep
from holdpoint.models.plan_diff import FieldDiff, ObjectDiff, PlanDiff
from holdpoint.models.policy import Decision
from holdpoint.models.ticket import Risk
from holdpoint.service.feed import Feed
from holdpoint.service.preview import Preview
from holdpoint.service.tokens import Verifier, create_issuer_keys, issue
from tests.service.world import DIGEST, World, a_world, an_artifact

As = Callable[[str], httpx.AsyncClient]
"""Returns a client that speaks as an account."""


DIFF = PlanDiff(
    cluster="sandbox",
    namespace="default",
    objects=[
        ObjectDiff(
            change="change",
            api_version="apps/v1",
            kind="Deployment",
            name="podinfo",
            fields=[FieldDiff(field="spec.replicas", change="changed", was=2, now=3)],
        )
    ],
)


class FixedEvaluator:
    """Decides always the same."""

    async def preview(self, stored: StoredChange) -> Preview:
        decision = Decision(risk=Risk(level="low"), revision="test", digest=DIGEST)
        step = PlannedStep(index=0, name="canary podinfo", kind="canary", config={})
        warnings = ["the weight is really 50 %"]
        return Preview(plan=[step], plan_diff=DIFF, decision=decision, warnings=warnings)

    async def artifact(self, stored: StoredChange) -> Artifact:
        return an_artifact("podinfo:2")


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Keep the log's lines: rendering a traceback with its locals takes longer than the test."""
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as made:
        yield made


@pytest.fixture
def parts(world: World, tmp_path: Path) -> Parts:
    return Parts(
        settings=world.settings,
        ledger=world.ledger,
        blobs=world.blobs,
        temporal=world.temporal,
        repositories=world.repositories,
        clusters=world.clusters,
        evaluator=FixedEvaluator(),
        signer=world.signer,
        archive=tmp_path / "archive",
        verifier=Verifier(create_issuer_keys(tmp_path / "keys").with_name("issuer.pub")),
        delivery=world.delivery,
        feed=Feed(world.ledger),
    )


@pytest.fixture
async def as_(parts: Parts, tmp_path: Path) -> AsyncIterator[As]:
    app = create_app(parts)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    clients: list[httpx.AsyncClient] = []

    def client(account: str) -> httpx.AsyncClient:
        token = issue(tmp_path / "keys" / "issuer.key", account) if account else ""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        made = httpx.AsyncClient(transport=transport, base_url="http://api", headers=headers)
        clients.append(made)
        return made

    async with app.router.lifespan_context(app):
        yield client
    for one in clients:
        await one.aclose()
