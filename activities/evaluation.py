"""Gather everything the policy may look at, and compute what approvals are bound to."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Literal

import rfc8785
from sqlalchemy import Connection

from activities.altered import Altered, altered
from activities.artifact import artifact_of, facts_of
from activities.binding import digest, plan_shape, rehearsed_as
from activities.checks.asked import Asked, asked_by
from activities.checks.kind import Means
from activities.commits import with_seen
from activities.file_diff import file_diffs
from activities.leftovers import Leftovers, leftovers
from activities.linked import Links, links_of, warnings
from activities.manifests import Loaded, load_whole, rendered_of
from activities.masking import Fingerprint
from activities.steps.registry import outline
from holdpoint.clients.catalog import Services
from holdpoint.clients.git import Repositories
from holdpoint.clients.kubernetes import Clusters
from holdpoint.ledger import dependencies, freezes, tickets
from holdpoint.ledger.rehearsals import last_rehearsal
from holdpoint.ledger.store import Ledger
from holdpoint.ledger.tickets import StoredChange
from holdpoint.models.artifact import Artifact, ArtifactFacts, Unknown
from holdpoint.models.base import Digest
from holdpoint.models.errors import InvalidChange, NotFound, StepConfig
from holdpoint.models.plan import PlannedStep
from holdpoint.models.policy import Decision, DependencyFacts, DiffFacts, PolicyInput, ServiceFacts
from holdpoint.models.record import Freeze
from holdpoint.models.ticket import Rehearsal
from holdpoint.models.windows import DAYS, local_time, open_now

RECENT = 7 * 86400.0
"""Seconds in which a failed change of the same service counts as recent: a week has every weekday once."""


@dataclass(frozen=True)
class Sources:
    """Where facts come from. `fingerprint` tells masked values from each other."""

    ledger: Ledger
    catalog: Services
    repositories: Repositories
    clusters: Clusters
    fingerprint: Fingerprint
    means: Means = field(default_factory=Means)


@dataclass(frozen=True)
class Known:
    """What the ledger knows about a change at one moment."""

    freezes: list[Freeze]
    shape_succeeded: bool
    recent_failures: int
    recent_flakes: int
    last: StoredChange | None
    depends_on: list[DependencyFacts]
    artifact: ArtifactFacts
    rehearsal: Rehearsal | None


@dataclass(frozen=True)
class Gathered:
    """The policy's input, the plan as it will run, and what that would alter on the cluster.

    `objections` deny it whatever the policy says; `said` is what people must know besides.
    """

    question: PolicyInput
    plan: list[PlannedStep]
    altered: Altered
    rehearses: Digest
    asked: Asked = field(default_factory=Asked)
    objections: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    plans: dict[str, list[PlannedStep]] = field(default_factory=dict)

    @property
    def warnings(self) -> list[str]:
        """Return what people are warned of before anything runs."""
        steps = [f"{step.name}: {warning}" for step in self.plan for warning in step.warnings]
        if self.plans:
            steps = []  # `said` has those of every target
        return [*self.said, *steps, *self.altered.warnings]


async def gather(
    sources: Sources, stored: StoredChange, *, purpose: Literal["submit", "release", "check"], now: datetime
) -> Gathered:
    """Return the whole input of one decision. Raises StepConfig and InvalidChange for what cannot run."""
    metadata, spec = stored.change.metadata, stored.change.spec
    loaded = await load_whole(sources.repositories, stored)
    manifests = loaded.stated
    released = purpose == "release"
    links = await links_of(sources.ledger, stored, target_of(stored), holds_target=released)
    plan = await _plan(sources, stored, loaded)
    left = await _left(sources, stored, manifests, links, index=len(plan))
    plan += left.steps
    alters = await altered(
        sources.clusters,
        stored,
        plan,
        loaded,
        fingerprint=sources.fingerprint,
        needed=released,
        files=partial(file_diffs, sources.repositories, stored, plan),
    )
    shape = plan_shape(plan, loaded.all)
    catalog = sources.catalog.facts(metadata.service)
    asked = asked_by(stored, catalog)
    artifact = artifact_of(stored, loaded, sources.fingerprint)
    rehearses = rehearsed_as(loaded.all, shape, sources.fingerprint)
    known = await sources.ledger.read(_known, stored, shape, rehearses, artifact, now)
    local = local_time(catalog.windows, now)
    question = PolicyInput(
        ticket=stored.ticket,
        purpose=purpose,
        title=metadata.title,
        service=metadata.service,
        environment=metadata.environment,
        type=metadata.type,
        requester=stored.requester,
        repository=stored.repository,
        revision=spec.source.revision,
        commit=stored.commit,
        authors=await sources.repositories.author(stored.repository, stored.commit),
        target=target_of(stored),
        rolls_back=stored.rolls_back,
        retries=stored.retries,
        depends_on=known.depends_on,
        is_rehearsal=stored.rehearsal,
        rehearsal=known.rehearsal,
        images=artifact.images,
        artifact=known.artifact,
        plan=[step.model_dump(mode="json") for step in plan],
        plan_shape=shape,
        shape_succeeded=known.shape_succeeded,
        catalog=catalog,
        diff=await _diff_facts(sources, stored, known.last),
        plan_diff=alters.facts,
        prechecks=asked.before,
        postchecks=asked.after,
        recent_failures=known.recent_failures,
        recent_flakes=known.recent_flakes,
        freezes=[freeze.id for freeze in known.freezes],
        now=now,
        weekday=DAYS[local.weekday()],
        hour=local.hour,
        in_window=_in_window(catalog, now),
    )
    said = await warnings(sources.repositories, manifests, links, named=left.named)
    said = [*said, *left.kept]
    return Gathered(question, plan, alters, rehearses, asked, objections=links.objections, said=said)


async def _left(
    sources: Sources, stored: StoredChange, manifests: list[dict[str, Any]], links: Links, *, index: int
) -> Leftovers:
    if not links.made:
        return Leftovers()
    target = stored.change.spec.place
    cluster = sources.clusters.forward(target.cluster)
    return await leftovers(links, manifests, cluster, target.namespace, index=index)


def _known(
    db: Connection, stored: StoredChange, shape: str, rehearses: Digest, artifact: Artifact, now: datetime
) -> Known:
    metadata = stored.change.metadata
    scope = {"service": metadata.service, "environment": metadata.environment}
    return Known(
        freezes=freezes.covering(db, **scope, change_type=stored.freeze_type),
        shape_succeeded=tickets.shape_succeeded(db, **scope, shape=shape),
        recent_failures=tickets.recent_failures(db, **scope, within=RECENT),
        recent_flakes=tickets.recent_flakes(db, **scope, within=RECENT),
        last=tickets.last_succeeded(db, target_of(stored)),
        depends_on=_needed(db, stored),
        artifact=facts_of(db, stored, artifact, now),
        rehearsal=None if stored.rehearsal else last_rehearsal(db, metadata.service, shape, rehearses),
    )


def _needed(db: Connection, stored: StoredChange) -> list[DependencyFacts]:
    """Return what the change depends on. Raises InvalidChange for a dry run that names what cannot be."""
    needs = stored.depends_on or dependencies.bind(db, stored.change.spec.dependsOn)
    return [
        DependencyFacts(
            ticket=one.view.id,
            service=one.view.service,
            environment=one.view.environment,
            phase=one.view.phase,
            outcome=one.outcome.value,
        )
        for one in dependencies.look(db, needs)
    ]


async def _diff_facts(
    sources: Sources, stored: StoredChange, last: StoredChange | None
) -> DiffFacts | Unknown:
    """Return the diff against what last succeeded on the target; unknown where it cannot be had."""
    if last is not None and last.repository != stored.repository:
        return "unknown"
    base = None if last is None else last.commit
    try:
        paths = [path for one in (stored, last) if one is not None for path in await _made_of(sources, one)]
        if not paths:
            return DiffFacts(base=base, files=0, added=0, removed=0)
        unique = list(dict.fromkeys(paths))
        facts = await sources.repositories.diff(stored.repository, base, stored.commit, unique)
        return facts.model_copy(update={"kinds": await _kinds(sources, stored, last, facts)})
    except (InvalidChange, NotFound, StepConfig):
        return "unknown"  # the branch was rewritten, and what ran before is gone or cannot be read any more


async def _made_of(sources: Sources, stored: StoredChange) -> list[str]:
    """Return the files that the objects of a change are made of."""
    paths = list(stored.change.spec.source.paths)
    for wanted in rendered_of(stored.change):
        paths += await sources.repositories.rendered_from(stored.repository, stored.commit, wanted)
    return paths


async def _kinds(
    sources: Sources, stored: StoredChange, last: StoredChange | None, facts: DiffFacts
) -> list[str]:
    """Return the kinds touched. What is rendered is compared as objects: a template does not tell."""
    pair = [one for one in (stored, last) if one is not None]
    if not any(rendered_of(one.change) for one in pair):
        return facts.kinds
    before, after = set[tuple[str, bytes]](), set[tuple[str, bytes]]()
    for one, objects in zip((stored, last), (after, before), strict=True):
        if one is not None:
            found = (await load_whole(sources.repositories, one)).all
            objects |= {(str(item["kind"]), rfc8785.dumps(item)) for item in found}
    return sorted({kind for kind, _ in before ^ after})


def target_of(stored: StoredChange) -> str:
    """Return the key of the target that the change goes to."""
    target = stored.change.spec.place
    return f"{target.cluster}/{target.namespace}/{stored.change.metadata.service}"


def binding_digest(stored: StoredChange, gathered: Gathered, decision: Decision) -> str:
    """Return what approvals are bound to: artifact, plan, both diffs and the decision's content.

    The weights as asked for, not as the replicas give them: those follow an autoscaler, which is somebody
    else's field, and approvals that moved with it would never hold.
    """
    spec = stored.change.spec
    diff = gathered.question.diff
    content = {
        "commit": stored.commit,
        "repository": stored.repository,
        "spec": spec.model_dump(mode="json", exclude_none=True),
        "plan": [[step.kind, step.name, [weight.asked for weight in step.weights]] for step in gathered.plan],
        "diff": digest(diff if isinstance(diff, str) else diff.model_dump(mode="json")),
        "plan_diff": gathered.altered.bound,
        "decision": decision.digest,
        **({"targets": stored.targets} if stored.targets else {}),
    }
    return digest(content)


def held_to(decision: Decision, plan: list[PlannedStep], objections: Sequence[str] = ()) -> Decision:
    """Return the decision with `objections`, and what the plan breaks of its obligations, added to `deny`.

    The share that is asked for counts, not the one that the replicas can give: that is not the plan's to say.
    """
    most = decision.obligations.smallest_canary
    broken = [
        f"The canary begins too large: spec.plan.steps[{step.index}] ({step.name}) begins with "
        f"{step.weights[0].asked} %, allowed is at most {most} % for a change of this risk."
        for step in plan
        if most is not None and step.kind == "canary" and step.weights and step.weights[0].asked > most
    ]
    broken = [*objections, *broken]
    if not broken:
        return decision
    deny = [*decision.deny, *broken]
    return decision.model_copy(
        update={"deny": deny, "digest": digest({"decision": decision.digest, "deny": deny})}
    )


def _in_window(catalog: ServiceFacts, now: datetime) -> bool | Unknown:
    return open_now(catalog.windows, now) if catalog.windows else "unknown"


async def _plan(sources: Sources, stored: StoredChange, loaded: Loaded) -> list[PlannedStep]:
    target, manifests = stored.change.spec.place, loaded.all
    cluster = sources.clusters.forward(target.cluster)
    for api_version, kind in sorted({(str(m["apiVersion"]), str(m["kind"])) for m in manifests}):
        await cluster.check_kind(api_version, kind)
    steps = enumerate(stored.change.spec.plan.steps)
    plan = [await outline(index, step, manifests, cluster, target.namespace) for index, step in steps]
    plan = [await with_seen(sources.repositories.branches, step) for step in plan]
    first = plan[0].model_copy(update={"warnings": [*loaded.warnings, *plan[0].warnings]})
    return [first, *plan[1:]]
