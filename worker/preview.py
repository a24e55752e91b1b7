"""The evaluation that the API shows before a ticket is opened: the one that every ticket begins with.

The API's room may not import activities, so the composition root that starts it gives it this.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from activities.artifact import artifact_of
from activities.checks.asked import objections_to, with_policys
from activities.evaluation import Sources, held_to
from activities.manifests import load_whole
from activities.many import gather_all
from holdpoint.api.server import Evaluation
from holdpoint.clients.catalog import Catalog
from holdpoint.clients.git import Repositories
from holdpoint.clients.kubernetes import Clusters
from holdpoint.clients.policy import OpaEngine, PolicyEngine
from holdpoint.ledger import clock
from holdpoint.ledger.blobs import Blobs
from holdpoint.ledger.store import Ledger
from holdpoint.ledger.tickets import StoredChange
from holdpoint.models.artifact import Artifact
from holdpoint.models.settings import Settings
from holdpoint.service.preview import Evaluator, Preview
from worker.assembly import means_of


class TicketEvaluator:
    """Gathers and decides as a ticket's first activity does, and records nothing."""

    def __init__(self, *, sources: Sources, policy: PolicyEngine) -> None:
        self._sources, self._policy = sources, policy

    async def preview(self, stored: StoredChange) -> Preview:
        """Return plan and decision for a change that is not in the ledger."""
        now = await self._sources.ledger.read(clock.now)
        gathered = await gather_all(self._sources, stored, purpose="check", now=now)
        decision = await self._policy.decide(gathered.question)
        asked = with_policys(gathered.asked, decision.obligations)
        cannot = objections_to(asked, self._sources.means)
        decision = held_to(decision, gathered.plan, [*gathered.objections, *cannot])
        return Preview(
            plan=gathered.plan,
            plan_diff=gathered.altered.diff,
            decision=decision,
            warnings=gathered.warnings,
            checks=asked.views,
            waves=stored.waves.waves if stored.waves else [],
        )

    async def artifact(self, stored: StoredChange) -> Artifact:
        """Return what a change brings, as its evaluation will say it."""
        loaded = await load_whole(self._sources.repositories, stored)
        return artifact_of(stored, loaded, self._sources.fingerprint)


def evaluation(settings: Settings) -> Evaluation:
    """Return what makes the evaluator from the parts that the API has anyway."""

    @asynccontextmanager
    async def make(
        ledger: Ledger, repositories: Repositories, clusters: Clusters, blobs: Blobs
    ) -> AsyncIterator[Evaluator]:
        catalog = Catalog(settings.data / "catalog.yaml")
        policy = OpaEngine(settings.opa_url, settings.opa_token_file, revision=settings.policy_revision)
        try:
            means = means_of(settings)
            sources = Sources(ledger, catalog, repositories, clusters, blobs.fingerprint, means)
            yield TicketEvaluator(sources=sources, policy=policy)
        finally:
            await policy.close()

    return make
