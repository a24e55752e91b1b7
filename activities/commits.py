"""The commits of `gitCommit` steps: what they change, and the push that brings one to its branch, once.

A commit carries marks: its ticket, its step, and a token that was drawn when the rollout began. Whoever
comes later, after a worker's death or a lost answer, finds it on the branch by that token. Two attempts
cannot both land: each push names the commit that it expects there.
"""

import base64
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from activities.gitops import Gitops
from activities.intents import Stopped
from activities.naming import naming
from activities.writes import Body
from activities.yaml_edit import set_value
from holdpoint.clients.cluster import INTENT_ANNOTATION, Cluster, Receipt
from holdpoint.clients.git_branches import Branches
from holdpoint.clients.git_writing import FileAt, Marked, Touch
from holdpoint.models.activity_calls import StepOutcome
from holdpoint.models.base import Model
from holdpoint.models.change import Change
from holdpoint.models.errors import StepConfig, UpstreamUnavailable
from holdpoint.models.git_steps import GitCommitConfig
from holdpoint.models.plan import PlannedStep
from holdpoint.models.record import Intent, ObjectRef, Verb
from holdpoint.models.ticket import Reason

KIND = "gitCommit"
GIT = "git"
"""In the place of a cluster, in references to commits."""

TICKET, STEP, ROLLOUT = "Holdpoint-Ticket", "Holdpoint-Step", "Holdpoint-Rollout"
INTENT, REVERTS = "Holdpoint-Intent", "Holdpoint-Reverts"

Source = Callable[[str], Awaitable[bytes]]
"""Returns a file of the change's source, at its commit."""


class Seen(Model):
    """What a plan was made on: the commit of the branch, and the blob of each file; empty where none was."""

    head: str
    blobs: dict[str, str]


class CommitRun(Model):
    """One commit of a rollout: where it goes, its token, and how the branch was before."""

    index: int
    config: GitCommitConfig
    token: str
    head: str
    seen: Seen
    ticket: str
    subject: str

    @property
    def ref(self) -> ObjectRef:
        """Name the commit as the object of its intent."""
        config = self.config
        return ObjectRef(
            cluster=GIT,
            api_version=GIT,
            kind="Commit",
            namespace=config.repository,
            name=f"{config.branch}#{self.index}",
        )

    @property
    def mark(self) -> str:
        """Return the mark that all commits of the rollout carry."""
        return f"{ROLLOUT}: {self.token}"

    def message(self, subject: str, intent: Intent, *paragraphs: str, **more: str) -> str:
        """Return a commit's message with its marks."""
        marks = {
            TICKET: self.ticket,
            STEP: str(self.index),
            ROLLOUT: self.token,
            INTENT: intent.audit_id,
            **{f"Holdpoint-{name}": value for name, value in more.items()},
        }
        told = "\n".join(f"{name}: {value}" for name, value in marks.items())
        return "\n\n".join([subject, *paragraphs, told]) + "\n"


def config_of(step: PlannedStep) -> GitCommitConfig:
    """Return the configuration of a planned step."""
    return GitCommitConfig.model_validate({k: v for k, v in step.config.items() if k != "seen"})


def shape_of(step: PlannedStep) -> list[Any]:
    """Return what a commit changes and who reports it, without what anything becomes."""
    config = config_of(step)
    values = [[one.file, one.path] for one in config.set]
    files = [[one.from_, one.to] for one in config.files]
    wait = None if config.wait is None else config.wait.model_dump(mode="json", exclude_none=True)
    return [config.repository, config.branch, values, files, wait]


async def with_seen(branches: Branches, step: PlannedStep) -> PlannedStep:
    """Return a planned step with the files that it will change, as they are now."""
    if step.kind != KIND:
        return step
    config = config_of(step)
    branches.check(config.repository)
    seen = await see(branches, config)
    return step.model_copy(update={"config": {**step.config, "seen": seen.model_dump()}})


async def see(branches: Branches, config: GitCommitConfig) -> Seen:
    """Return the branch with the blobs of a step's files, as they are now."""
    head = await branches.head(config.repository, config.branch)
    found = await branches.files(config.repository, head, config.paths)
    blobs = {path: found[path].blob if path in found else "" for path in config.paths}
    return Seen(head=head, blobs=blobs)


async def begin(branches: Branches, plan: list[PlannedStep], change: Change, ticket: str) -> list[CommitRun]:
    """Return the runs of a plan's `gitCommit` steps, in order, with a token for all of them."""
    token, runs = secrets.token_hex(16), []
    for step in plan:
        if step.kind != KIND:
            continue
        config = config_of(step)
        now = await see(branches, config)
        known = step.config.get("seen")
        run = CommitRun(
            index=step.index,
            config=config,
            token=token,
            head=now.head,
            seen=now if known is None else Seen.model_validate(known),
            ticket=ticket,
            subject=subject_of(config, change),
        )
        runs.append(run)
    return runs


def subject_of(config: GitCommitConfig, change: Change) -> str:
    """Return the first line of the commit's message."""
    meta = change.metadata
    return config.message or f"{meta.title} ({meta.service}, {meta.environment})"


async def wanted(config: GitCommitConfig, at: Mapping[str, FileAt], source: Source) -> dict[str, bytes]:
    """Return the files that would not stay as they are, each with its new content.

    Raises StepConfig, naming the file, where a value cannot be set.
    """
    contents = {path: found.content for path, found in at.items()}
    for one in config.files:
        contents[one.to] = await source(one.from_)
    for number, value in enumerate(config.set):
        if value.file not in contents:
            raise StepConfig(f"No file: {value.file} is not on the branch {config.branch}.")
        with naming(f"set[{number}]", f"{value.file}: {value.path}"):
            contents[value.file] = _set(value.file, contents[value.file], value.path, value.value)
    return {
        path: content for path, content in contents.items() if path not in at or at[path].content != content
    }


def _set(file: str, data: bytes, path: str, value: Any) -> bytes:
    try:
        return set_value(data, path, value)
    except ValueError as error:
        raise StepConfig(f"Cannot set a value of {file}: {error}.") from error


async def own(branches: Branches, run: CommitRun, head: str) -> list[Marked]:
    """Return the commits of the rollout on the branch, oldest first."""
    return await branches.marked(run.config.repository, head, since=run.head, mark=run.mark)


def forward_of(run: CommitRun, found: list[Marked]) -> Marked | None:
    """Return the step's commit among those of its rollout."""
    mine = (one for one in found if one.marks.get(STEP) == str(run.index) and REVERTS not in one.marks)
    return next(mine, None)


def revert_of(run: CommitRun, found: list[Marked]) -> Marked | None:
    """Return the commit that took the step's back, if the branch has it."""
    forward = forward_of(run, found)
    if forward is None:
        return None
    return next((one for one in found if one.marks.get(REVERTS) == forward.commit), None)


def body_of(parent: str, contents: Mapping[str, bytes | None]) -> Body:
    """Return what a push announces: the commit that it is made on, and each file."""
    told = {
        path: None if content is None else base64.b64encode(content).decode()
        for path, content in contents.items()
    }
    return Body({"parent": parent, "files": told})


def live_of(head: str, marked: Marked | None) -> dict[str, Any]:
    """Return a branch as the intent loop looks at objects: its version is the commit that it is at."""
    notes = {} if marked is None else {INTENT_ANNOTATION: marked.marks.get(INTENT)}
    return {
        "metadata": {"resourceVersion": head, "annotations": notes},
        "spec": {"head": head, "commit": None if marked is None else marked.commit},
    }


async def send_commit(
    gitops: Gitops, run: CommitRun, body: Body, message: str, intent: Intent, budget: float
) -> Receipt:
    """Make the commit that a body announces, and push it within its budget."""
    started, config, parent = time.monotonic(), run.config, str(body.manifest["parent"])
    contents = {
        path: None if text is None else base64.b64decode(text)
        for path, text in body.manifest["files"].items()
    }
    made = await gitops.branches.commit(config.repository, parent, contents, message)
    left = budget - (time.monotonic() - started)
    if left <= 0:
        raise UpstreamUnavailable(f"There was no time left to push to {config.repository}.", upstream="git")
    await gitops.branches.push(config.repository, config.branch, made, expected=parent, limit=left)
    return Receipt(object=run.ref, audit_id=intent.audit_id, resource_version=made)


@dataclass(frozen=True)
class Push:
    """A step's commit on its branch, on top of whatever others have pushed to other files."""

    key: str
    run: CommitRun
    gitops: Gitops
    source: Source
    verb: Verb = "push"

    @property
    def ref(self) -> ObjectRef:
        """Name the commit."""
        return self.run.ref

    async def look(self) -> dict[str, Any]:
        """Return the branch as it is now."""
        config = self.run.config
        head = await self.gitops.branches.head(config.repository, config.branch)
        return live_of(head, forward_of(self.run, await own(self.gitops.branches, self.run, head)))

    async def missing(self, cluster: Cluster, live: dict[str, Any] | None) -> Body | None:
        """Return the files while the commit is not on the branch, and would change any.

        Raises Stopped with a failed outcome when somebody else has changed one of them.
        """
        if live is None or live["spec"]["commit"] is not None:
            return None
        head, config = str(live["spec"]["head"]), self.run.config
        at = await self.gitops.branches.files(config.repository, head, config.paths)
        for path in config.paths:
            await self._check_untouched(head, path, at.get(path))
        contents = await wanted(config, at, self.source)
        return body_of(head, contents) if contents else None

    async def send(self, cluster: Cluster, body: Body, intent: Intent, budget: float) -> Receipt:
        """Push it, with the names of ticket, step and intent in its message."""
        message = self.run.message(self.run.subject, intent)
        return await send_commit(self.gitops, self.run, body, message, intent, budget)

    async def _check_untouched(self, head: str, path: str, now: FileAt | None) -> None:
        run, branches = self.run, self.gitops.branches
        if ("" if now is None else now.blob) == run.seen.blobs.get(path, ""):
            return
        repository = run.config.repository
        touch = await branches.touched(repository, head, since=run.seen.head, path=path)
        ours = {one.commit for one in await own(branches, run, head)}
        if touch is None or touch.commit not in ours:
            raise Stopped(_conflict(run, path, touch))


def _conflict(run: CommitRun, path: str, touch: Touch | None) -> StepOutcome:
    who = "somebody, who has rewritten the branch" if touch is None else str(touch)
    said = (
        f"{path} of {run.config.repository} was changed since this was approved, by {who}. Nothing was "
        "pushed: submit the change again, so that its diff is on top of that."
    )
    return StepOutcome(status="failed", reason=Reason(code="commit_conflict", message=said))
