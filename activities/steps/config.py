"""Apply ConfigMaps and Secrets, and roll the Deployments that use them, so that their pods read them."""

import time
from typing import Any

from activities.config_mark import MarkPods, Named, uses, wanted_mark
from activities.intents import Stopped
from activities.manifests import Manifest
from activities.steps.kind import StepKind
from activities.steps.rights import AUTOSCALERS, Right, both
from activities.steps.stage import Stage, failed
from holdpoint.clients.cluster import Cluster, ref_of
from holdpoint.models.change import Change, Step, Target
from holdpoint.models.errors import StepConfig
from holdpoint.models.object_steps import ConfigConfig
from holdpoint.models.plan import PlannedStep
from holdpoint.models.record import ObjectRef

KINDS = ("ConfigMap", "Secret")


class Config(StepKind):
    """Everything at once, in one stage."""

    kind = "config"
    rights = (
        *both("", "configmaps", "secrets"),
        *both("apps", "deployments", forward=("get", "patch"), undo=("get", "patch")),
        Right("forward", "apps", "deployments", ("list",)),
        AUTOSCALERS,
    )

    async def outline(
        self, index: int, step: Step, manifests: list[dict[str, Any]], cluster: Cluster, namespace: str
    ) -> PlannedStep:
        """Return the step with the Deployments that it rolls."""
        config = step.config
        if config is None:
            raise StepConfig(f"Step {index} is no config.")
        chosen = _chosen(config, manifests)
        live = await cluster.list("apps/v1", "Deployment", namespace)
        using = sorted(
            item["metadata"]["name"] for item in live if uses(item) & {_name_of(one) for one in chosen}
        )
        names = {item["metadata"]["name"] for item in live}
        if missing := sorted(set(config.roll or []) - names):
            raise StepConfig(
                f"Unknown Deployment: {missing[0]} is to be rolled, but does not exist in {namespace}."
            )
        roll = using if config.roll is None else config.roll
        return PlannedStep(
            index=index,
            name=step.name or self.kind,
            kind=self.kind,
            config={
                "objects": [dict(zip(("kind", "name"), _name_of(one), strict=True)) for one in chosen],
                "roll": roll,
                "timeout": config.timeout,
            },
            warnings=_warnings(config, chosen, using, roll),
        )

    def touched(
        self, step: PlannedStep, change: Change, manifests: list[Manifest], cluster: str
    ) -> list[ObjectRef]:
        """Return the Deployments, then what they read.

        An undo goes backwards: what the pods read is as it was before they start again.
        """
        config = ConfigConfig.model_validate(step.config)
        namespace = change.spec.namespace
        chosen = _chosen(config, [manifest.object for manifest in manifests])
        deployments = [_deployment(cluster, namespace, name) for name in config.roll or []]
        return [*deployments, *(ref_of(cluster, item) for item in chosen)]

    async def run(self, stage: Stage) -> float:
        """Apply the configuration, mark the pods that read it, and wait until they are ready."""
        config = ConfigConfig.model_validate(stage.call.step.config)
        chosen = _chosen(config, stage.objects)
        for item in chosen:
            await stage.apply(item)
        namespace = stage.change.spec.namespace
        refs = [_deployment(stage.cluster.name, namespace, name) for name in config.roll or []]
        for ref in refs:
            await _mark(stage, ref, chosen)
        ends = time.monotonic() + config.timeout
        for ref in refs:
            live = await _live(stage, ref)
            await stage.ready(live, limit=max(1.0, ends - time.monotonic()))
        return 100.0

    def judged(self, step: PlannedStep, weight: float) -> list[str]:
        """Return the Deployments that it rolls."""
        return list(step.config["roll"])


def rolled(
    plan: list[PlannedStep], manifests: list[Manifest], target: Target
) -> dict[ObjectRef, list[dict[str, Any]]]:
    """Return the Deployments that the config steps of a plan roll, each with what it is rolled for."""
    objects, found = [manifest.object for manifest in manifests], dict[ObjectRef, list[dict[str, Any]]]()
    for step in plan:
        if step.kind == Config.kind:
            config = ConfigConfig.model_validate(step.config)
            for name in config.roll or []:
                found[_deployment(target.cluster, target.namespace, name)] = _chosen(config, objects)
    return found


def _warnings(
    config: ConfigConfig, chosen: list[dict[str, Any]], using: list[str], roll: list[str]
) -> list[str]:
    if not chosen:
        return ["The change has no ConfigMap and no Secret: nothing is configured."]
    if not using and config.roll is None:
        return ["No Deployment of the namespace uses them: nothing is rolled."]
    left = sorted(set(using) - set(roll))
    return [f"Deployment {name} starts new pods, which read them." for name in roll] + [
        f"Deployment {name} uses them and is not rolled: its pods keep what they read." for name in left
    ]


async def _mark(stage: Stage, ref: ObjectRef, chosen: list[dict[str, Any]]) -> None:
    """Mark a Deployment's pods with what they read of the configuration, or with all of it."""
    mark = wanted_mark(await _live(stage, ref), chosen)
    await stage.writer.settle(MarkPods(stage.key(ref, "mark"), ref, mark))


async def _live(stage: Stage, ref: ObjectRef) -> dict[str, Any]:
    live = await stage.cluster.read(ref)
    if live is None:
        raise Stopped(failed("plan_outdated", f"Deployment {ref.name} is gone since it was planned."))
    return live


def _chosen(config: ConfigConfig, manifests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the ConfigMaps and Secrets of the step, in the change's order. Raises StepConfig."""
    known = [item for item in manifests if item["kind"] in KINDS and item["apiVersion"] == "v1"]
    wanted = {(item.kind, item.name) for item in config.objects}
    if missing := sorted(wanted - {_name_of(item) for item in known}):
        kind, name = missing[0]
        raise StepConfig(f"Unknown configuration: {kind} {name} is not among the change's objects.")
    return [item for item in known if not wanted or _name_of(item) in wanted]


def _name_of(item: dict[str, Any]) -> Named:
    return item["kind"], item["metadata"]["name"]


def _deployment(cluster: str, namespace: str, name: str) -> ObjectRef:
    return ObjectRef(
        cluster=cluster, api_version="apps/v1", kind="Deployment", namespace=namespace, name=name
    )
