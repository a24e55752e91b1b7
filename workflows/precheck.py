"""Prechecking: a last look at the world, then the rollout is started."""

from datetime import timedelta

from temporalio import workflow

from holdpoint.models.activity_calls import CheckReport, PrecheckCall
from holdpoint.models.contracts import PRECHECK
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import Reason, Review
from workflows.checking import Checker, why
from workflows.execution import launch
from workflows.holds import PAUSED
from workflows.schedule import leave
from workflows.state import TicketState
from workflows.waits import idling, wait


async def precheck(ticket: TicketState) -> None:
    """Begin the rollout if every check passes; a "no" fails the ticket, and nothing was touched."""
    ticket.checked_at = workflow.now()
    report = await _run_checks(ticket)
    ticket.clerk.note("precheck.finished", report.model_dump(mode="json"))
    if not report.passed:
        ticket.move(Phase.FAILED, _failed(report))
        return
    if PAUSED not in ticket.clerk.holds:
        _open_review(ticket)
        if await launch(ticket):
            return
    await leave(ticket)
    ticket.move(Phase.SCHEDULED)


async def _run_checks(ticket: TicketState) -> CheckReport:
    """Run what is always checked, then what plan, catalog and policy ask for beside it."""
    asked = ticket.evaluation.prechecks if ticket.evaluation else []
    call = PrecheckCall(
        ticket=ticket.start.ticket,
        target=ticket.start.target,
        plan=ticket.evaluation.plan if ticket.evaluation else [],
        checks=ticket.obligations.checks,
        named=[check.name for check in asked],
    )
    bound = timedelta(seconds=ticket.obligations.hold_bound)
    report = await ticket.clerk.insist(
        PRECHECK, call, summary="Run the prechecks", bound=bound, idle=idling(ticket)
    )
    if not (report.passed and asked):
        return report
    own = await _checker(ticket, bound).run(asked)
    await ticket.clerk.flush()  # what would wait here until the end would show these checks as they are now
    return own.model_copy(update={"checks": [*report.checks, *own.checks]})


def _checker(ticket: TicketState, bound: timedelta) -> Checker:
    async def pause(span: timedelta, summary: str) -> None:
        await wait(ticket, lambda: False, until=workflow.now() + span, summary=summary)

    return Checker(
        clerk=ticket.clerk,
        when="before",
        views=ticket.checks,
        bound=bound,
        pause=pause,
        idle=idling(ticket),
    )


def _failed(report: CheckReport) -> Reason:
    return Reason(code="precheck_failed", message=why(report) or "A precheck failed.")


def _open_review(ticket: TicketState) -> None:
    """Open the review that the policy asks for after an emergency; it is due whatever comes of the change."""
    within = ticket.obligations.review_within
    if within is None or ticket.review is not None:
        return
    due = workflow.now() + timedelta(seconds=within)
    reason = f"The {ticket.start.type} change skipped the queue."
    ticket.review = Review(due_at=due, reason=reason)
    shown = ticket.review.model_dump(mode="json")
    ticket.clerk.note("review.opened", shown, review=shown)
