"""How a Prometheus names what pods count: exporters and meshes do not agree."""

from typing import Annotated, Literal

from pydantic import Field

from holdpoint.models.base import StrictModel

MetricName = Annotated[str, Field(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$", max_length=200)]
LabelName = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$", max_length=200)]


class MetricNames(StrictModel):
    """Metrics and labels by their names; the defaults are those that the sandbox has."""

    requests: MetricName = Field(default="http_requests_total", description="counter of requests by status")
    durations: MetricName = Field(
        default="http_request_duration_seconds_bucket", description="histogram of how long requests took"
    )
    unit: Literal["s", "ms"] = Field(default="s", description="what the histogram's edges are in")
    namespace: LabelName = Field(default="namespace", description="label of the pod's namespace")
    deployment: LabelName = Field(default="deployment", description="label of the Deployment's name")
    pod: LabelName = Field(default="pod", description="label of the pod's name")
    status: LabelName = Field(default="status", description="label of the status; 5xx are failures")

    def in_unit(self, seconds: float) -> float:
        """Return a time in the unit of the histogram's edges."""
        return seconds * 1000 if self.unit == "ms" else seconds
