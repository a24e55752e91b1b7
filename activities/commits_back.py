"""The way back of a commit: a revert of exactly that commit, on top of whatever came after it.

What others have pushed meanwhile stays. Where they have changed the very lines, nothing is taken back, and
the comparison names the file and their commit.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from activities.commits import (
    REVERTS,
    CommitRun,
    body_of,
    forward_of,
    live_of,
    own,
    revert_of,
    send_commit,
)
from activities.gitops import Awaited, Gitops, look, reporter, wait_applied
from activities.intents import Writer
from activities.writes import Body
from holdpoint.clients.cluster import Cluster, Receipt
from holdpoint.clients.git_writing import FileAt, Marked
from holdpoint.models.errors import PermanentError, StepConfig
from holdpoint.models.record import Intent, ObjectRef, Verb


@dataclass(frozen=True)
class Trace:
    """A file in three commits: before ours, as ours made it, and as the branch has it."""

    path: str
    before: FileAt | None
    ours: FileAt | None
    now: FileAt | None

    @property
    def is_back(self) -> bool:
        """Tell whether the file is as it was before."""
        return _blob(self.now) == _blob(self.before)

    @property
    def is_ours(self) -> bool:
        """Tell whether the file is as ours made it."""
        return _blob(self.now) == _blob(self.ours)


@dataclass(frozen=True)
class RevertPush:
    """The revert of a step's commit on its branch; nothing where the branch does not have the commit."""

    key: str
    run: CommitRun
    gitops: Gitops
    verb: Verb = "push"

    @property
    def ref(self) -> ObjectRef:
        """Name the commit."""
        return self.run.ref

    async def look(self) -> dict[str, Any]:
        """Return the branch as it is now, with the revert if it has it."""
        head, found = await _found(self.gitops, self.run)
        return live_of(head, revert_of(self.run, found))

    async def missing(self, cluster: Cluster, live: dict[str, Any] | None) -> Body | None:
        """Return the files as they are without the commit, while anything of it is left.

        Raises StepConfig where others have changed the same lines.
        """
        if live is None or live["spec"]["commit"] is not None:
            return None
        head = str(live["spec"]["head"])
        forward = forward_of(self.run, await own(self.gitops.branches, self.run, head))
        if forward is None:
            return None
        contents = dict[str, bytes | None]()
        for trace in await _traces(self.gitops, self.run, forward, head):
            if not trace.is_back:
                contents[trace.path] = await self._without(trace, forward, head)
        return body_of(head, contents) if contents else None

    async def send(self, cluster: Cluster, body: Body, intent: Intent, budget: float) -> Receipt:
        """Push it, naming the commit that it reverts."""
        head = str(body.manifest["parent"])
        forward = forward_of(self.run, await own(self.gitops.branches, self.run, head))
        reverted = "" if forward is None else forward.commit
        message = self.run.message(
            f'Revert "{self.run.subject}"', intent, f"This reverts commit {reverted}.", Reverts=reverted
        )
        return await send_commit(self.gitops, self.run, body, message, intent, budget)

    async def _without(self, trace: Trace, forward: Marked, head: str) -> bytes | None:
        """Return a file's content without the commit; None for one that it made."""
        if trace.is_ours:
            return None if trace.before is None else trace.before.content
        kept = await _merged(self.gitops, self.run, trace)
        if kept is None:
            raise StepConfig(await _told_moved(self.gitops, self.run, trace.path, forward, head))
        return kept


async def revert(gitops: Gitops, writer: Writer, run: CommitRun, cluster: str, notes: list[str]) -> bool:
    """Take a commit back, if the branch has it, and wait for its controller; tell whether anything was sent.

    Raises StepConfig where it cannot be taken back. What the controller says else is noted.
    """
    push = RevertPush(f"undo/{run.ref.kind}/{run.ref.name}", run, gitops)
    sent = await writer.settle(push)
    _, found = await _found(gitops, run)
    reverted = revert_of(run, found)
    if reverted is not None and run.config.wait is not None:
        awaited = Awaited(reporter(run.config.wait, cluster), run.config.repository, reverted.commit)
        report = await wait_applied(gitops, awaited, limit=run.config.timeout)
        if report.standing != "applied":
            notes.append(f"The revert {reverted.commit[:12]} is pushed, but: {report.message}")
    return sent


@dataclass
class Left:
    """What a commit has left after an undo: what is ours to take back, and what others have changed."""

    ours: list[str] = field(default_factory=list)
    theirs: list[str] = field(default_factory=list)


async def left_of(gitops: Gitops, run: CommitRun, cluster: str) -> Left:
    """Return what a commit has left on its branch, and with its controller."""
    head, found = await _found(gitops, run)
    forward, left = forward_of(run, found), Left()
    if forward is None:
        return left
    for trace in await _traces(gitops, run, forward, head):
        where = f"{run.ref.kind}/{run.ref.name}: {trace.path}"
        if trace.is_back:
            continue
        if trace.is_ours:
            left.ours.append(f"{where} is still as commit {forward.commit[:12]} made it")
        elif not await _is_without(gitops, run, trace):
            said = await _told_moved(gitops, run, trace.path, forward, head)
            left.theirs.append(f"{where}: {said}")
    left.ours.extend(await _unreported(gitops, run, cluster, revert_of(run, found)))
    return left


async def _unreported(gitops: Gitops, run: CommitRun, cluster: str, reverted: Marked | None) -> list[str]:
    """Return that the controller has not got as far as the revert; how healthy that is, is not ours."""
    if reverted is None or run.config.wait is None:
        return []
    awaited = Awaited(reporter(run.config.wait, cluster), run.config.repository, reverted.commit)
    try:
        report = await look(gitops, awaited)
    except PermanentError as error:
        return [f"Nobody knows whether the revert {reverted.commit[:12]} is applied: {error.message}"]
    if report.seen:
        return []
    return [f"The revert {reverted.commit[:12]} is not applied yet: {report.message}"]


async def changed_since(gitops: Gitops, run: CommitRun, cluster: str) -> list[str]:
    """Return what is not as the step left it: its commit is gone, its files are others, or it has failed."""
    head, found = await _found(gitops, run)
    forward, lines = forward_of(run, found), list[str]()
    if forward is None:
        return []  # nothing had to be changed
    for trace in await _traces(gitops, run, forward, head):
        ours = [one.commit for one in found]
        touch = await gitops.branches.touched(
            run.config.repository, head, since=forward.commit, path=trace.path
        )
        if not trace.is_ours and (touch is None or touch.commit not in ours):
            lines.append(f"{trace.path} of {run.config.repository} was changed by {touch or 'somebody'}")
    if run.config.wait is not None:
        awaited = Awaited(reporter(run.config.wait, cluster), run.config.repository, forward.commit)
        report = await look(gitops, awaited)
        if report.standing == "failed":
            lines.append(report.message.rstrip("."))
    return lines


async def _found(gitops: Gitops, run: CommitRun) -> tuple[str, list[Marked]]:
    head = await gitops.branches.head(run.config.repository, run.config.branch)
    return head, await own(gitops.branches, run, head)


async def _traces(gitops: Gitops, run: CommitRun, forward: Marked, head: str) -> list[Trace]:
    """Return each file that the commit changed."""
    repository, paths = run.config.repository, run.config.paths
    before, ours, now = [
        await gitops.branches.files(repository, commit, paths)
        for commit in (f"{forward.commit}^", forward.commit, head)
    ]
    return list(_changed([Trace(p, before.get(p), ours.get(p), now.get(p)) for p in paths]))


def _changed(traces: list[Trace]) -> Iterator[Trace]:
    yield from (trace for trace in traces if _blob(trace.before) != _blob(trace.ours))


async def _merged(gitops: Gitops, run: CommitRun, trace: Trace) -> bytes | None:
    """Return a file without our lines and with those of others; None where they are the same."""
    if trace.now is None or trace.ours is None or trace.before is None:
        return None
    return await gitops.branches.merged(
        run.config.repository, trace.now.content, base=trace.ours.content, other=trace.before.content
    )


async def _is_without(gitops: Gitops, run: CommitRun, trace: Trace) -> bool:
    """Tell whether nothing of ours is left in a file that others have changed, too."""
    return trace.now is not None and await _merged(gitops, run, trace) == trace.now.content


async def _told_moved(gitops: Gitops, run: CommitRun, path: str, forward: Marked, head: str) -> str:
    touch = await gitops.branches.touched(run.config.repository, head, since=forward.commit, path=path)
    who = "somebody, who has rewritten the branch" if touch is None else str(touch)
    return (
        f"{path} was changed in the same lines after commit {forward.commit[:12]}, by {who}; "
        "it is not reverted, so that their work stays"
    )


def _blob(found: FileAt | None) -> str:
    return "" if found is None else found.blob


__all__ = ["REVERTS", "Left", "RevertPush", "changed_since", "left_of", "revert"]
