"""What a plan would alter on its cluster: found, kept by digest, and compared with what was read before."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from activities.jobs import runs_of
from activities.manifests import Loaded
from activities.masking import Fingerprint
from activities.plan_diff import Wanted, plan_diff
from activities.request_diff import requests_of
from activities.steps.config import rolled
from activities.steps.registry import parts
from holdpoint.clients.cluster import ref_of
from holdpoint.clients.kubernetes import Clusters
from holdpoint.ledger.blobs import Blobs
from holdpoint.ledger.canonical import canonical, digest_of, exact
from holdpoint.ledger.tickets import StoredChange
from holdpoint.models.artifact import Unknown
from holdpoint.models.base import Digest
from holdpoint.models.errors import NotFound, TransientError
from holdpoint.models.plan import PlannedStep
from holdpoint.models.plan_diff import (
    ObjectDiff,
    PlanDiff,
    PlanDiffFacts,
    PlanDiffSummary,
    facts_of,
    moved,
    summary_of,
)

MOST_REFUSED = 5
"""Refused objects that the warnings name; the plan's diff has them all."""

MOST_MOVED = 5
"""Objects that are named when approvals become void; both diffs are kept whole."""


@dataclass(frozen=True)
class Altered:
    """A plan's diff with what is derived from it."""

    diff: PlanDiff

    @cached_property
    def document(self) -> bytes:
        """Return the diff as it is stored."""
        return canonical(exact(self.diff))

    @cached_property
    def summary(self) -> PlanDiffSummary:
        """Return the diff in short, with the digest of the whole if that is known."""
        return summary_of(self.diff, digest_of(self.document) if self.diff.known else None)

    @property
    def bound(self) -> str:
        """Return what approvals bind of it."""
        return self.summary.digest or "unknown"

    @property
    def facts(self) -> PlanDiffFacts | Unknown:
        """Return what rules may look at."""
        return facts_of(self.diff) if self.diff.known else "unknown"

    @property
    def warnings(self) -> list[str]:
        """Return what people are warned of: it is unknown, or the API server would refuse some of it."""
        if not self.diff.known:
            return [f"What it would alter on the cluster is unknown: {self.diff.message}"]
        refused = [one for one in self.diff.objects if one.change == "refused"]
        said = [f"The API server would refuse {one}: {one.message}" for one in refused[:MOST_REFUSED]]
        if len(refused) > MOST_REFUSED:
            said.append(f"The API server would refuse {len(refused) - MOST_REFUSED} more objects.")
        return said


async def altered(
    clusters: Clusters,
    stored: StoredChange,
    plan: list[PlannedStep],
    loaded: Loaded,
    *,
    fingerprint: Fingerprint,
    needed: bool,
    files: Callable[[Fingerprint], Awaitable[list[ObjectDiff]]] | None = None,
) -> Altered:
    """Return what the plan would alter.

    A cluster that does not answer leaves it unknown, for people to read as that; with `needed` it raises
    TransientError instead, because nothing runs on what nobody knows. `files` are those that its commits
    change.
    """
    target = stored.change.spec.place
    manifests = loaded.manifests
    does = parts(plan, stored.change, manifests, target.cluster)
    stated = [one.object for one in manifests if does.get(ref_of(target.cluster, one.object)) == "stated"]
    wanted = Wanted(
        [*stated, *(run.forward for run in runs_of(stored, loaded.all))],
        gone=[ref for ref, part in does.items() if part == "removed"],
        rolled={
            ref: config for ref, config in rolled(plan, manifests, target).items() if does[ref] == "rolled"
        },
    )
    cluster = clusters.forward(target.cluster)
    try:
        diff = await plan_diff(
            cluster,
            target.namespace,
            wanted,
            fingerprint=fingerprint,
            gitops_writes=clusters.gitops_writes(target.cluster),
        )
        more = [] if files is None else await files(fingerprint)
        diff = diff.model_copy(update={"objects": [*diff.objects, *more]})
    except TransientError as error:
        if needed:
            raise
        unknown = PlanDiff(cluster=target.cluster, namespace=target.namespace, known=False)
        return Altered(unknown.model_copy(update={"message": error.message}))
    requests = requests_of(stored.change, fingerprint)
    return Altered(diff.model_copy(update={"objects": [*diff.objects, *requests]}) if requests else diff)


def keep(blobs: Blobs, now: Altered, before: Digest | None) -> list[str]:
    """Store a plan's diff; name the objects that are not in it as they were in the one before."""
    digest = now.summary.digest
    if digest is None or digest == before:
        return []
    blobs.put(now.document)
    if before is not None:
        with suppress(NotFound):  # the digests say that something moved; what it was is lost
            was, stored = (PlanDiff.model_validate_json(one) for one in (blobs.get(before), now.document))
            names = moved(was, stored)  # both as they are stored, where large numbers are text
            more = len(names) - MOST_MOVED
            return names if more <= 0 else [*names[:MOST_MOVED], f"{more} more"]
    return []
