"""What a change brings, as a digest, and what is known of it: where it succeeded, and where it is banned."""

from typing import Literal

from pydantic import Field

from holdpoint.models.base import Digest, Instant, Model

Unknown = Literal["unknown"]
"""A fact nobody could find out. It is never read as good."""


class Artifact(Model):
    """What a change brings.

    `digest` is the same in every environment that runs the same images; `content` only where every object is
    the same, too. Objects without any image are known by their repository and commit.
    """

    digest: Digest = Field(description="of the container images; without any, of repository and commit")
    content: Digest = Field(description="of all objects as they are applied, with secrets masked")
    images: list[str] = []


class Requirement(Model):
    """What must be so elsewhere before an artifact may come: succeeded there, and soaked so many seconds."""

    environment: str
    soak: float = 0.0


class Soak(Model):
    """An obligation: the change begins when its artifact has run there so long without a breach."""

    environment: str
    seconds: float


class Breach(Model):
    """Why a run does not count any more: the ticket whose rollback ended it."""

    ticket: str
    code: str
    at: Instant


class Rung(Model):
    """The last run of an artifact on one target of one environment; times are in seconds.

    A run begins with a success, goes on over further ones of the same artifact, and ends with the success of
    another or with a breach. `running` is unknown where a change was left half undone.
    """

    environment: str
    target: str
    ticket: str | None = Field(default=None, description="the last success; null where there was none")
    succeeded_at: Instant | None = None
    verdicts: dict[str, int] = Field(default={}, description="how often that ticket was given each verdict")
    running: bool | Unknown = False
    since: Instant | None = Field(default=None, description="when the run began")
    ended_at: Instant | None = None
    ended_by: str | None = Field(default=None, description="the ticket that ended the run")
    breach: Breach | None = None
    soak: float | Unknown = Field(default=0.0, description="how long it ran without a breach, up to now")
    soak_at_submit: float | Unknown = Field(
        default=0.0, description="the same up to when this ticket was submitted, which no clock moves"
    )


Covers = Literal["artifact", "content"]


class Ban(Model):
    """A digest that was rolled back on a service, and is denied there until a person lifts this.

    `covers` says of what the digest is: of the artifact, or, where that was not what was new, of exactly
    these objects.
    """

    id: str
    service: str
    environment: str
    target: str
    covers: Covers
    digest: Digest
    artifact: Digest
    ticket: str = Field(description="the ticket that brought it, and was rolled back")
    code: str = Field(description="why: `analysis_failed` or `rolled_back_after_success`")
    message: str
    at: Instant
    lifted_at: Instant | None = None
    lifted_by: str | None = None
    lift_reason: str | None = None


class ArtifactFacts(Artifact):
    """What policies may know of an artifact. `written` is false for a plan that writes nothing."""

    written: bool = True
    ladder: list[Rung] = []
    bans: list[Ban] = Field(default=[], description="bans in force on this service that cover it")
    promoted_from: str | None = Field(default=None, description="the ticket that it was promoted from")
