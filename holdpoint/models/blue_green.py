"""The step kind that puts a whole new version beside the old one and switches a Service, as it is written."""

from pydantic import Field, model_validator

from holdpoint.models.base import StrictModel
from holdpoint.models.change_fields import Name
from holdpoint.models.durations import Duration

SWITCHING = "blueGreen"
"""Its name as a step kind. Its one weight is 100, and is judged all the same."""


class BlueGreenConfig(StrictModel):
    """Run the new version beside the old one at full size, then send all requests to it by one write."""

    deployment: Name = Field(
        description="The Deployment that gets the new version; it must be among the manifests."
    )
    service: Name = Field(description="The Service of its pods; its selector is switched.")
    preview: Name | None = Field(
        default=None,
        description="A Service that selects the new version before the switch. One that is there is given "
        "back at the end; else it is made, and removed.",
    )
    bake: Duration = Field(
        default=60.0, description="How long the new version is judged at least once it has all requests."
    )
    scaleDown: Duration = Field(
        default=300.0,
        description="How long the old version keeps running after the switch, as the way back by one write. "
        "Never shorter than the judging.",
    )
    timeout: Duration = Field(
        default=600.0, description="How long the new version may take to become ready, each time."
    )

    @model_validator(mode="after")
    def _preview_is_another(self) -> "BlueGreenConfig":
        if self.preview == self.service:
            raise ValueError("must have a preview that is another Service than the one that is switched")
        return self
