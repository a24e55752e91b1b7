"""Where a ticket stands, and the one table of legal transitions (docs/concepts.md draws it)."""

from enum import StrEnum


class Phase(StrEnum):
    """Where a ticket stands in its life."""

    EVALUATING = "Evaluating"
    AWAITING_APPROVAL = "AwaitingApproval"
    SCHEDULED = "Scheduled"
    PRECHECKING = "Prechecking"
    EXECUTING = "Executing"
    VERIFYING = "Verifying"
    ROLLING_BACK = "RollingBack"
    SUCCEEDED = "Succeeded"
    REJECTED = "Rejected"
    EXPIRED = "Expired"
    ABORTED = "Aborted"
    FAILED = "Failed"
    ROLLED_BACK = "RolledBack"
    ROLLBACK_FAILED = "RollbackFailed"
    ERRORED = "Errored"

    @property
    def terminal(self) -> bool:
        """Tell whether the ticket's life is over (a failed rollback may still be tried again)."""
        return self in TERMINAL


TERMINAL = frozenset(
    {
        Phase.SUCCEEDED,
        Phase.REJECTED,
        Phase.EXPIRED,
        Phase.ABORTED,
        Phase.FAILED,
        Phase.ROLLED_BACK,
        Phase.ROLLBACK_FAILED,
        Phase.ERRORED,
    }
)

TRANSITIONS: dict[Phase, frozenset[Phase]] = {
    Phase.EVALUATING: frozenset(
        {Phase.AWAITING_APPROVAL, Phase.SCHEDULED, Phase.REJECTED, Phase.ABORTED, Phase.ERRORED}
    ),
    Phase.AWAITING_APPROVAL: frozenset(
        {Phase.SCHEDULED, Phase.REJECTED, Phase.EXPIRED, Phase.ABORTED, Phase.ERRORED}
    ),
    # Back to AwaitingApproval: the second evaluation may ask for more, or void what was given.
    Phase.SCHEDULED: frozenset(
        {
            Phase.PRECHECKING,
            Phase.AWAITING_APPROVAL,
            Phase.REJECTED,
            Phase.EXPIRED,
            Phase.ABORTED,
            Phase.ERRORED,
        }
    ),
    Phase.PRECHECKING: frozenset(
        {Phase.EXECUTING, Phase.SCHEDULED, Phase.FAILED, Phase.ABORTED, Phase.ERRORED}
    ),
    Phase.EXECUTING: frozenset(
        {Phase.VERIFYING, Phase.ROLLING_BACK, Phase.FAILED, Phase.ABORTED, Phase.ERRORED}
    ),
    Phase.VERIFYING: frozenset({Phase.SUCCEEDED, Phase.ROLLING_BACK}),
    Phase.ROLLING_BACK: frozenset({Phase.ROLLED_BACK, Phase.ROLLBACK_FAILED}),
    # Tried again; or restored by a person who took the target over, which the comparison has confirmed.
    Phase.ROLLBACK_FAILED: frozenset({Phase.ROLLING_BACK, Phase.ROLLED_BACK}),
    **{phase: frozenset() for phase in TERMINAL if phase is not Phase.ROLLBACK_FAILED},
}
