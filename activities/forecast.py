"""How long a canary needs for a verdict, from what stable gets and how often it fails now."""

from dataclasses import dataclass
from datetime import timedelta
from math import inf
from statistics import median

from activities.fleet import history_of
from activities.fleet_counters import Failures, Place
from activities.grid import HISTORY_STEP
from activities.own_metrics import values_before
from activities.transcript import Transcript
from holdpoint.clients.metrics import Metrics
from holdpoint.judge.autocorrelation import inflation
from holdpoint.judge.forecast import requests_needed, requests_to_pass
from holdpoint.judge.noise import clumps
from holdpoint.judge.share import MIN_REQUESTS
from holdpoint.judge.values import values_needed
from holdpoint.models.analysis import Analysis
from holdpoint.models.blue_green import SWITCHING
from holdpoint.models.own_metrics import OwnMetric
from holdpoint.models.plan import PlannedStep

MUCH, TWICE = 5.0, 2.0
"""How many times as bad as stable a version is, whose finding is forecast."""


@dataclass(frozen=True)
class Forecast:
    """What to expect of one canary, and whether it can be judged before the deadline."""

    text: str
    in_time: bool


async def forecast(metrics: Metrics, analysis: Analysis, step: PlannedStep, place: Place) -> Forecast:
    """Return what to expect at the first weight of a canary beside what is stable at its place.

    Raises UpstreamUnavailable and StepConfig.
    """
    deadline = analysis.deadline_after(step.bake)
    found = [
        await _of_values(metrics, metric, place, deadline)
        for metric in analysis.metrics
        if metric.critical and metric.kind == "value"
    ]
    if analysis.errorRatio is not None or analysis.latency is not None:
        found.insert(0, await _of_requests(metrics, analysis, step, place))
    if not found:
        return Forecast("Only its own judges and counters tell how long a verdict takes.", True)
    return Forecast(" ".join(one.text for one in found), all(one.in_time for one in found))


async def _of_values(metrics: Metrics, metric: OwnMetric, place: Place, deadline: float) -> Forecast:
    """Return what to expect of a metric that is one number at a time."""
    before = await values_before(metric, metrics, place, Transcript())
    if not before:
        said = f"{metric.name} gave no number for {place.stable[0]} in the last 10 minutes"
        return Forecast(f"{said}: no canary can be judged by it.", False)
    needs = values_needed(inflation(before)) * place.every
    said = f"{metric.name} is {median(before):.4g} now: as good a canary passes in about {_lasts(needs)}"
    return _in_time(said, needs, deadline)


async def _of_requests(metrics: Metrics, analysis: Analysis, step: PlannedStep, place: Place) -> Forecast:
    """Return what to expect of errors and latency."""
    name, weight, every = place.stable[0], step.weights[0].reached / 100, place.every
    allowed = analysis.errorRatio.max if analysis.errorRatio is not None else 1.0
    blocks = await history_of(metrics, place, Failures(place, allowed))
    history = [{pod: counts[0] for (_, pod), counts in block.items()} for block in blocks]
    requests = sum(n for block in history for n, _ in block.values())
    bad = sum(k for block in history for _, k in block.values())
    if not requests:
        return Forecast(f"{name} got no requests in the last 10 minutes: no canary can be judged.", False)
    seen = sum(any(n for n, _ in block.values()) for block in history) * max(every, HISTORY_STEP)
    rate = requests / seen * weight
    deadline = analysis.deadline_after(step.bake)
    if step.kind == SWITCHING:
        # Nothing gets requests beside it, so the limits alone decide.
        needs, who = MIN_REQUESTS / rate, f"After the switch the new version of {name}"
        said = f"{who} gets about {rate:.3g} requests/s: enough for a verdict in {_lasts(needs)}"
        return _in_time(said, max(needs, step.bake), deadline)
    head = f"At {step.weights[0].reached:g} % the canary of {name} gets about {rate:.3g} requests/s. "
    if not bad:
        needs = requests_to_pass(allowed) / rate if analysis.errorRatio is not None else 0.0
        said = f"Nothing fails now: without a failure it passes in about {_lasts(needs)}"
        return _in_time(head + said, max(needs, step.bake), deadline)
    phi = clumps(history, max(every, HISTORY_STEP)).phi
    much, twice = (
        requests_needed(ratio, share=bad / requests, weight=weight, phi=phi) / rate for ratio in (MUCH, TWICE)
    )
    said = f"{100 * bad / requests:.2g} % fail now: five times as many show in about {_lasts(much)}, twice as"
    return _in_time(f"{head}{said} many in about {_lasts(twice)}", much, deadline)


def _in_time(said: str, needs: float, deadline: float) -> Forecast:
    late = needs > deadline
    told = f"{said}; the deadline is {_lasts(deadline)}."
    return Forecast(f"It cannot be judged in time. {told}" if late else told, not late)


def _lasts(seconds: float) -> str:
    """Return a time for people."""
    if seconds == inf:
        return "no time at all"
    return str(timedelta(seconds=round(seconds))) if seconds >= 120 else f"{seconds:.0f} s"
