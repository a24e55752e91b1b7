"""Traces by OpenTelemetry: the API's request, the workflow that it starts, and its activities are one trace.

Without a collector in the settings nothing is made: the API of OpenTelemetry is then a null. What a span says
is masked before it leaves the process.
"""

from collections.abc import Sequence

import structlog
from opentelemetry import trace
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Status
from temporalio.contrib.opentelemetry import TracingInterceptor

from holdpoint.models.redact import redact, redact_text

log = structlog.get_logger()

FLUSH_MS = 3000
"""How long a process that ends waits for its last spans to be taken."""


class Traces:
    """What a process traces with: interceptors for Temporal's client, and its end."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._provider = provider
        self.interceptors: list[TracingInterceptor] = []
        if provider is not None:
            self.interceptors = [TracingInterceptor(provider.get_tracer("holdpoint"))]

    def close(self) -> None:
        """Send what is left, for a few seconds at most."""
        if self._provider is not None:
            self._provider.force_flush(FLUSH_MS)
            self._provider.shutdown()


def start(endpoint: str | None, *, service: str) -> Traces:
    """Send this process's spans to a collector by OTLP/HTTP; without one, trace nothing.

    OpenTelemetry's own variables for headers, sampling and resources are honoured.
    """
    if endpoint is None:
        return Traces()
    # Slow to import, so only where it is asked for.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(MaskingExporter(exporter)))
    trace.set_tracer_provider(provider)
    return Traces(provider)


class MaskingExporter(SpanExporter):
    """Masks secrets in what spans say (an exception's words above all) and passes them on."""

    def __init__(self, next: SpanExporter) -> None:
        self._next = next

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Pass masked copies on."""
        return self._next.export([masked(span) for span in spans])

    def shutdown(self) -> None:
        """End the exporter behind this one."""
        self._next.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Have the exporter behind this one send what it has."""
        return self._next.force_flush(timeout_millis)


def masked(span: ReadableSpan) -> ReadableSpan:
    """Return a copy of a span in which nothing looks like a secret."""
    said = span.status.description
    return ReadableSpan(
        name=redact_text(span.name),
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=redact(dict(span.attributes or {})),
        events=[Event(e.name, redact(dict(e.attributes or {})), e.timestamp) for e in span.events],
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code, redact_text(said) if said else None),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
