"""A service's own metrics: asked while its canary is watched, each with a finding and a sentence."""

import asyncio
from collections.abc import Sequence
from math import inf, isfinite
from typing import Any, Protocol

from activities.fleet import Fleet
from activities.fleet_counters import Place
from activities.grid import Grid, Moment, Scrapes, history_grid
from activities.own_judge import OwnJudge
from activities.own_queries import Shares, filled
from activities.transcript import Transcript
from holdpoint.clients.judges import Judges
from holdpoint.clients.metrics import Metrics
from holdpoint.judge.decision import decide
from holdpoint.judge.share import Finding, Share, judge
from holdpoint.judge.told import Told, of_share, of_values
from holdpoint.judge.values import TOLERANCE, Aim, Values
from holdpoint.models.activity_calls import JudgeCall
from holdpoint.models.analysis import Analysis
from holdpoint.models.errors import HoldpointError, StepConfig, TransientError
from holdpoint.models.own_metrics import OwnMetric


class Own(Protocol):
    """One metric of the service."""

    metric: OwnMetric

    async def told(self, moment: Moment) -> Told:
        """Return what is found now. Raises UpstreamUnavailable and StepConfig."""

    def document(self) -> dict[str, Any]:
        """Return what was asked and answered, as evidence."""


class OwnShare:
    """A `ratio`: judged as failed requests are."""

    def __init__(self, metric: OwnMetric, metrics: Metrics, place: Place, analysis: Analysis) -> None:
        self.metric, self._place = metric, place
        self._fleet = Fleet(metrics, place, analysis, only=[Shares(metric, place)])

    async def told(self, moment: Moment) -> Told:
        """Return what is found now."""
        now, baked, deadline, count = moment
        [found] = (await self._fleet.compared(now, baked=baked, deadline=deadline, others=count - 1)).values()
        share = Share(self.metric.name, found.requests, found.bad, found.bad, self.metric.allowed)
        absolute = judge(share, baked=baked, metrics=count)
        return of_share(decide(absolute, found if self._place.stable else None), events="events")

    def document(self) -> dict[str, Any]:
        """Return what was asked and answered."""
        return {"asked": self._fleet.asked.document(), "history": self._fleet.history.document()}


class OwnValue:
    """A `value`: the canary's beside stable's, by their ranks and by its edges."""

    def __init__(self, metric: OwnMetric, metrics: Metrics, place: Place) -> None:
        self.metric, self._metrics, self._place = metric, metrics, place
        self._aim = aim_of(metric)
        self._values: Values | None = None
        self._scrapes: Scrapes | None = None
        self._asked, self._history = Transcript(), Transcript()

    async def told(self, moment: Moment) -> Told:
        """Return what is found now."""
        if self._values is None:
            self._values = await self._begun()
        self._scrapes = self._scrapes or Scrapes(
            self._place.began, self._place.every, self._place.lag, moment.now
        )
        if grid := self._scrapes.due(moment.now):
            await self._take(self._values, grid)
            self._scrapes.taken(grid)
        _, baked, deadline, count = moment
        beside = bool(self._place.stable)
        found = self._values.finding(baked=baked, deadline=deadline, metrics=count, beside=beside)
        return of_values(self.metric.name, found, self._aim)

    def document(self) -> dict[str, Any]:
        """Return what was asked and answered."""
        return {"asked": self._asked.document(), "history": self._history.document()}

    async def _begun(self) -> Values:
        """Return the values with what stable's were in the ten minutes before."""
        self._history = Transcript()
        return Values(self._aim, await values_before(self.metric, self._metrics, self._place, self._history))

    async def _take(self, values: Values, grid: Grid) -> None:
        place = self._place
        canary, stable = await asyncio.gather(
            *(
                worst_of(self.metric, self._metrics, (place.namespace, names), grid, self._asked)
                for names in (place.canary, place.stable)
            )
        )
        for moment in grid.moments:
            values.add(canary.get(moment), stable.get(moment))


async def values_before(metric: OwnMetric, metrics: Metrics, place: Place, kept: Transcript) -> list[float]:
    """Return stable's values in the ten minutes before a canary. Raises UpstreamUnavailable, StepConfig."""
    grid = history_grid(place.began.timestamp(), place.every)
    before = await worst_of(metric, metrics, (place.namespace, place.stable), grid, kept)
    return [before[at] for at in grid.moments if at in before]


async def worst_of(
    metric: OwnMetric, metrics: Metrics, where: tuple[str, Sequence[str]], grid: Grid, kept: Transcript
) -> dict[float, float]:
    """Return the value at each moment; of several Deployments that of the worst, where all have one."""
    (namespace, deployments), found = where, []
    for name in deployments:
        query = grid.asked(filled(metric.query or "", namespace, name))
        answer = await metrics.series(query)
        kept.add(query, answer)
        if len(answer) > 1:
            raise StepConfig(
                f"The query of {metric.name} gave {len(answer)} series for {name}, but a value is one "
                "number: take their sum, avg or max."
            )
        found.append({round(at, 3): value for one in answer for at, value in one.points if isfinite(value)})
    moments = set.intersection(*(set(one) for one in found)) if found else set()
    return {at: max((one[at] for one in found), key=aim_of(metric).badness) for at in moments}


def aim_of(metric: OwnMetric) -> Aim:
    """Return what a `value` is held to."""
    return Aim(
        higher=metric.direction == "higher",
        low=-inf if metric.min is None else metric.min,
        high=inf if metric.max is None else metric.max,
        tolerance=TOLERANCE if metric.tolerance is None else metric.tolerance,
    )


class OwnMetrics:
    """All of a service's own metrics in one watch."""

    def __init__(self, call: JudgeCall, metrics: Metrics, place: Place, judges: Judges) -> None:
        self._all = [_own(one, call, metrics, place, judges) for one in call.analysis.metrics]

    @property
    def critical(self) -> int:
        """Return how many of them can fail the canary."""
        return sum(own.metric.critical for own in self._all)

    async def told(self, moment: Moment) -> tuple[list[Told], HoldpointError | None]:
        """Return what is found now, and the failure of a source without which nothing can pass."""
        asked = (own.told(moment if own.metric.critical else moment._replace(judged=1)) for own in self._all)
        found = await asyncio.gather(*asked, return_exceptions=True)
        told: list[Told] = []
        down: HoldpointError | None = None
        for own, one in zip(self._all, found, strict=True):
            if isinstance(one, Told):
                told.append(_weighed(own.metric, one))
            elif not isinstance(one, TransientError | StepConfig):
                raise one
            elif own.metric.holds_without_data:
                down = down or one
            else:
                told.append(_unanswered(own.metric, one))
        return told, down

    def document(self) -> dict[str, Any]:
        """Return what was asked and answered, by metric."""
        return {own.metric.name: own.document() for own in self._all}


def _own(metric: OwnMetric, call: JudgeCall, metrics: Metrics, place: Place, judges: Judges) -> Own:
    if metric.source is not None:
        return OwnJudge(metric, call, place, judges)
    if metric.kind == "ratio":
        return OwnShare(metric, metrics, place, call.analysis)
    return OwnValue(metric, metrics, place)


def _weighed(metric: OwnMetric, told: Told) -> Told:
    """Return the finding as it counts: what is not critical is told only, but its absence may hold."""
    if metric.critical:
        return told
    if told.finding is Finding.NO_DATA and metric.holds_without_data:
        return told
    return told.only()


def _unanswered(metric: OwnMetric, error: HoldpointError) -> Told:
    said = f"{metric.name}: its source gave no answer"
    return Told(metric.name, Finding.NO_DATA, said, {"finding": "no_data", "error": error.message}).only()
