"""Submit a change: one ticket however often, and however many at once, the same key arrives.

The ticket, its first entry, its idempotency key and the order to start its workflow are one transaction on
the ledger. So a ticket exists as soon as the caller is answered, and is started later if Temporal is down
now.
"""

import hashlib
import re
import secrets
from datetime import datetime
from typing import Any

from holdpoint.clients.git import Repositories
from holdpoint.ledger import tickets
from holdpoint.ledger.clock import now
from holdpoint.ledger.store import Ledger
from holdpoint.ledger.tickets import StoredChange
from holdpoint.models.base import Model
from holdpoint.models.change import Step
from holdpoint.models.errors import InvalidRequest
from holdpoint.models.phases import Phase
from holdpoint.models.record import EntryDraft
from holdpoint.models.settings import Settings
from holdpoint.models.ticket import StepView, TargetView, TicketView
from holdpoint.models.waves import wave_plan
from holdpoint.service import promotion
from holdpoint.service.outbox import Delivery
from holdpoint.service.prepare import Prepared, read_asked, resolve
from holdpoint.service.preview import Evaluator
from holdpoint.service.roles import Actor, Permission, require

DERIVED = "content:"
"""A key that begins so asks the server to derive it: it joins only a ticket that is still open."""
KEY = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?")
ALPHABET = "abcdefghijklmnopqrstuvwxyz23456789"
"""Letters and digits that cannot be mistaken for each other when read aloud."""


class Submission(Model):
    """What arrived: the file's text, the folder it lies in, and the caller's idempotency key.

    `promote_from` is the environment whose last success gives the commit, in place of the file's revision.
    """

    text: str
    base: str | None
    key: str
    promote_from: str | None = None


class Submitted(Model):
    """The ticket, and whether this submission made it."""

    view: TicketView
    created: bool


async def submit(
    submission: Submission,
    actor: Actor,
    *,
    ledger: Ledger,
    repositories: Repositories,
    settings: Settings,
    delivery: Delivery,
    evaluator: Evaluator,
) -> Submitted:
    """Return the one ticket of this key.

    Raises InvalidChange, InvalidRequest, NotFound, AccessDenied, and Conflict, also where there is nothing to
    promote.
    """
    require(actor, Permission.SUBMIT)
    check_key(submission.key)
    asked, origin = read_asked(submission.text, submission.base, settings=settings), None
    if submission.promote_from is not None:
        asked = promotion.check(asked, submission.promote_from, settings)
    derived = submission.key.startswith(DERIVED)
    if not derived:  # such a key needs no commit: a repeated one is answered when the repository is away, too
        earlier = await ledger.read(tickets.opened_by, key=submission.key, content=asked.digest)
        if earlier is not None:
            return Submitted(view=earlier, created=False)
    if submission.promote_from is not None:
        asked, origin = await promotion.promoted(asked, submission.promote_from, ledger=ledger)
    prepared = await resolve(asked, repositories=repositories)
    view = new_ticket(prepared, actor, at=await ledger.read(now))
    links = {} if origin is None else {"promoted_from": origin.ticket}
    view, stored = view.model_copy(update=links), stored_change(view.id, prepared, actor, **links)
    if origin is not None:
        promotion.check_same(origin, await evaluator.artifact(stored))
    view, created = await ledger.write(
        tickets.open_ticket,
        view=view,
        stored=stored,
        key=derived_key(prepared) if derived else submission.key,
        content=prepared.digest,
        scope_open_only=derived,
        draft=first_entry(view, prepared, submission.key, **links),
    )
    delivery.nudge()
    return Submitted(view=view, created=created)


def check_key(key: str) -> None:
    """Return if this can be an idempotency key. Raises InvalidRequest."""
    if not KEY.fullmatch(key):
        message = "Idempotency-Key must be 1 to 255 printable ASCII characters."
        mistake = {"field": "Idempotency-Key", "found": f"{len(key)} characters", "allowed": message}
        raise InvalidRequest(message, mistakes=[{**mistake, "message": message}])


def derived_key(prepared: Prepared) -> str:
    """Return the key of a submission that has none of its own: content, resolved commit and target."""
    text = "\0".join((prepared.digest, prepared.commit, *prepared.targets))
    return DERIVED + hashlib.sha256(text.encode()).hexdigest()


def new_ticket(prepared: Prepared, actor: Actor, *, at: datetime) -> TicketView:
    """Return the view of a ticket that has just begun to be evaluated."""
    meta, source = prepared.change.metadata, prepared.change.spec.source
    return TicketView(
        id="chg-" + "".join(secrets.choice(ALPHABET) for _ in range(10)),
        title=meta.title,
        service=meta.service,
        environment=meta.environment,
        type=meta.type,
        phase=Phase.EVALUATING,
        steps=[_step(number, step) for number, step in enumerate(prepared.change.spec.plan.steps, 1)],
        created_at=at,
        requester=actor.account,
        commit=prepared.commit,
        repository=prepared.repository,
        revision=source.revision,
        target=prepared.target,
        targets=_targets(prepared),
    )


def _targets(prepared: Prepared) -> list[TargetView]:
    plan = wave_plan(prepared.many, prepared.change.spec.plan.waves)
    return [TargetView(target=key, wave=n) for n, wave in enumerate(plan.waves, 1) for key in wave]


def _step(number: int, step: Step) -> StepView:
    return StepView(name=step.name or f"{number}-{step.kind}", kind=step.kind)


def stored_change(ticket: str, prepared: Prepared, actor: Actor, **links: Any) -> StoredChange:
    """Return what the ledger keeps of a submission; `links` name the ticket that it follows from."""
    return StoredChange(
        ticket=ticket,
        change=prepared.change,
        commit=prepared.commit,
        repository=prepared.repository,
        requester=actor.account,
        digest=prepared.digest,
        targets=prepared.many,
        **links,
    )


def first_entry(view: TicketView, prepared: Prepared, key: str, **more: Any) -> EntryDraft:
    """Return the entry that a ticket begins with; `more` stands in its body, too."""
    return EntryDraft(
        key=f"{view.id}/submitted",
        kind="ticket.submitted",
        actor=view.requester,
        at=view.created_at,
        body={
            "change": prepared.change.model_dump(mode="json"),
            "repository": prepared.repository,
            "revision": view.revision,
            "commit": prepared.commit,
            "target": prepared.target,
            **({"targets": prepared.many} if prepared.many else {}),
            "digest": prepared.digest,
            "idempotency_key": key,
            **more,
        },
    )
