"""What the ledger keeps: entries, intents, freezes and targets, as plain values."""

import hashlib
from typing import Any, Literal

from pydantic import Field, model_validator

from holdpoint.models.base import Digest, Instant, Model, StrictModel

Direction = Literal["forward", "undo"]
Verb = Literal["apply", "patch", "delete", "fence", "request", "push"]
"""What a request does. A `request` is one over HTTP to another server, a `push` one to a Git repository; the
others go to a cluster."""
ELSEWHERE = frozenset({"request", "push"})
"""Verbs of requests that no cluster sees: its fences do not reach them, its log does not have them."""

ROLLBACK_TYPE = "rollback"
"""What a freeze calls the ticket that rolls back one which succeeded, whatever type that was."""


def freeze_type(change_type: str, *, rolls_back: bool) -> str:
    """Return the type that a freeze looks at: a rollback after success is a type of its own."""
    return ROLLBACK_TYPE if rolls_back else change_type


class EntryDraft(Model):
    """An entry before the ledger numbers it.

    `key` makes a repeated append harmless; `at` is the workflow's time.
    """

    key: str
    kind: str = Field(description="noun.past, such as `approval.given`")
    actor: str
    at: Instant
    body: dict[str, Any] = {}


class Record(Model):
    """What a workflow wants recorded; it travels in the next activity's argument (design decision 15).

    `patch` replaces whole top-level fields of the ticket's view. It is applied only when the last entry
    is new, so that a late, repeated attempt can never put an older state back.
    """

    ticket: str
    entries: list[EntryDraft] = []
    patch: dict[str, Any] = {}

    @model_validator(mode="after")
    def _patch_rides_on_an_entry(self) -> "Record":
        if self.patch and not self.entries:
            raise ValueError("a patch needs an entry to ride on")
        return self


class Entry(Model):
    """One line of the record.

    `raw` is its RFC 8785 form, verbatim; the leaf is hashed over exactly these bytes.
    """

    seq: int
    ticket: str | None
    kind: str
    actor: str
    at: Instant
    body: dict[str, Any]
    raw: bytes


class ObjectRef(Model):
    """One object in one cluster, or one HTTP request: method and URL, at a server, of a step."""

    cluster: str
    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        if self.api_version == "http":
            return f"{self.kind} {self.name}"
        return f"{self.cluster}/{self.namespace}/{self.kind}/{self.name}"


class Scope(StrictModel):
    """What a freeze covers: everything, or what matches each label that is given."""

    everything: bool = False
    service: str | None = None
    environment: str | None = None

    @model_validator(mode="after")
    def _covers_something(self) -> "Scope":
        if self.everything == bool(self.service or self.environment):
            raise ValueError("scope is either `all` or names service, environment or both")
        return self

    def covers(self, *, service: str, environment: str) -> bool:
        """Tell whether a change of this service and environment is in scope."""
        return self.everything or (
            self.service in (None, service) and self.environment in (None, environment)
        )

    def __str__(self) -> str:
        if self.everything:
            return "all"
        pairs = (("service", self.service), ("environment", self.environment))
        return ",".join(f"{name}={value}" for name, value in pairs if value)


class Freeze(Model):
    """One freeze.

    It is in force from `seq` until it is lifted or `until` has passed, by the database's clock.
    """

    id: str
    scope: Scope
    reason: str
    by: str
    created_at: Instant
    until: Instant | None = None
    except_types: list[str] = []
    seq: int
    lifted_at: Instant | None = None
    lifted_by: str | None = None
    acknowledged_at: Instant | None = Field(
        default=None, description="when no forward intent in scope was open any more"
    )
    facts: dict[str, Any] | None = Field(default=None, description="what the last acknowledgement said")

    def stops(self, *, service: str, environment: str, change_type: str) -> bool:
        """Tell whether this freeze, while it is in force, stops a forward write of such a change."""
        return change_type not in self.except_types and self.scope.covers(
            service=service, environment=environment
        )


class IntentRequest(Model):
    """One mutating request that is about to be sent: one API request, never a whole step.

    `key` names the request within its rollout, so that a retry finds it again. `resource_version` is what was
    observed before opening; None means that the object did not exist. `budget` is in seconds, by the
    database's clock.
    """

    ticket: str
    target: str
    run: str = Field(description="the rollout run that must hold the target")
    key: str
    direction: Direction
    verb: Verb
    object: ObjectRef
    resource_version: str | None
    body: Digest | None = Field(default=None, description="digest of what is sent")
    service: str
    environment: str
    change_type: str
    budget: float = 15.0

    @property
    def id(self) -> str:
        """Return the intent's ID; it is computed, so that it can be minted while the ledger is down."""
        text = "\0".join((self.ticket, self.run, self.direction, self.key))
        return "i" + hashlib.sha256(text.encode()).hexdigest()[:24]


IntentStatus = Literal["open", "done", "refused", "fenced"]


class Intent(Model):
    """An intent as the ledger holds it.

    Past its deadline an open one is in doubt; only a fence or an answer closes it.
    """

    id: str
    request: IntentRequest
    attempt: int
    status: IntentStatus
    opened_seq: int
    deadline: Instant
    in_doubt: bool = False
    result: dict[str, Any] | None = None
    deferred: bool = False

    @property
    def audit_id(self) -> str:
        """Return what the API server's audit log will carry for this attempt."""
        return f"{self.id}.{self.attempt}"


class Opened(Model):
    """The intent is open and this attempt may be sent, until the deadline."""

    outcome: Literal["opened"] = "opened"
    intent: Intent


class AlreadyClosed(Model):
    """The intent was closed before; its recorded result says how."""

    outcome: Literal["closed"] = "closed"
    intent: Intent


class LeftOpen(Model):
    """An earlier attempt is open: its effect is unknown. Observe, then close it or open a new attempt."""

    outcome: Literal["left_open"] = "left_open"
    intent: Intent


class Refused(Model):
    """Nothing may be sent: a freeze covers it, or the run no longer holds the target."""

    outcome: Literal["refused"] = "refused"
    code: Literal["frozen", "not_holder"]
    message: str
    freezes: list[Freeze] = []


OpenOutcome = Opened | AlreadyClosed | LeftOpen | Refused


PERSON = "person/"
"""Begins the holder of a target that a person has in hand. A run's ID is Temporal's, and never begins so."""


class TargetRow(Model):
    """One target: who holds it, whether it is dirty, and what its last rollout needs to be undone."""

    target: str
    holder_ticket: str | None = None
    holder_run: str | None = None
    dirty: bool = False
    snapshot: Digest | None = None
    rollout: dict[str, Any] | None = Field(
        default=None, description="the RolloutStart of the holder, so that anyone can start the undo"
    )

    @property
    def in_hand_of(self) -> str | None:
        """Return the account that has taken the target over; None where nobody has."""
        held = self.holder_run or ""
        return held.removeprefix(PERSON) if held.startswith(PERSON) else None


class LanePlace(Model):
    """Where a ticket stands in the lanes of its targets."""

    granted: bool
    position: int = 0
    holder_ticket: str | None = None
    dirty: bool = False
    target: str = Field(default="", description="which lane, where it is not granted")
