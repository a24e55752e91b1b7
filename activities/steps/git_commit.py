"""Commit to an environment repository, once, and wait until its GitOps controller has that healthy."""

from typing import Any

from activities.commits import CommitRun, Push, forward_of, own
from activities.gitops import Awaited, reporter, told, wait_applied
from activities.intents import Stopped
from activities.manifests import Manifest
from activities.steps.kind import StepKind
from activities.steps.rights import Identity, Right
from activities.steps.stage import Stage, failed
from holdpoint.clients.cluster import Cluster
from holdpoint.models.change import Change, Step
from holdpoint.models.errors import StepConfig
from holdpoint.models.git_steps import GitCommitConfig
from holdpoint.models.plan import PlannedStep
from holdpoint.models.record import ObjectRef

NO_WAIT = (
    "Nothing is waited for after the push: nobody looks whether it is applied. `wait` names what reports it."
)


def _reading(identity: Identity) -> tuple[Right, ...]:
    """Return what seeing the controllers' objects needs; they lie in the controllers' own namespaces."""
    return (
        Right(identity, "argoproj.io", "applications", ("get",)),
        Right(identity, "kustomize.toolkit.fluxcd.io", "kustomizations", ("get",)),
    )


class GitCommit(StepKind):
    """Everything at once, in one stage."""

    kind = "gitCommit"
    rights = (*_reading("forward"), *_reading("undo"))

    async def outline(
        self, index: int, step: Step, manifests: list[dict[str, Any]], cluster: Cluster, namespace: str
    ) -> PlannedStep:
        """Return the step as it will run; the branch itself is looked at by who has the repository."""
        config = step.gitCommit
        if config is None:
            raise StepConfig(f"Step {index} is no gitCommit.")
        return PlannedStep(
            index=index,
            name=step.name or self.kind,
            kind=self.kind,
            config=config.model_dump(mode="json", exclude_none=True),
            does=_does(config, cluster.name),
            warnings=[] if config.wait is not None else [NO_WAIT],
        )

    def touched(
        self, step: PlannedStep, change: Change, manifests: list[Manifest], cluster: str
    ) -> list[ObjectRef]:
        """Return nothing: its commit is no object of the cluster."""
        return []

    async def run(self, stage: Stage) -> float:
        """Push the commit if the branch does not have it yet, and wait for the controller."""
        run = _run_of(stage)
        config, gitops = run.config, stage.gitops
        push = Push(stage.key(run.ref, "push"), run, gitops, stage.source)
        await stage.writer.settle(push, once=True)
        if config.wait is None:
            return 100.0
        head = await gitops.branches.head(config.repository, config.branch)
        forward = forward_of(run, await own(gitops.branches, run, head))
        # Without a commit all was as wanted already: then what is there must be applied.
        commit = run.head if forward is None else forward.commit
        awaited = Awaited(reporter(config.wait, stage.cluster.name), config.repository, commit)
        report = await wait_applied(gitops, awaited, limit=config.timeout)
        if report.standing != "applied":
            code = "gitops_failed" if report.standing == "failed" else "gitops_not_applied"
            words = "" if report.standing == "failed" else f" after {config.timeout:g} s"
            raise Stopped(failed(code, f"Commit {commit[:12]} is not applied{words}. {report.message}"))
        return 100.0


def _run_of(stage: Stage) -> CommitRun:
    index = stage.call.step.index
    for before in stage.snapshot.objects:
        if before.commit is not None and before.commit.index == index:
            return before.commit
    raise StepConfig(f"Step {index} has no commit in the snapshot.")


def _does(config: GitCommitConfig, cluster: str) -> str:
    """Return what the step does, in one line."""
    changes = [f"{one.file}: {one.path} = {one.value}" for one in config.set]
    changes += [f"{one.to} from {one.from_}" for one in config.files]
    more = f" and {len(changes) - 3} more" if len(changes) > 3 else ""
    waits = "" if config.wait is None else f", and waits for {told(reporter(config.wait, cluster))}"
    return f"commits to {config.branch} of {config.repository}: {'; '.join(changes[:3])}{more}{waits}"[:500]
