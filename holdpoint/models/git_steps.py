"""The step kind `gitCommit`: files of a repository that a GitOps controller brings to its cluster."""

import re
from collections.abc import Collection
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from holdpoint.models.base import StrictModel
from holdpoint.models.change_fields import Line, Name, ObjectName, Path
from holdpoint.models.durations import Duration
from holdpoint.models.git_names import check_absolute, check_branch, check_repository
from holdpoint.models.source import ValueItem

LONGEST_PATH = 500

File = Annotated[Path, AfterValidator(lambda path: str(PurePosixPath(path)))]
"""A file of a repository, as Git writes its path."""
KEY = r"[A-Za-z0-9_][A-Za-z0-9_/-]*"
"""What a key may be without quotes; any other stands in brackets: `["app.kubernetes.io/name"]`."""

_PART = re.compile(
    rf"(?P<key>{KEY})|\[(?P<index>[0-9]{{1,5}})\]|\[\"(?P<quoted>[^\"\\]{{1,250}})\"\]"
    r"|\[(?P<name>[A-Za-z0-9_-]{1,100})=(?P<value>[^\[\]\"=]{1,250})\]"
)

Part = str | int | tuple[str, str]
"""A key, the place of an item, or the field and value by which an item is found."""


def value_parts(path: str) -> list[Part]:
    """Return the parts of a value's path. Raises ValueError for what is none."""
    found, at = list[Part](), 0
    while at < len(path):
        dotted = path[at] == "."
        match = _PART.match(path, at + dotted)
        if match is None or dotted != (at > 0 and match["key"] is not None):
            raise ValueError(
                "must be keys and items such as images[0].newTag, containers[name=web].image or "
                'annotations["example.com/version"]'
            )
        if match["index"] is not None:
            found.append(int(match["index"]))
        elif match["name"] is not None:
            found.append((match["name"], match["value"]))
        else:
            found.append(match["key"] or match["quoted"])
        at = match.end()
    return found


def check_value_path(path: str) -> str:
    """Return `path` if it names a value of a YAML file. Raises ValueError."""
    if not path.isprintable() or not value_parts(path):
        raise ValueError("must name a value, in printable characters")
    return path


def check_environment_repository(value: str) -> str:
    """Return the address of a repository that does not hang on where the file lies. Raises ValueError."""
    return check_absolute(check_repository(value))


def check_changes_files(given: Collection[str]) -> None:
    """Hold that a commit has something to change. Raises ValueError."""
    if "set" not in given and "files" not in given:
        raise ValueError("must have set, files or both: what the commit changes")


def check_one_reporter(given: Collection[str]) -> None:
    """Hold that exactly one controller's object is waited for. Raises ValueError."""
    if ("application" in given) == ("kustomization" in given):
        raise ValueError("must have either application (Argo CD) or kustomization (Flux)")


class FileValue(StrictModel):
    """One value of a YAML or JSON file, which is there already. All around it stays as it is written."""

    file: File = Field(description="The file, relative to the root of the environment repository.")
    path: Annotated[str, Field(min_length=1, max_length=LONGEST_PATH), AfterValidator(check_value_path)] = (
        Field(
            description="The value: keys and items such as `images[0].newTag`, `containers[name=web].image` "
            'or `annotations["example.com/version"]`.'
        )
    )
    value: ValueItem = Field(
        description="What it becomes. Put a number-like text such as `'6.10'` in quotes. It is kept in the "
        "record: never a secret."
    )


class CopiedFile(StrictModel):
    """One file that becomes what a file of `source` is at the change's commit."""

    model_config = ConfigDict(populate_by_name=False, serialize_by_alias=True)

    from_: File = Field(
        alias="from", description="A file of `source.repository`, at the commit of the change."
    )
    to: File = Field(description="The file of the environment repository; it is made if it is not there.")


class Reporter(StrictModel):
    """An object of a controller, by its name."""

    namespace: Name = Field(description="Its namespace, such as `argocd` or `flux-system`.")
    name: ObjectName = Field(description="Its name.")


class ControllerWait(StrictModel):
    """The controller's object that must report the commit as applied and healthy."""

    application: Reporter | None = Field(default=None, description="Argo CD's Application.")
    kustomization: Reporter | None = Field(default=None, description="Flux's Kustomization.")
    cluster: Name | None = Field(
        default=None,
        description="The cluster that the object lies in. Default: `target.cluster`.",
    )

    @model_validator(mode="after")
    def _one_reporter(self) -> "ControllerWait":
        names = ("application", "kustomization")
        check_one_reporter([name for name in names if getattr(self, name) is not None])
        return self


class GitCommitConfig(StrictModel):
    """Commit to a branch of an environment repository, and wait until its GitOps controller has it healthy.

    An undo is a revert commit.
    """

    repository: Annotated[
        str, Field(min_length=1, max_length=1000), AfterValidator(check_environment_repository)
    ] = Field(
        description="The environment repository: a URL that the settings allow to push to (`git_push`), or "
        "an absolute path in the embedded stack."
    )
    branch: Annotated[str, Field(min_length=1, max_length=250), AfterValidator(check_branch)] = Field(
        description="The branch that the controller follows; it must be there."
    )
    set: list[FileValue] = Field(
        default_factory=list, max_length=100, description="Single values that are changed in place."
    )
    files: list[CopiedFile] = Field(
        default_factory=list, max_length=100, description="Files that are taken over whole from `source`."
    )
    message: Line | None = Field(
        default=None,
        description="The commit's subject. Default: the change's title, service and environment.",
    )
    wait: ControllerWait | None = Field(
        default=None, description="What reports the commit. Without it the step ends with the push."
    )
    timeout: Duration = Field(
        default=900.0,
        description="How long the controller may take, after the push and again after a revert. Argo CD "
        "looks every 3 minutes by default.",
    )

    @model_validator(mode="after")
    def _changes_each_once(self) -> "GitCommitConfig":
        check_changes_files([name for name in ("set", "files") if getattr(self, name)])
        check_apart([one.to for one in self.files], [(one.file, one.path) for one in self.set])
        return self

    @property
    def paths(self) -> list[str]:
        """Return the files that the commit may touch, each once."""
        return list(dict.fromkeys([*(one.file for one in self.set), *(one.to for one in self.files)]))


def check_apart(copied: list[str], values: list[tuple[str, str]]) -> None:
    """Hold that no two entries change the same. Raises ValueError."""
    names = [*copied, *dict.fromkeys(file for file, _ in values)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise ValueError(f"must change {twice!r} in one way: by set, or by one entry of files")
    again = next((one for one in values if values.count(one) > 1), None)
    if again:
        raise ValueError(f"must set {again[1]!r} of {again[0]!r} once")
    for name in names:
        if any(other.startswith(f"{name}/") for other in names):
            raise ValueError(f"must not have {name!r} as a file and as a folder")
