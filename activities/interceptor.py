"""What happens around every activity: its record is appended first, and our errors leave as Temporal's."""

from datetime import timedelta
from typing import Any

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from holdpoint.ledger import entries
from holdpoint.ledger.store import Ledger
from holdpoint.models.activity_calls import Call
from holdpoint.models.contracts import UNDO
from holdpoint.models.errors import Conflict, HoldpointError, TransientError
from holdpoint.models.redact import redact

log = structlog.get_logger()

WORDS = frozenset(
    {
        "approval.given",
        "approval.rejected",
        "manual.confirmed",
        "manual.failed",
        "promote.given",
        "takeover.begun",
        "takeover.done",
        "takeover.ended",
    }
)
"""What only a door writes, behind its token check (design decision 26). A workflow can be given anything to
record by whoever reaches Temporal, so none of these is taken from one."""

LONGEST_MESSAGE = 2000
"""Characters. A failure travels through history and is shown to people; the rest is in the worker's log."""


class RecordingInterceptor(Interceptor):
    """Records what waited in workflow state before the activity runs; converts errors after it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Return the link of the chain that does it."""
        return _Inbound(next, self._ledger)


class _Inbound(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, ledger: Ledger) -> None:
        super().__init__(next)
        self._ledger = ledger

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        try:
            await self._record(input)
            return await super().execute_activity(input)
        except HoldpointError as error:
            log.warning("activity.refused", code=error.code, message=redact(error.message), exc_info=error)
            # The cause stays in the log: a foreign error's words may hold what must not reach a history.
            raise converted(error) from None

    async def _record(self, input: ExecuteActivityInput) -> None:
        """Append what the call carries. An undo never waits for the record store: it is recorded later."""
        call = input.args[0] if input.args else None
        if not isinstance(call, Call) or call.record is None:
            return
        forged = next((draft.kind for draft in call.record.entries if draft.kind in WORDS), None)
        if forged is not None:
            raise Conflict(
                f"A workflow wants `{forged}` recorded, which is a person's word at the API's door."
            )
        if activity.info().activity_type != UNDO.name:
            await self._ledger.write(entries.append, call.record)


def converted(error: HoldpointError) -> ApplicationError:
    """Return the error as Temporal knows it: typed by its code, retried only where that can help."""
    transient = isinstance(error, TransientError)
    delay = error.retry_after if isinstance(error, TransientError) else None
    upstream = error.detail.get("upstream")
    return ApplicationError(
        redact(error.message)[:LONGEST_MESSAGE],
        *([{"upstream": upstream}] if upstream else []),
        type=error.code,
        non_retryable=not transient,
        next_retry_delay=None if delay is None else timedelta(seconds=delay),
    )
