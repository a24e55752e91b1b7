"""Submit and read changes."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response

from holdpoint.api.bodies import EntryView, StoryView, SubmitBody, Tickets
from holdpoint.api.dependencies import Caller, HasParts
from holdpoint.models.phases import Phase
from holdpoint.models.plan_diff import PlanDiff
from holdpoint.models.ticket import TicketView
from holdpoint.service.explain import Explanation, explain
from holdpoint.service.preview import Preview, SubmittedFile, preview
from holdpoint.service.read import Filter, known_ticket, list_tickets, plan_diff, story
from holdpoint.service.submit import Submission, submit

router = APIRouter(prefix="/v1/changes", tags=["changes"])

Name = Annotated[str | None, Query(max_length=63, pattern=r"^[a-z0-9.-]+$")]
LONGEST_WAIT = 60.0
"""Seconds of a long poll: shorter than the idle limits of the proxies between."""
LARGEST_SEQ = 2**63 - 1
SUBMITTED: dict[int | str, dict[str, Any]] = {
    201: {"model": TicketView, "description": "a new ticket"},
    200: {"model": TicketView | Preview, "description": "the ticket that was joined, or the dry run"},
}


@router.post("", status_code=201, response_model=None, responses=SUBMITTED)
async def submit_change(
    body: SubmitBody,
    parts: HasParts,
    actor: Caller,
    response: Response,
    idempotency_key: Annotated[str, Header(max_length=255)] = "",
    dry_run: bool = False,
    promote_from: Annotated[
        Name, Query(description="take the commit of the service's last success in this environment")
    ] = None,
) -> TicketView | Preview:
    """Open a ticket, or join the one that this key has opened. A dry run shows plan, diff and decision."""
    if dry_run:
        response.status_code = 200
        file = SubmittedFile(text=body.change, base=body.base, promote_from=promote_from)
        return await preview(file, actor, parts.preview())
    done = await submit(
        Submission(text=body.change, base=body.base, key=idempotency_key, promote_from=promote_from),
        actor,
        ledger=parts.ledger,
        repositories=parts.repositories,
        settings=parts.settings,
        delivery=parts.delivery,
        evaluator=parts.evaluator,
    )
    response.status_code = 201 if done.created else 200
    response.headers["Location"] = f"/v1/changes/{done.view.id}"
    return done.view


@router.get("")
async def list_changes(
    parts: HasParts,
    actor: Caller,
    phase: Phase | None = None,
    service: Name = None,
    environment: Name = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Tickets:
    """Return the newest tickets first."""
    wanted = Filter(phase=phase, service=service, environment=environment, limit=limit)
    return Tickets(items=await list_tickets(parts.ledger, wanted))


@router.get("/{ticket}")
async def show_change(ticket: str, parts: HasParts, actor: Caller) -> TicketView:
    """Return one ticket."""
    return await known_ticket(parts.ledger, ticket)


@router.get("/{ticket}/diff")
async def diff_change(ticket: str, parts: HasParts, actor: Caller) -> PlanDiff:
    """Return what the ticket's plan alters on the cluster, whole; secrets are masked."""
    return await plan_diff(parts.ledger, parts.blobs, ticket)


@router.get("/{ticket}/entries")
async def follow_change(
    ticket: str,
    parts: HasParts,
    actor: Caller,
    after: Annotated[int, Query(ge=0, le=LARGEST_SEQ)] = 0,
    wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
) -> StoryView:
    """Return the entries after a sequence number; if there is none, wait for one, at most `wait` seconds."""
    told = await story(parts.ledger, parts.feed, ticket, after=after, wait=wait, limit=limit)
    return StoryView(entries=[EntryView(**e.model_dump()) for e in told.entries], view=told.view)


@router.get("/{ticket}/explanation")
async def explain_change(ticket: str, parts: HasParts, actor: Caller) -> Explanation:
    """Return what the ticket waits for and who can lift it, or how it ended."""
    return await explain(parts.ledger, ticket)
