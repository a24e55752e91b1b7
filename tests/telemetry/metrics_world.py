"""Every metric that the processes expose, made as they make them."""

from prometheus_client import Metric

from holdpoint.clients.catalog import NullCatalog
from holdpoint.telemetry.bounds import Bounds
from holdpoint.telemetry.metrics import Metrics
from holdpoint.telemetry.standing import Gauges
from holdpoint.telemetry.story import Story


def exposed() -> dict[str, Metric]:
    """Return our metrics by the name that a query uses."""
    metrics, bounds = Metrics(), Bounds(["production"], NullCatalog())
    Gauges(metrics, bounds)
    Story(metrics, bounds)
    found = list(metrics.registry.collect())
    named = {f"{m.name}_total" if m.type == "counter" else m.name: m for m in found}
    return {name: metric for name, metric in named.items() if name.startswith("holdpoint_")}
