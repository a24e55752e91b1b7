"""The plan as a diff: what each of its objects would become, asked of the API server by a dry run.

Each object is asked for as the rollout will send it, by the same identity. What the change does not state is
left out: the status, what the cluster, an autoscaler or another manager writes, what an admission webhook
adds. So two diffs are equal while there is nothing new to read.
"""

import asyncio
import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from activities.comparison import MISSING, Difference, Item, Path, comparable, differences, field_of, leaves
from activities.config_mark import mark_of, wanted_mark
from activities.masking import Fingerprint, masked
from activities.owned import owner_of, past_controller
from activities.ownership import applied_fields, claims_by_hand, our_fields, reaches
from activities.scaling import REPLICAS, SCALED, autoscalers, scaled_by_a_canary
from activities.service_selector import KIND as SERVICE
from activities.service_selector import is_switched
from activities.writes import Apply
from holdpoint.clients.cluster import Cluster, ref_of
from holdpoint.models.errors import AccessDenied, Conflict, NotFound, PermanentError, StepConfig
from holdpoint.models.plan_diff import FieldDiff, ObjectDiff, PlanDiff
from holdpoint.models.record import ObjectRef
from holdpoint.models.redact import MASK, redact

AT_ONCE = 8
"""Objects that are asked about at one time: 500 of them take seconds, and no API server notices eight."""

MOST_LINES = 2000
"""Lines of a text that are compared; of a longer one all lines that are not alike at its ends are shown."""

ROLLED = "Its pods start again, for they have not read this configuration."

LONGEST_REFUSAL = 1000
"""Characters of what the server says: some list every field of a large object."""

SELECTOR = ("spec", "selector")

_NAMED = (("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace"))


@dataclass(frozen=True)
class Wanted:
    """What a plan comes to: the objects that it states, in order, and those that it deletes.

    And the Deployments whose pods it starts again, each with the configuration that they read.
    """

    stated: list[dict[str, Any]]
    gone: list[ObjectRef] = field(default_factory=list)
    rolled: dict[ObjectRef, list[dict[str, Any]]] = field(default_factory=dict)


async def plan_diff(
    cluster: Cluster,
    namespace: str,
    wanted: Wanted,
    *,
    fingerprint: Fingerprint,
    gitops_writes: bool = True,
) -> PlanDiff:
    """Return what would be altered. Raises TransientError when the cluster does not answer."""
    scalers: dict[tuple[str, str], str] = {}
    if any(manifest["kind"] in SCALED for manifest in wanted.stated):
        scalers = await autoscalers(cluster, namespace)
    turn = asyncio.Semaphore(AT_ONCE)
    asking = _Asking(cluster, frozenset(scalers), fingerprint, turn, gitops_writes)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(asking.stated(manifest)) for manifest in wanted.stated]
            tasks += [group.create_task(asking.gone(ref)) for ref in wanted.gone]
            tasks += [group.create_task(asking.rolled(ref, read)) for ref, read in wanted.rolled.items()]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed  # the first one; the others were cancelled
    found = [task.result() for task in tasks]
    objects = [one for one in found if one is not None]
    return PlanDiff(
        cluster=cluster.name, namespace=namespace, objects=objects, unchanged=len(found) - len(objects)
    )


@dataclass(frozen=True)
class _Asking:
    """Asks the API server about one object after the other."""

    cluster: Cluster
    autoscaled: frozenset[tuple[str, str]]
    fingerprint: Fingerprint
    turn: asyncio.Semaphore
    gitops_writes: bool

    async def stated(self, manifest: dict[str, Any]) -> ObjectDiff | None:
        """Return what would become of an object; None where it stays as it is."""
        ref = ref_of(self.cluster.name, manifest)
        async with self.turn:
            try:
                live = await self._own(ref)
                autoscaled = live is not None and (ref.kind, ref.name) in self.autoscaled
                _, wanted = await Apply(
                    "plan-diff",
                    manifest,
                    ref.cluster,
                    takeover=claims_by_hand(live),
                    autoscaled=autoscaled,
                ).outcome(self.cluster, live)
            except (AccessDenied, Conflict, NotFound, StepConfig) as error:
                return _refused(ref, error)
        if live is None:
            return _object(ref, "create", fields=list(_stated_fields(masked(manifest, self.fingerprint))))
        fields = list(_changed_fields(live, wanted, self.fingerprint))
        return _object(ref, "change", fields=fields) if fields else None

    async def gone(self, ref: ObjectRef) -> ObjectDiff | None:
        """Return that an object would be deleted; None where it is not there."""
        live = await self._read(ref)
        return live if isinstance(live, ObjectDiff | None) else _object(ref, "delete")

    async def rolled(self, ref: ObjectRef, config: list[dict[str, Any]]) -> ObjectDiff | None:
        """Return that the pods of a Deployment would start again; None where they have read it all."""
        live = await self._read(ref)
        if isinstance(live, ObjectDiff | None):
            return live
        if mark_of(live) == wanted_mark(live, config):
            return None
        # The mark is a checksum of what is read, Secrets too: it is not shown.
        return _object(ref, "change").model_copy(update={"message": ROLLED})

    async def _read(self, ref: ObjectRef) -> dict[str, Any] | ObjectDiff | None:
        """Return an object, None where there is none, or that it may not be read."""
        async with self.turn:
            try:
                return await self._own(ref)
            except (AccessDenied, StepConfig) as error:
                return _refused(ref, error)

    async def _own(self, ref: ObjectRef) -> dict[str, Any] | None:
        """Return an object that may be written. Raises StepConfig where a GitOps controller owns it."""
        live = await self.cluster.read(ref)
        if not self.gitops_writes and (owner := owner_of(live)):
            raise StepConfig(past_controller(ref, owner), reason="gitops")
        return live


def _object(ref: ObjectRef, change: Any, *, fields: list[FieldDiff] | None = None) -> ObjectDiff:
    return ObjectDiff(
        change=change, api_version=ref.api_version, kind=ref.kind, name=ref.name, fields=fields or []
    )


def _refused(ref: ObjectRef, error: PermanentError) -> ObjectDiff:
    """Return the object with the server's words, but for those that may quote a Secret's content."""
    said = redact(error.message)[:LONGEST_REFUSAL]
    if ref.kind == "Secret" and error.detail.get("reason") not in ("field_manager", "gitops"):
        said = "why is not shown here, for the words may quote the Secret; the prechecks will fail on it."
    return _object(ref, "refused").model_copy(update={"message": said})


def _stated_fields(manifest: dict[str, Any]) -> Iterator[FieldDiff]:
    """Yield every field of an object that would be new, as its manifest states it."""
    for path, value in leaves((), comparable(manifest)):
        if path not in _NAMED and value is not None:
            yield _field(Difference(path, MISSING, value))


def _changed_fields(
    live: dict[str, Any], wanted: dict[str, Any], fingerprint: Fingerprint
) -> Iterator[FieldDiff]:
    """Yield every field of ours that would not stay as it is."""
    ours, before = applied_fields(wanted), our_fields(live)
    passing = scaled_by_a_canary(live)
    switched = live["kind"] == SERVICE and is_switched(live)
    was, now = (masked(comparable(body), fingerprint) for body in (live, wanted))
    for difference in differences(was, now):
        for leaf in _leaves_of(difference):
            if passing and leaf.path == REPLICAS:
                continue  # a canary that runs now has set it, and gives it back
            if switched and leaf.path[:2] == SELECTOR:
                continue  # so has a switch
            tree = before if leaf.now is MISSING else ours
            if not tree or _is_masked(leaf.path) or reaches(tree, leaf.path):
                yield _field(leaf)


def _leaves_of(difference: Difference) -> Iterator[Difference]:
    """Yield the fields of what comes or goes whole, and else the difference as it is."""
    if difference.was is MISSING:
        for path, value in leaves(difference.path, difference.now):
            yield Difference(path, MISSING, value)
    elif difference.now is MISSING:
        for path, value in leaves(difference.path, difference.was):
            yield Difference(path, value, MISSING)
    else:
        yield difference


def _is_masked(path: Path) -> bool:
    """Tell whether a name on the way is masked: its owner cannot be found by it, and it is not hidden."""
    return any(isinstance(step, Item) and MASK in step.label for step in path)


def _field(leaf: Difference) -> FieldDiff:
    name = field_of(leaf.path)
    change: Any = "added" if leaf.was is MISSING else "removed" if leaf.now is MISSING else "changed"
    was, now = (None if side is MISSING else side for side in (leaf.was, leaf.now))
    if any(isinstance(side, str) and "\n" in side.rstrip("\n") for side in (was, now)):
        lines = list(lines_of(str(was or ""), str(now or "")))
        if lines:
            return FieldDiff(field=name, change=change, lines=lines)
    return FieldDiff(field=name, change=change, was=was, now=now)


def lines_of(was: str, now: str) -> Iterator[str]:
    """Yield the lines that go, those that come, and two around each of them."""
    old, new = was.splitlines(), now.splitlines()
    if len(old) <= MOST_LINES and len(new) <= MOST_LINES:
        found = difflib.unified_diff(old, new, n=2, lineterm="")
        yield from (line for number, line in enumerate(found) if number >= 2)  # two lines name the files
        return
    head = next((n for n, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), None)
    head = min(len(old), len(new)) if head is None else head
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    yield from (f"-{line}" for line in old[head : len(old) - tail])
    yield from (f"+{line}" for line in new[head : len(new) - tail])
