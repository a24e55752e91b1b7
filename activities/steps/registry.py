"""The step kinds, as one explicit tuple: adding a kind is one file and one line here."""

from collections.abc import Mapping
from typing import Any

from activities.manifests import Manifest
from activities.naming import naming
from activities.snapshot import Part
from activities.steps.analysis import Analysis
from activities.steps.apply import Apply
from activities.steps.blue_green import BlueGreen
from activities.steps.canary import Canary
from activities.steps.config import Config
from activities.steps.delete import Delete
from activities.steps.git_commit import GitCommit
from activities.steps.http import Http
from activities.steps.job import Job
from activities.steps.kind import StepKind
from activities.steps.manual import Manual
from activities.steps.wait import Wait
from holdpoint.clients.cluster import Cluster
from holdpoint.models.change import Change, Step
from holdpoint.models.errors import StepConfig
from holdpoint.models.plan import PlannedStep
from holdpoint.models.record import ObjectRef

STEP_KINDS: tuple[StepKind, ...] = (
    Canary(),
    BlueGreen(),
    Apply(),
    Delete(),
    Config(),
    Job(),
    Http(),
    GitCommit(),
    Wait(),
    Manual(),
    Analysis(),
)

BESIDE = (Canary.kind, BlueGreen.kind)
"""The kinds that run a new version beside an old one, where there is one."""


def kind_of(name: str) -> StepKind:
    """Return the step kind of this name. Raises StepConfig for an unknown one."""
    for kind in STEP_KINDS:
        if name == kind.kind:
            return kind
    known = ", ".join(kind.kind for kind in STEP_KINDS)
    raise StepConfig(f"Unknown step kind: {name!r}. Known are: {known}.")


async def outline(
    index: int, step: Step, manifests: list[dict[str, Any]], cluster: Cluster, namespace: str
) -> PlannedStep:
    """Return one step of a change as it will run, with its warnings. Raises StepConfig if it cannot run."""
    with naming(f"spec.plan.steps[{index}].{step.kind}", step.name or step.kind):
        return await kind_of(step.kind).outline(index, step, manifests, cluster, namespace)


def parts(
    plan: list[PlannedStep],
    change: Change,
    manifests: list[Manifest],
    cluster: str,
    *,
    once: Mapping[int, tuple[ObjectRef, Part]] | None = None,
) -> dict[ObjectRef, Part]:
    """Return every object that the plan may write, in the order in which it goes forward.

    Each stands there once, with what the plan does to it. `once` are the Jobs that its steps run and the
    requests that they send, by index.
    """
    found: dict[ObjectRef, Part] = {}
    for step in plan:
        if once and step.index in once:
            ref, part = once[step.index]
            found[ref] = part
        for ref in kind_of(step.kind).touched(step, change, manifests, cluster):
            part = _part(step.kind, ref)
            if part == "stated" or ref not in found:
                found[ref] = part
    return found


def _part(kind: str, ref: ObjectRef) -> Part:
    if kind == Delete.kind:
        return "removed"
    return "rolled" if kind == Config.kind and ref.kind == "Deployment" else "stated"
