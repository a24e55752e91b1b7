"""What leaves the process in spans and log lines: joined by trace and ticket, and without secrets."""

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from holdpoint.telemetry import logs, traces
from holdpoint.telemetry.traces import MaskingExporter

SECRET = "password=hunter2-hunter2"


def test_a_span_leaves_without_secrets() -> None:
    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(MaskingExporter(kept)))
    try:
        with provider.get_tracer("t").start_as_current_span("s", attributes={"url": f"x?{SECRET}"}):
            raise ValueError(SECRET)
    except ValueError:
        pass

    (span,) = kept.get_finished_spans()
    assert "hunter2" not in span.to_json()
    assert "ValueError" in span.to_json()


def test_without_a_collector_nothing_is_traced() -> None:
    assert traces.start(None, service="holdpoint-api").interceptors == []


def test_a_line_carries_its_trace_and_no_secret() -> None:
    provider = TracerProvider()
    with provider.get_tracer("t").start_as_current_span("s") as span:
        line = logs.mask(None, "info", logs.add_trace(None, "info", {"event": SECRET, "deep": [SECRET]}))

    assert line["trace_id"] == f"{span.get_span_context().trace_id:032x}"
    assert "hunter2" not in str(line)


def test_a_workflows_line_speaks_our_words() -> None:
    about = {"workflow_id": "change/chg-a", "run_id": "r", "workflow_type": "ChangeTicket", "attempt": 1}

    line = logs.add_workflow(None, "info", {"event": "archive.failed", "temporal_workflow": about})

    assert line == {
        "event": "archive.failed", "workflow": "change/chg-a", "run": "r", "ticket": "chg-a", "attempt": 1,
    }  # fmt: skip
