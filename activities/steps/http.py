"""Send one HTTP request with an idempotency key until it is answered: a feature flag, a serverless API."""

from typing import Any

from activities.exchanges import KIND, Exchange, expected, shown
from activities.manifests import Manifest
from activities.steps.kind import StepKind
from activities.steps.rights import Right
from activities.steps.stage import Stage
from holdpoint.clients.cluster import Cluster
from holdpoint.models.change import Change, Step
from holdpoint.models.errors import StepConfig
from holdpoint.models.http_names import masked_url
from holdpoint.models.http_step import HttpConfig
from holdpoint.models.plan import PlannedStep
from holdpoint.models.record import ObjectRef


class Http(StepKind):
    """Everything at once, in one stage; no object of the cluster is touched."""

    kind = KIND
    rights: tuple[Right, ...] = ()

    async def outline(
        self, index: int, step: Step, manifests: list[dict[str, Any]], cluster: Cluster, namespace: str
    ) -> PlannedStep:
        """Return the step, with what a rollback will do about it as a warning.

        Headers and body are not part of it, but for their digest: the plan travels through Temporal.
        """
        config = step.http
        if config is None:
            raise StepConfig(f"Step {index} is no http.")
        named = f"{config.method} {masked_url(config.url)}"
        return PlannedStep(
            index=index,
            name=step.name or self.kind,
            kind=self.kind,
            config={
                **shown(config),
                **config.planned(),
                "undo": None if config.undo is None else shown(config.undo),
            },
            does=f"{named}, expects {expected(config)}",
            warnings=[_way_back(config, named)],
        )

    def touched(
        self, step: PlannedStep, change: Change, manifests: list[Manifest], cluster: str
    ) -> list[ObjectRef]:
        """Return nothing: it touches no object."""
        return []

    async def run(self, stage: Stage) -> float:
        """Send the request and wait for its answer."""
        exchange = _exchange_of(stage)
        await stage.requests.settle(exchange, patience=exchange.timeout)
        return 100.0


def _exchange_of(stage: Stage) -> Exchange:
    index = stage.call.step.index
    for before in stage.snapshot.objects:
        if before.exchange is not None and before.exchange.index == index:
            return before.exchange
    raise StepConfig(f"Step {index} has no request in the snapshot.")


def _way_back(config: HttpConfig, named: str) -> str:
    if config.undo is None:
        return f"{named} has no undo, so nothing takes back what it does: a rollback leaves it."
    return f"{named} is sent once; a rollback sends {config.undo.method} {masked_url(config.undo.url)}."
