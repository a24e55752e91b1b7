"""What is told of every activity and workflow task: log lines with ticket, phase and trace, and metrics.

A workflow's phase travels to its activities in a header: nothing else in an activity knows it, and nothing of
a replay depends on it.
"""

import time
from typing import Any

import structlog
from opentelemetry import trace
from structlog.contextvars import bound_contextvars
from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.exceptions import ApplicationError, is_cancelled_exception
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
    StartActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from holdpoint.models.activity_calls import Call
from holdpoint.models.contracts import ACTIVITIES
from holdpoint.models.errors import HoldpointError
from holdpoint.telemetry.bounds import known
from holdpoint.telemetry.metrics import Metrics

log = structlog.get_logger()

PHASE_HEADER = "holdpoint-phase"
NAMES = frozenset(named.name for named in ACTIVITIES)
UPSTREAMS = ("git", "policy", "cluster", "ledger", "metrics", "temporal")


def _codes(kind: type[HoldpointError]) -> set[str]:
    return {kind.code}.union(*(_codes(below) for below in kind.__subclasses__()))


CODES = _codes(HoldpointError)


class ObservingInterceptor(Interceptor):
    """Binds the log's keys, times every attempt, and counts failures by code."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Return the link of the chain that does it."""
        return _Activity(next, self._metrics)

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        """Return what sends the phase along."""
        return _Workflow


class _Activity(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, metrics: Metrics) -> None:
        super().__init__(next)
        self._metrics = metrics

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info, call = activity.info(), input.args[0] if input.args else None
        ticket = call.ticket if isinstance(call, Call) else None
        phase = input.headers.get(PHASE_HEADER)
        keys = {
            "ticket": ticket,
            "phase": phase.data.decode() if phase is not None else None,
            "activity": info.activity_type,
            "attempt": info.attempt,
            "workflow": info.workflow_id,
        }
        with bound_contextvars(**{name: value for name, value in keys.items() if value is not None}):
            return await self._timed(input, known(info.activity_type, NAMES), ticket)

    async def _timed(self, input: ExecuteActivityInput, name: str, ticket: str | None) -> Any:
        began, result = time.perf_counter(), "failed"
        try:
            answer = await super().execute_activity(input)
            result = "done"
        except BaseException as error:
            result = "cancelled" if is_cancelled_exception(error) else "failed"
            if result == "failed":
                self._failed(name, error)
            raise
        else:
            return answer
        finally:
            seconds = time.perf_counter() - began
            log.info("activity.ended", result=result, seconds=round(seconds, 3))
            self._metrics.activity_seconds.labels(activity=name, result=result).observe(
                seconds, _exemplar(ticket)
            )

    def _failed(self, name: str, error: BaseException) -> None:
        code, upstream = "broke", "none"
        if isinstance(error, ApplicationError):
            code = known(error.type, CODES)
            detail = error.details[0] if error.details and isinstance(error.details[0], dict) else {}
            upstream = known(detail.get("upstream") or "none", (*UPSTREAMS, "none"))
        self._metrics.activity_failures.labels(activity=name, code=code, upstream=upstream).inc()


def _exemplar(ticket: str | None) -> dict[str, str] | None:
    """Return the example that goes with a measurement: its ticket and its trace, not as labels."""
    span = trace.get_current_span().get_span_context()
    found = {"ticket": ticket} if ticket else {}
    return (found | {"trace_id": f"{span.trace_id:032x}"}) if span.is_valid else found or None


class _Workflow(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Outbound(outbound))


class _Outbound(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
        phase = getattr(workflow.instance(), "phase", None)
        if phase is not None:
            input.headers = {**input.headers, PHASE_HEADER: Payload(data=str(phase).encode())}
        return super().start_activity(input)
