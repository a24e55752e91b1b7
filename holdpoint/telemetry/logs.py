"""Logs: one JSON object a line on stderr. A log line is never evidence; the ledger is.

Every line carries what its place knows: the request, the ticket and its phase, the trace. Secrets are masked
on the way out, whoever wrote the line.
"""

import logging
import sys
from typing import TextIO

import structlog
from opentelemetry import trace
from structlog.typing import EventDict, Processor, WrappedLogger
from temporalio import activity, workflow

from holdpoint.models.redact import redact

TICKET_PREFIX = "change/"


def configure(stream: TextIO = sys.stderr, level: str = "info") -> None:
    """Send structlog and the standard library's logging to `stream`, as JSON lines."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        add_trace,
    ]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.ExtraAdder(),
                add_workflow,
                *shared,
                structlog.stdlib.add_logger_name,
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                mask,
                structlog.processors.JSONRenderer(sort_keys=True, default=str),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # one line a request says nothing to anybody
    # The SDK would write its details into the sentence; they are keys here.
    workflow.logger.workflow_info_on_message = False
    activity.logger.activity_info_on_message = False
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def add_trace(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Name the trace and the span that the line belongs to, where there is one."""
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event["trace_id"], event["span_id"] = f"{span.trace_id:032x}", f"{span.span_id:016x}"
    return event


def add_workflow(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Say a workflow's ticket and phase in our words; the SDK's own loggers know the workflow only."""
    about = event.pop("temporal_workflow", None) or event.pop("temporal_activity", None)
    event.pop("temporal_activity", None)
    if not isinstance(about, dict):
        return event
    event.setdefault("workflow", about.get("workflow_id"))
    event.setdefault("run", about.get("run_id") or about.get("workflow_run_id"))
    for name in ("activity_type", "attempt", "update_name"):
        if name in about:
            event.setdefault(name.removesuffix("_type").removesuffix("_name"), about[name])
    if str(event["workflow"]).startswith(TICKET_PREFIX):
        event.setdefault("ticket", str(event["workflow"]).removeprefix(TICKET_PREFIX))
    if workflow.in_workflow():
        _add_state(event)
    return event


def _add_state(event: EventDict) -> None:
    """Read ticket and phase from the workflow that is speaking. It only reads: replay is not touched."""
    speaking = workflow.instance()
    start, phase = getattr(speaking, "start", None), getattr(speaking, "phase", None)
    if (ticket := getattr(start, "ticket", None)) is not None:
        event["ticket"] = ticket
    if phase is not None:
        event["phase"] = str(phase)


def mask(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Mask what looks like a secret, at any depth."""
    masked: EventDict = redact(dict(event))
    return masked
