"""What the routes take and give where it is not one of the shared models. Unknown fields are mistakes."""

import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from holdpoint.models.artifact import Ban
from holdpoint.models.base import Digest, Instant, Model, StrictModel
from holdpoint.models.change import ChangeType, Target
from holdpoint.models.change_fields import Name
from holdpoint.models.record import Scope
from holdpoint.models.ticket import TicketView
from holdpoint.service.freeze import FreezeView
from holdpoint.service.scopes import parse_scope


def _writable(text: str) -> str:
    """Return text that every database and every log can hold. Raises ValueError."""
    if "\0" in text or any(unicodedata.category(c) == "Cs" for c in text):
        raise ValueError("must not hold NUL or half of a surrogate pair")
    return text


Text = Annotated[str, AfterValidator(_writable)]


def _said(text: str) -> str:
    """Return text that says something. Raises ValueError."""
    if not text.strip():
        raise ValueError("must say why")
    return text


ReasonText = Annotated[Text, Field(max_length=1000, description="why, for people and for the record")]
ScopeText = Annotated[
    Scope,
    BeforeValidator(parse_scope),
    WithJsonSchema(
        {"type": "string", "maxLength": 200, "examples": ["all", "service=shop,environment=production"]}
    ),
]


def parse_stage(text: object) -> Target:
    """Return the target of a rehearsal. Raises ValueError."""
    cluster, slash, namespace = text.partition("/") if isinstance(text, str) else ("", "", "")
    try:
        if not slash:
            raise ValueError(text)
        return Target(cluster=cluster, namespace=namespace)
    except ValueError as error:
        raise ValueError("must be CLUSTER/NAMESPACE, such as eu-1/staging") from error


StageText = Annotated[
    Target,
    BeforeValidator(parse_stage),
    WithJsonSchema({"type": "string", "maxLength": 127, "examples": ["eu-1/staging"]}),
]


class SubmitBody(StrictModel):
    """A change file as it is written, and the folder that a relative repository is taken from."""

    change: Annotated[Text, Field(max_length=262_144)]
    base: Annotated[Text, Field(max_length=4096)] | None = None


class RehearsalBody(SubmitBody):
    """A change file, and where its plan is rehearsed: `CLUSTER/NAMESPACE`, in an environment."""

    target: StageText
    environment: Name = "staging"


class ApproveBody(StrictModel):
    """What is approved: the digest that was shown."""

    digest: Digest
    reason: ReasonText = ""


class RejectBody(StrictModel):
    """Why it is rejected; with a digest, only if it is still what was shown."""

    digest: Digest | None = None
    reason: ReasonText = ""


class ReasonBody(StrictModel):
    """Why."""

    reason: ReasonText = ""


class PromoteBody(StrictModel):
    """What goes on without a verdict, by the digest that was shown, and why."""

    digest: Digest
    reason: Annotated[ReasonText, Field(min_length=1), AfterValidator(_said)]
    weight: Annotated[
        int | None,
        Field(ge=1, le=100, description="the weight to go on with; null: the next one of the plan"),
    ] = None


class LiftBanBody(StrictModel):
    """Why what was rolled back may come again."""

    reason: Annotated[ReasonText, Field(min_length=1), AfterValidator(_said)]


class TakeoverBody(StrictModel):
    """Why a person takes a target in hand; or, with `done`, what they did there."""

    reason: Annotated[ReasonText, Field(min_length=1), AfterValidator(_said)]
    done: bool = Field(
        default=False, description="it is done: compare with the snapshot, and free the target"
    )


class ConfirmBody(StrictModel):
    """What is said of which manual step: that it is done, or that it failed, and in what way."""

    step: Annotated[Text, Field(min_length=1, max_length=200, description="the name of the manual step")]
    reason: Annotated[ReasonText, Field(min_length=1), AfterValidator(_said)]
    failed: bool = Field(default=False, description="it failed: the change is rolled back")


class FreezeBody(StrictModel):
    """What to freeze, why, until when, and which change types may go on."""

    scope: ScopeText
    reason: Annotated[ReasonText, Field(min_length=1), AfterValidator(_said)]
    until: Instant | None = None
    except_: Annotated[list[ChangeType], Field(alias="except", max_length=3)] = []
    include_rollbacks: Annotated[
        bool,
        Field(description="hold rollbacks after success, too; the undo of a running change goes on"),
    ] = False


class Tickets(Model):
    """A list of tickets, newest first."""

    items: list[TicketView]


class Freezes(Model):
    """A list of freezes, oldest first."""

    items: list[FreezeView]


class Bans(Model):
    """A list of bans, newest first."""

    items: list[Ban]


class EntryView(Model):
    """One entry of the record. The bytes that are hashed are in the exported evidence."""

    seq: int
    at: Instant
    kind: str
    actor: str
    body: dict[str, Any]


class StoryView(Model):
    """Entries of a ticket after a sequence number, and the ticket as it is now."""

    entries: list[EntryView]
    view: TicketView


class Health(Model):
    """That the process answers; for `ready`, that the ledger does as well."""

    status: str
