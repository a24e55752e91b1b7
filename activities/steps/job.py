"""Run a Job of the change once, however often it is tried, and wait until it is complete."""

from typing import Any

from activities.intents import Stopped
from activities.jobs import GRACE, JobRun, RunOnce, chosen, ended, told, wait_ended
from activities.manifests import Manifest
from activities.steps.kind import StepKind
from activities.steps.rights import Right, both
from activities.steps.stage import Stage, artifact_of, failed
from holdpoint.clients.cluster import Cluster
from holdpoint.models.change import Change, Step
from holdpoint.models.errors import StepConfig
from holdpoint.models.object_steps import JobConfig
from holdpoint.models.plan import PlannedStep
from holdpoint.models.record import ObjectRef


class Job(StepKind):
    """Everything at once, in one stage."""

    kind = "job"
    rights = (
        *both("batch", "jobs", undo=("get", "create", "patch")),
        Right("forward", "", "pods", ("list",)),
        Right("undo", "", "pods", ("list",)),
    )

    async def outline(
        self, index: int, step: Step, manifests: list[dict[str, Any]], cluster: Cluster, namespace: str
    ) -> PlannedStep:
        """Return the step, with what a rollback will do about it as a warning."""
        config = step.job
        if config is None:
            raise StepConfig(f"Step {index} is no job.")
        chosen(config, manifests)
        return PlannedStep(
            index=index,
            name=step.name or self.kind,
            kind=self.kind,
            config={
                "name": config.name,
                "timeout": config.timeout,
                "undo": None if config.undo is None else {"name": config.undo.name},
                "cannotBeUndone": config.cannotBeUndone,
            },
            warnings=[_way_back(config)],
        )

    def touched(
        self, step: PlannedStep, change: Change, manifests: list[Manifest], cluster: str
    ) -> list[ObjectRef]:
        """Return nothing: its Job is named by the ticket, and is no object to be brought back."""
        return []

    async def run(self, stage: Stage) -> float:
        """Make the Job if there is none yet, and wait for its end."""
        run = _run_of(stage)
        ref = stage.ref(run.forward)
        before = stage.snapshot.of(ref)
        if before is None or before.body is not None:
            said = f"Job {ref.name} was there before this rollout began; it is not taken for a run of it."
            raise Stopped(failed("job_exists", said))
        made = RunOnce(
            key=stage.key(ref, "run"),
            manifest=run.forward,
            cluster=stage.cluster.name,
            artifact=artifact_of(run.forward, stage.commit),
        )
        await stage.writer.settle(made, once=True)
        live = await wait_ended(stage.cluster, ref, limit=run.timeout + GRACE)
        if live is None:
            raise Stopped(failed("job_gone", f"Job {ref.name} is gone: somebody deleted it while it ran."))
        if ended(live) != "Complete":
            raise Stopped(failed("job_failed", await told(stage.cluster, live)))
        return 100.0


def _run_of(stage: Stage) -> JobRun:
    index = stage.call.step.index
    for before in stage.snapshot.objects:
        if before.run is not None and before.run.index == index:
            return before.run
    raise StepConfig(f"Step {index} has no Job in the snapshot.")


def _way_back(config: JobConfig) -> str:
    if config.undo is None:
        return f"Job {config.name} runs once, and nothing takes back what it does: a rollback leaves it."
    return f"Job {config.name} runs once; a rollback runs Job {config.undo.name} to take it back."
