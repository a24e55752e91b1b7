"""What is looked at before a commit is pushed, and before a cluster is written to that a controller owns."""

from collections.abc import Iterable

from activities.commits import KIND, config_of
from activities.gitops import Gitops, objection, reporter, told
from activities.owned import owner_of, past_controller
from holdpoint.clients.cluster import Cluster
from holdpoint.models.errors import AccessDenied, Conflict, InvalidChange, StepConfig
from holdpoint.models.git_steps import GitCommitConfig
from holdpoint.models.plan import PlannedStep
from holdpoint.models.record import ObjectRef

PUSH_LIMIT = 20.0
"""Seconds for asking a server whether it would take a push."""

MOST_SHOWN = 5


async def owned(cluster: Cluster, refs: Iterable[ObjectRef], *, permitted: bool) -> tuple[bool, str]:
    """Return whether nothing is in the way of these writes, and what is."""
    found = []
    for ref in refs:
        if owner := owner_of(await cluster.read(ref)):
            found.append((ref, owner))
    if not found:
        return True, "No GitOps controller owns what is written."
    if permitted:
        said = "; ".join(f"{ref.kind} {ref.name} belongs to {owner}" for ref, owner in found[:MOST_SHOWN])
        return True, f"{said}. The settings permit to write past it (gitops_writes)."
    return False, " ".join(past_controller(ref, owner) for ref, owner in found[:MOST_SHOWN])


async def pushable(gitops: Gitops, plan: list[PlannedStep], cluster: str) -> tuple[bool, str]:
    """Return whether each commit of a plan can be pushed and would be reported, and what is in the way.

    Raises UpstreamUnavailable where a server does not answer.
    """
    ready, wrong = list[str](), list[str]()
    for step in plan:
        if step.kind == KIND:
            config = config_of(step)
            try:
                await _check(gitops, config, cluster)
            except (AccessDenied, Conflict, InvalidChange, StepConfig) as error:
                wrong.append(f"{step.name}: {error.message}")
            else:
                ready.append(f"{config.branch} of {config.repository}")
    return (False, " ".join(wrong)) if wrong else (True, f"May be pushed to: {', '.join(ready)}.")


async def _check(gitops: Gitops, config: GitCommitConfig, cluster: str) -> None:
    branches = gitops.branches
    head = await branches.head(config.repository, config.branch)
    await branches.push(config.repository, config.branch, head, expected=head, limit=PUSH_LIMIT, dry=True)
    if config.wait is None:
        return
    ref = reporter(config.wait, cluster)
    try:
        live = await gitops.cluster(ref.cluster).read(ref)
    except StepConfig as error:
        raise StepConfig(f"{told(ref)} cannot be there. {error.message}") from error
    except AccessDenied as error:
        raise StepConfig(
            f"{told(ref)} may not be read. Apply deploy/kubernetes/access.yaml in the namespace "
            f"{ref.namespace}. {error.message}"
        ) from error
    if said := objection(ref, live):
        raise StepConfig(said)
