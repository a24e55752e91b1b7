"""Step kinds that name objects: those to be removed, configuration with what uses it, and Jobs."""

from collections.abc import Collection
from typing import Annotated, Literal

from pydantic import Field, model_validator

from holdpoint.models.base import StrictModel
from holdpoint.models.change_fields import ApiVersion, Kind, Name, ObjectName
from holdpoint.models.durations import Duration


class DeletedObject(StrictModel):
    """One object of the target's namespace."""

    kind: Kind = Field(description="Its kind, such as `Deployment`.")
    name: ObjectName = Field(description="Its name.")
    apiVersion: ApiVersion | None = Field(
        default=None, description="Its version. Default: that of the built-in kind; others must state it."
    )


class DeleteConfig(StrictModel):
    """Remove objects of the target's namespace, and wait until they are gone. An undo makes them again."""

    objects: Annotated[list[DeletedObject], Field(min_length=1, max_length=100)] = Field(
        description="What is removed, in this order."
    )
    irreversible: bool = Field(
        default=False,
        description="Remove also what no undo can bring back: PersistentVolumeClaims with their data, "
        "Jobs and Pods, which would run again.",
    )
    timeout: Duration = Field(default=120.0, description="How long the objects may take to be gone.")


class ConfigObject(StrictModel):
    """One ConfigMap or Secret of the change."""

    kind: Literal["ConfigMap", "Secret"] = Field(description="`ConfigMap` or `Secret`.")
    name: ObjectName = Field(description="Its name.")


class ConfigConfig(StrictModel):
    """Apply ConfigMaps and Secrets, and roll the workloads that use them, so that they read them."""

    objects: list[ConfigObject] = Field(
        default_factory=list,
        max_length=100,
        description="Which of the change's ConfigMaps and Secrets; none means all.",
    )
    roll: list[Name] | None = Field(
        default=None,
        max_length=50,
        description="The Deployments to roll. Default: those of the namespace that use one of the objects; "
        "an empty list rolls none.",
    )
    timeout: Duration = Field(default=600.0, description="How long the Deployments may take to be ready.")


def check_way_back(given: Collection[str]) -> None:
    """Hold that a job says how it is undone, or that it cannot be. Raises ValueError."""
    if ("undo" in given) == ("cannotBeUndone" in given):
        raise ValueError("must have either undo, with the Job that takes it back, or cannotBeUndone: true")


class JobUndo(StrictModel):
    """The Job that takes back what another did."""

    name: ObjectName = Field(description="A Job among the change's objects; it runs in a rollback only.")


class JobConfig(StrictModel):
    """Run a Job of the change once, and wait until it is complete: a database migration or the like."""

    name: ObjectName = Field(
        description="A Job among the change's objects. It runs as `<name>-<ticket>-<step>`."
    )
    timeout: Duration = Field(
        default=600.0,
        description="How long it may run; then it is ended and has failed. So is the undo's Job.",
    )
    undo: JobUndo | None = Field(default=None, description="The Job that a rollback runs, once.")
    cannotBeUndone: bool = Field(
        default=False,
        description="Nothing takes back what it does: a rollback leaves it, and says so. High risk.",
    )

    @model_validator(mode="after")
    def _says_its_way_back(self) -> "JobConfig":
        check_way_back(
            [
                *(["undo"] if self.undo is not None else []),
                *(["cannotBeUndone"] if self.cannotBeUndone else []),
            ]
        )
        if self.undo is not None and self.undo.name == self.name:
            raise ValueError("must have an undo that is another Job than the one it undoes")
        return self
