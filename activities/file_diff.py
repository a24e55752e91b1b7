"""What the commits of a plan would change, file by file, as lines: part of the plan's diff.

A file in which a Secret is stated is told by a fingerprint only: its lines may hold what nobody should read.
"""

import re
from dataclasses import dataclass
from functools import partial
from typing import Literal

from activities.commits import KIND, config_of, wanted
from activities.masking import Fingerprint, masked_text
from activities.plan_diff import lines_of
from holdpoint.clients.git import Repositories
from holdpoint.clients.git_writing import FileAt
from holdpoint.ledger.tickets import StoredChange
from holdpoint.models.plan import PlannedStep
from holdpoint.models.plan_diff import FieldDiff, ObjectDiff
from holdpoint.models.redact import MASK

MOST_LINES = 400
"""Lines of one file's diff that are shown; what follows is told by its number and by a fingerprint."""

FROM = "gitCommit.files.from"

_SECRET = re.compile(rb"^[ \t-]*[\"']?kind[\"']?[ \t]*:[ \t]*[\"']?Secret\b", re.MULTILINE)

Key = tuple[str, str, str]
"""Repository, branch and path."""


@dataclass
class _State:
    """A file as the branch has it, and as the steps so far leave it."""

    was: FileAt | None
    now: FileAt | None


async def file_diffs(
    repositories: Repositories, stored: StoredChange, plan: list[PlannedStep], fingerprint: Fingerprint
) -> list[ObjectDiff]:
    """Return the files that the plan's commits would change, as they are when all of them are through.

    Raises StepConfig and InvalidChange for a step that cannot run, and UpstreamUnavailable.
    """
    branches, states = repositories.branches, dict[Key, _State]()
    source = partial(repositories.read, stored.repository, stored.commit, field=FROM)
    for step in plan:
        if step.kind != KIND:
            continue
        config = config_of(step)
        head = await branches.head(config.repository, config.branch)
        found = await branches.files(config.repository, head, config.paths)
        keys = {path: (config.repository, config.branch, path) for path in config.paths}
        for path, key in keys.items():
            states.setdefault(key, _State(found.get(path), found.get(path)))
        at = {path: now for path, key in keys.items() if (now := states[key].now) is not None}
        for path, content in (await wanted(config, at, source)).items():
            mode = at[path].mode if path in at else ""
            states[keys[path]].now = FileAt(mode, "", content)
    return [diff for key, state in states.items() if (diff := _diff(key, state, fingerprint)) is not None]


def _diff(key: Key, state: _State, fingerprint: Fingerprint) -> ObjectDiff | None:
    was = b"" if state.was is None else state.was.content
    now = b"" if state.now is None else state.now.content
    if state.was is not None and was == now:
        return None
    repository, branch, path = key
    return ObjectDiff(
        change="create" if state.was is None else "change",
        api_version=f"git:{repository}@{branch}",
        kind="File",
        name=path,
        fields=[_content(was, now, fingerprint, new=state.was is None)],
        message=f"On {branch} of {repository}.",
    )


def _content(was: bytes, now: bytes, fingerprint: Fingerprint, *, new: bool) -> FieldDiff:
    change: Literal["added", "changed"] = "added" if new else "changed"
    hidden = FieldDiff(
        field="content",
        change=change,
        was=None if new else f"{MASK} #{fingerprint(was)}",
        now=f"{MASK} #{fingerprint(now)}",
    )
    if _SECRET.search(was) or _SECRET.search(now):
        return hidden
    try:
        before, after = (masked_text(one.decode(), fingerprint) for one in (was, now))
    except UnicodeDecodeError:
        return hidden
    lines = list(lines_of(before, after))
    if len(lines) > MOST_LINES or not lines:
        # What is not shown is bound all the same.
        rest = f"… {max(0, len(lines) - MOST_LINES)} more lines #{fingerprint(was)} #{fingerprint(now)}"
        lines = [*lines[:MOST_LINES], rest]
    return FieldDiff(field="content", change=change, lines=lines)
