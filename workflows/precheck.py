"""Prechecking: a last look at the world, then the rollout is started."""

from collections.abc import Awaitable, Callable
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
        ticket.move(Phase.FAILED, precheck_failed(report))
        return
    if PAUSED not in ticket.clerk.holds:
        _open_review(ticket)
        if await launch(ticket):
            return
    await leave(ticket)
    ticket.move(Phase.SCHEDULED)


async def _run_checks(ticket: TicketState) -> CheckReport:
    """Run what is always checked, then what plan, catalog and policy ask for beside it."""

    async def pause(span: timedelta, summary: str) -> None:
        await wait(ticket, lambda: False, until=workflow.now() + span, summary=summary)

    targets = ticket.start.waves.targets if ticket.start.waves else []
    return await look(ticket, targets, pause=pause, idle=idling(ticket), summary="Run the prechecks")


async def look(
    ticket: TicketState,
    targets: list[str],
    *,
    pause: Callable[[timedelta, str], Awaitable[None]],
    idle: Callable[[timedelta], Awaitable[None]] | None,
    summary: str,
) -> CheckReport:
    """Return what every check says; of many targets on each of these, with its cluster in the message."""
    evaluation, bound = ticket.evaluation, timedelta(seconds=ticket.obligations.hold_bound)
    asked = evaluation.prechecks if evaluation else []
    plans = evaluation.plans if evaluation else {}
    call = PrecheckCall(
        ticket=ticket.start.ticket,
        target=ticket.start.target,
        plan=evaluation.plan if evaluation else [],
        checks=ticket.obligations.checks,
        named=[check.name for check in asked],
        plans={target: plans[target] for target in targets},
    )
    report = await ticket.clerk.insist(PRECHECK, call, summary=summary, bound=bound, idle=idle)
    if not (report.passed and asked):
        return report
    found = list(report.checks)
    for target in targets or [""]:
        checker = Checker(
            clerk=ticket.clerk,
            when="before",
            views=ticket.checks,
            bound=bound,
            pause=pause,
            target=target,
            idle=idle,
        )
        of = f"{target.partition('/')[0]}: " if target else ""
        own = (await checker.run(asked)).checks
        found += [check.model_copy(update={"message": of + check.message}) for check in own]
    await ticket.clerk.flush()  # what would wait here until the end would show these checks as they are now
    return CheckReport(passed=all(check.passed or check.unknown for check in found), checks=found)


def precheck_failed(report: CheckReport) -> Reason:
    """Return why the prechecks let nothing begin."""
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
