"""Apply the objects of the change on the server's side, and wait until they are ready."""

import time
from typing import Any

from activities.steps.stage import Stage
from holdpoint.clients.cluster import Cluster
from holdpoint.models.change import ApplyConfig, Step
from holdpoint.models.contracts import PlannedStep
from holdpoint.models.errors import StepConfig

KIND = "apply"


async def outline(
    index: int, step: Step, manifests: list[dict[str, Any]], cluster: Cluster, namespace: str
) -> PlannedStep:
    """Return the step as it will run: one stage, everything at once."""
    config = step.apply
    if config is None:
        raise StepConfig(f"Step {index} is not an apply.")
    return PlannedStep(
        index=index,
        name=step.name or "apply",
        kind=KIND,
        config={"paths": config.paths, "timeout": config.timeout},
    )


async def run(stage: Stage) -> float:
    """Apply everything in order, then wait for all of it; return the weight that is there, in percent."""
    config = ApplyConfig.model_validate(stage.call.step.config)
    unknown = set(config.paths) - {manifest.path for manifest in stage.manifests}
    if unknown:
        raise StepConfig(f"Unknown path: step {stage.call.step.name!r} names {sorted(unknown)[0]!r}.")
    chosen = [m.object for m in stage.manifests if not config.paths or m.path in config.paths]
    for manifest in chosen:
        await stage.apply(manifest)
    ends = time.monotonic() + config.timeout
    for manifest in chosen:
        await stage.ready(manifest, patience=max(1.0, ends - time.monotonic()))
    return 100.0
