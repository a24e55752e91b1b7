"""Have a person do something from a runbook; the workflow waits for their word."""

from activities.steps.unwritten import Unwritten
from holdpoint.models.change import Step
from holdpoint.models.durations import format_duration
from holdpoint.models.timed_steps import ManualConfig


class Manual(Unwritten[ManualConfig]):
    """One wait for a word of a person, in the workflow."""

    kind = "manual"

    def config(self, step: Step) -> ManualConfig | None:
        """Return the step's configuration, if it is of this kind."""
        return step.manual

    def does(self, config: ManualConfig) -> str:
        """Return what the step does, in one line."""
        runbook = f" (runbook: {config.runbook})" if config.runbook else ""
        within = format_duration(config.timeout)
        return f"{config.who} does by hand, within {within}: {config.what}{runbook}"
