"""Apply the objects of the change on the server's side, and wait until they are ready."""

import time
from typing import Any

from activities.manifests import Manifest
from activities.steps.kind import StepKind
from activities.steps.rights import AUTOSCALERS, COMMON, KEPT, both
from activities.steps.stage import Stage
from holdpoint.clients.cluster import Cluster, ref_of
from holdpoint.models.change import ApplyConfig, Change, Step
from holdpoint.models.errors import StepConfig
from holdpoint.models.plan import PlannedStep
from holdpoint.models.record import ObjectRef

RIGHTS = (
    *(right for group, resources in sorted((*COMMON, *KEPT)) for right in both(group, *resources)),
    AUTOSCALERS,
)


class Apply(StepKind):
    """Everything at once, in one stage."""

    kind = "apply"
    rights = RIGHTS

    async def outline(
        self, index: int, step: Step, manifests: list[dict[str, Any]], cluster: Cluster, namespace: str
    ) -> PlannedStep:
        """Return the step as it will run."""
        config = step.apply
        if config is None:
            raise StepConfig(f"Step {index} is not an apply.")
        return PlannedStep(
            index=index,
            name=step.name or self.kind,
            kind=self.kind,
            config={"paths": config.paths, "timeout": config.timeout},
        )

    def touched(
        self, step: PlannedStep, change: Change, manifests: list[Manifest], cluster: str
    ) -> list[ObjectRef]:
        """Return what its paths name."""
        return [ref_of(cluster, manifest) for manifest in _chosen(step, manifests)]

    async def run(self, stage: Stage) -> float:
        """Apply everything in order, then wait for all of it."""
        step = stage.call.step
        chosen = _chosen(step, stage.manifests)
        for manifest in chosen:
            await stage.apply(manifest)
        ends = time.monotonic() + ApplyConfig.model_validate(step.config).timeout
        for manifest in chosen:
            await stage.ready(manifest, limit=max(1.0, ends - time.monotonic()))
        return 100.0


def _chosen(step: PlannedStep, manifests: list[Manifest]) -> list[dict[str, Any]]:
    """Return the objects of the step's paths, all where it names none.

    Raises StepConfig for an unknown path.
    """
    paths = ApplyConfig.model_validate(step.config).paths
    unknown = set(paths) - {manifest.path for manifest in manifests}
    if unknown:
        raise StepConfig(f"Unknown path: step {step.name!r} names {sorted(unknown)[0]!r}.")
    return [manifest.object for manifest in manifests if not paths or manifest.path in paths]
