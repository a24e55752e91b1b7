"""The activities of one rollout: begin, apply a step, judge, ask for freezes, undo, compare, finish."""

import asyncio
from functools import partial

from temporalio import activity

from activities import commits, judging
from activities.beat import beating, left_behind
from activities.commits_back import changed_since
from activities.deferred import DeferringDoor
from activities.drift import drifted
from activities.exchanges import exchanges_of
from activities.gitops import Gitops
from activities.intents import Stopped, Writer, hold_of
from activities.jobs import runs_of
from activities.manifests import Files, load, load_whole, load_with_paths
from activities.requests import Requests
from activities.sent import sent_of
from activities.snapshot import Part, Snapshot, take
from activities.steps.registry import BESIDE, kind_of, parts
from activities.steps.stage import Stage, failed
from activities.undo import Undo, compare, undo_all
from activities.watched import cluster_of, watched
from holdpoint.clients.cluster import ref_of
from holdpoint.clients.fencing import Fencing
from holdpoint.clients.git_branches import Branches, NullBranches
from holdpoint.clients.http_peers import Peers
from holdpoint.clients.judges import Judges
from holdpoint.clients.kubernetes import Clusters
from holdpoint.ledger import confirmations, freezes, promotions, targets
from holdpoint.ledger.blobs import Blobs
from holdpoint.ledger.doors import Door, LedgerDoor
from holdpoint.ledger.store import Ledger
from holdpoint.ledger.tickets import StoredChange, change_of
from holdpoint.models import contracts
from holdpoint.models.activity_calls import (
    BeginCall,
    Begun,
    Check,
    CheckReport,
    CompareCall,
    Compared,
    Done,
    FinishCall,
    Gate,
    GateCall,
    JudgeCall,
    Judgement,
    PostcheckCall,
    RolloutCall,
    StepCall,
    StepOutcome,
    UndoCall,
    Undone,
)
from holdpoint.models.base import Digest
from holdpoint.models.errors import Conflict, PermanentError, UpstreamUnavailable
from holdpoint.models.record import EntryDraft, ObjectRef
from holdpoint.models.redact import redact
from holdpoint.models.ticket import RollbackResult, VerdictCode


class RolloutActivities:
    """Everything that a rollout does outside the workflow. Each activity can be repeated at any point."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        blobs: Blobs,
        repositories: Files,
        clusters: Clusters,
        judges: Judges | None = None,
        peers: Peers | None = None,
        branches: Branches | None = None,
    ) -> None:
        self._ledger, self._blobs, self._judges = ledger, blobs, judges or Judges({})
        self._repositories, self._clusters, self._peers = repositories, clusters, peers or Peers()
        branches = branches or NullBranches()
        self._forward, self._back = Gitops(branches, clusters.forward), Gitops(branches, clusters.undo)
        self._door = LedgerDoor(ledger)

    @activity.defn(name=contracts.BEGIN.name)
    async def begin_rollout(self, call: BeginCall) -> Begun:
        """Take the target for this run and the snapshot.

        In undo mode take it over and fence what is in doubt.
        """
        async with beating():
            row = await self._ledger.read(targets.get_target, call.target)
            known = row.snapshot if row is not None and row.holder_run == call.run else None
            if known is None:
                row = await self._ledger.write(
                    targets.take_target,
                    target=call.target,
                    ticket=call.ticket,
                    run=call.run,
                    rollout=call.start.model_dump(mode="json"),
                )
            if call.start.mode == "undo":
                await self._fencing(call).close_now(await self._door.in_doubt(call.target))
                known = row.snapshot if row is not None else None
                if known is None:
                    raise Conflict(f"Nothing to undo: no snapshot is known for {call.target}.")
            snapshot = await self._snapshot(known) if known is not None else await self._take(call)
            if known is None:
                secret = snapshot.model_dump_json().encode()
                known = await asyncio.to_thread(self._blobs.put_secret, secret)
            await self._ledger.write(targets.set_snapshot, target=call.target, run=call.run, snapshot=known)
            return _begun(call, known, snapshot)

    @activity.defn(name=contracts.APPLY_STEP.name)
    async def apply_step(self, call: StepCall) -> StepOutcome:
        """Bring a step to its next stage, after looking at what a dead attempt left."""
        async with beating():
            try:
                reached = await kind_of(call.step.kind).run(await self._stage(call))
                outcome = StepOutcome(status="done", reached=reached)
            except Stopped as stopped:
                outcome = stopped.outcome
            except PermanentError as error:
                outcome = failed(error.code, redact(error.message)[:2000])
            row = await self._ledger.read(targets.get_target, call.target)
            mutated = row is not None and row.dirty and row.holder_ticket == call.ticket
            return outcome.model_copy(update={"mutated": mutated})

    @activity.defn(name=contracts.JUDGE.name)
    async def judge(self, call: JudgeCall) -> Judgement:
        """Watch the metrics and return a verdict. A provider that is down is a verdict too."""
        clock = judging.temporals_clock()
        async with beating():
            stored = await self._stored(call)
            judgement = await judging.watch(
                call,
                self._clusters.metrics(cluster_of(call)),
                self._blobs,
                place=await watched(call, stored, clusters=self._clusters, repositories=self._repositories),
                clock=clock,
                judges=self._judges,
            )
            if call.snapshot is None or judgement.verdict.verdict is not VerdictCode.PASS:
                return judgement
            return judgement.model_copy(update={"report": await self._as_applied(call, call.snapshot)})

    @activity.defn(name=contracts.GATE.name)
    async def gate(self, call: GateCall) -> Gate:
        """Return the freezes that cover this rollout now, as holds, and what people have said of it."""
        found = await self._ledger.read(
            freezes.covering, service=call.service, environment=call.environment, change_type=call.type
        )
        gate = Gate(holds=[hold_of(freeze) for freeze in found])
        if call.manual is not None:
            word = await self._ledger.read(confirmations.word_on, call.ticket, call.manual)
            gate = gate.model_copy(update={"confirmation": word})
        if call.promotion:
            promotion = await self._ledger.read(promotions.last_word, call.ticket)
            gate = gate.model_copy(update={"promotion": promotion})
        return gate

    @activity.defn(name=contracts.POSTCHECK.name)
    async def postcheck(self, call: PostcheckCall) -> CheckReport:
        """Look whether every object is still as it was applied: metrics may be of something else."""
        async with beating():
            await asyncio.sleep(call.after)
            return await self._as_applied(call, call.snapshot)

    @activity.defn(name=contracts.UNDO.name)
    async def undo(self, call: UndoCall) -> Undone:
        """Undo from the snapshot, in reverse order. Neither a freeze nor a ledger that is down stops it."""
        async with beating() as pulse:
            left = [EntryDraft.model_validate(draft) for drafts in left_behind() for draft in drafts]
            door = DeferringDoor(self._door, pulse, left)
            cluster = self._clusters.undo(cluster_of(call))
            snapshot = await self._snapshot(call.snapshot)
            sent = await sent_of(self._ledger, call, snapshot)
            requests = Requests(door, self._peers, call, "undo")
            undo = Undo(cluster, Writer(door, cluster, call, "undo"), requests, sent)
            undo.gitops = self._back
            try:
                await undo_all(undo, self._fencing(call, door), door, snapshot, call)
            except Stopped as stopped:
                undo.problems.append(f"Stopped: {stopped.outcome.status}; another run has the target.")
            except UpstreamUnavailable as error:
                if not door.drafts:
                    raise
                # What was written must be recorded: the answer carries it, and the caller asks again.
                undo.problems.append(error.message)
            return Undone(
                complete=not undo.problems,
                message=redact("; ".join([*undo.problems, *undo.notes]))[:2000],
                deferred=door.drafts,
            )

    @activity.defn(name=contracts.COMPARE.name)
    async def compare(self, call: CompareCall) -> Compared:
        """Compare the cluster with the snapshot; when it is as it was, the target is clean and given back."""
        async with beating():
            # What is in doubt is over before anything is compared: a late write must not follow a `restored`.
            await self._settle(call)
            cluster = self._clusters.undo(cluster_of(call))
            snapshot = await self._snapshot(call.snapshot)
            sent = await sent_of(self._ledger, call, snapshot)
            compared = await compare(cluster, snapshot, sent, self._back)
            if compared.result is RollbackResult.RESTORED:
                await self._ledger.write(targets.release_target, target=call.target, run=call.run, clean=True)
            return compared

    @activity.defn(name=contracts.FINISH.name)
    async def finish_rollout(self, call: FinishCall) -> Done:
        """Give the target back and wake who waits for it.

        What nobody wrote to is clean without success, too.
        """
        row = await self._ledger.read(targets.get_target, call.target)
        clean = call.succeeded or (row is not None and not row.dirty)
        if clean:
            await self._settle(call)
        await self._ledger.write(targets.release_target, target=call.target, run=call.run, clean=clean)
        return Done()

    async def _as_applied(self, call: RolloutCall, digest: Digest) -> CheckReport:
        snapshot, cluster = await self._snapshot(digest), self._clusters.forward(cluster_of(call))
        manifests = await load(self._repositories, await self._stored(call))
        stated = {before.ref for before in snapshot.objects if before.part == "stated"}
        ours = [m for m in manifests if ref_of(cluster.name, m) in stated]
        found = [line for manifest in ours for line in await drifted(cluster, manifest, scale=False)]
        again = [ref for ref in sorted(snapshot.removed, key=str) if await cluster.read(ref) is not None]
        found += [f"{ref.kind} {ref.name} is there again" for ref in again]
        for commit in snapshot.commits:
            found += await changed_since(self._forward, commit, cluster.name)
        message = "; ".join(found)[:2000] or f"All {len(ours)} objects are as they were applied."
        check = Check(name="as_applied", passed=not found, message=message)
        return CheckReport(passed=check.passed, checks=[check])

    async def _settle(self, call: RolloutCall) -> None:
        """Fence what this run left in doubt, and wait until its creates can no longer land."""
        row = await self._ledger.read(targets.get_target, call.target)
        if row is None or row.holder_run != call.run:
            return
        fencing = self._fencing(call)
        await fencing.outwait(await fencing.close_now(await self._door.in_doubt(call.target)))

    async def _stage(self, call: StepCall) -> Stage:
        stored = await self._stored(call)
        cluster = self._clusters.forward(cluster_of(call))
        return Stage(
            call=call,
            cluster=cluster,
            writer=Writer(self._door, cluster, call, "forward"),
            requests=Requests(self._door, self._peers, call, "forward"),
            manifests=await load_with_paths(self._repositories, stored),
            change=stored.change,
            commit=stored.commit,
            snapshot=await self._snapshot(call.snapshot),
            gitops=self._forward,
            source=partial(self._repositories.read, stored.repository, stored.commit),
        )

    async def _take(self, call: BeginCall) -> Snapshot:
        stored = await self._stored(call)
        loaded = await load_whole(self._repositories, stored)
        cluster = self._clusters.forward(cluster_of(call))
        runs, exchanges = runs_of(stored, loaded.all), exchanges_of(stored.change)
        made = await commits.begin(self._forward.branches, call.start.plan, stored.change, call.ticket)
        once: dict[int, tuple[ObjectRef, Part]] = {
            **{run.index: (ref_of(cluster.name, run.forward), "ran") for run in runs},
            **{exchange.index: (exchange.ref(), "asked") for exchange in exchanges},
            **{commit.index: (commit.ref, "committed") for commit in made},
        }
        does = parts(call.start.plan, stored.change, loaded.manifests, cluster.name, once=once)
        return await take(cluster, does, runs, exchanges, made)

    def _fencing(self, call: RolloutCall, door: Door | None = None) -> Fencing:
        return Fencing(door or self._door, self._clusters, cause=call.run)

    async def _stored(self, call: RolloutCall) -> StoredChange:
        return (await self._ledger.read(change_of, call.ticket)).at(call.target)

    async def _snapshot(self, digest: Digest) -> Snapshot:
        return Snapshot.model_validate_json(await asyncio.to_thread(self._blobs.get_secret, digest))


def _begun(call: BeginCall, digest: Digest, snapshot: Snapshot) -> Begun:
    stables = {str(step.config["deployment"]) for step in call.start.plan if step.kind in BESIDE}
    whole = any(before.ref.kind == "Deployment" and before.ref.name in stables for before in snapshot.absent)
    return Begun(
        snapshot=digest, objects=len(snapshot.objects), absent=len(snapshot.absent), created_whole=whole
    )
