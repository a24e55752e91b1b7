"""Judge what stands now by `spec.analysis`, without changing any weight."""

from activities.steps.unwritten import Unwritten
from holdpoint.models.change import Step
from holdpoint.models.durations import format_duration
from holdpoint.models.timed_steps import AnalysisConfig


class Analysis(Unwritten[AnalysisConfig]):
    """One wait for a verdict, in the workflow."""

    kind = "analysis"

    def config(self, step: Step) -> AnalysisConfig | None:
        """Return the step's configuration, if it is of this kind."""
        return step.analysis

    def does(self, config: AnalysisConfig) -> str:
        """Return what the step does, in one line."""
        return f"judges what stands for {format_duration(config.for_)}"
