"""Let time pass, on a durable timer of the workflow."""

from activities.steps.unwritten import Unwritten
from holdpoint.models.change import Step
from holdpoint.models.durations import format_duration
from holdpoint.models.timed_steps import WaitConfig


class Wait(Unwritten[WaitConfig]):
    """One wait for the time to pass, in the workflow."""

    kind = "wait"

    def config(self, step: Step) -> WaitConfig | None:
        """Return the step's configuration, if it is of this kind."""
        return step.wait

    def does(self, config: WaitConfig) -> str:
        """Return what the step does, in one line."""
        return f"waits {format_duration(config.for_)}"
