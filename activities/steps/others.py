"""The objects of a change that no step brings in beside what runs: the new version may need them."""

from typing import Any

from activities.manifests import Manifest
from activities.steps.stage import Stage
from holdpoint.models.change import Change


def others_of(change: Change, manifests: list[Manifest]) -> list[dict[str, Any]]:
    """Return what no step of the change runs as a canary, or switches."""
    steps = change.spec.plan.steps
    own = {("Deployment", step.canary.deployment) for step in steps if step.canary}
    for switched in [step.blueGreen for step in steps if step.blueGreen]:
        own |= {("Deployment", switched.deployment), ("Service", switched.service)}
        own |= {("Service", switched.preview or switched.service)}
    objects = [manifest.object for manifest in manifests]
    return [one for one in objects if (one["kind"], one["metadata"]["name"]) not in own]


async def apply_others(stage: Stage) -> None:
    """Apply them, and wait for them."""
    others = others_of(stage.change, stage.manifests)
    for manifest in others:
        await stage.apply(manifest)
    for manifest in others:
        await stage.ready(manifest)
