"""Rules that judge a trace after each scrape, or each minute: ours, and two as others publish them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from bench.judging.traces import EVERY, HISTORY, PODS, SCRAPES, Trace
from holdpoint.judge.comparison import Comparison, Look
from holdpoint.judge.noise import clumps, tolerated
from holdpoint.judge.ranks import shift
from holdpoint.judge.share import Finding
from holdpoint.judge.values import Aim, Values

BAKE = 60.0
MINUTE = round(60 / EVERY)


@dataclass(frozen=True)
class Outcome:
    """What a rule came to, and after how many seconds of the canary."""

    said: Literal["pass", "fail", "undecided"]
    seconds: float


Rule = Callable[[Trace], Outcome]


def ours(trace: Trace) -> Outcome:
    """The judge of `holdpoint.judge`, after each scrape, with stable's last ten minutes as history."""
    stable = [f"stable-{number}" for number in range(PODS)]
    history = [
        {pod: (trace.requests, bad) for pod, bad in zip(stable, scrape[1:].tolist(), strict=True)}
        for scrape in trace.bad[:HISTORY]
    ]
    clumped = clumps(history, EVERY)
    metric = Comparison(
        "errorRatio", allowed=0.005, tolerated=tolerated(history, clumped.phi), clumps=clumped, every=EVERY
    )
    for number, scrape in enumerate(trace.bad[HISTORY:].tolist(), start=1):
        metric.add([Look({"canary": (trace.requests, scrape[0])}, (trace.requests * PODS, sum(scrape[1:])))])
        found = metric.finding(baked=number * EVERY >= BAKE, deadline=number == SCRAPES).finding
        if found in (Finding.FAIL, Finding.PASS):
            return Outcome("fail" if found is Finding.FAIL else "pass", number * EVERY)
    return Outcome("undecided", SCRAPES * EVERY)


def ranks(trace: Trace) -> Outcome:
    """The Mann-Whitney rule of `holdpoint.judge.values`, for metrics that are no counters.

    Of error ratios per scrape it sees less than the rule for requests does, which knows how many they are.
    """
    share = trace.bad / trace.requests
    canary, stable = share[:, 0].tolist(), share[:, 1:].mean(axis=1).tolist()
    values = Values(Aim(), stable[:HISTORY])
    for number, (mine, theirs) in enumerate(zip(canary[HISTORY:], stable[HISTORY:], strict=True), start=1):
        values.add(mine, theirs)
        found = values.finding(baked=number * EVERY >= BAKE, deadline=number == SCRAPES).finding
        if found in (Finding.FAIL, Finding.PASS):
            return Outcome("fail" if found is Finding.FAIL else "pass", number * EVERY)
    return Outcome("undecided", SCRAPES * EVERY)


def fixed(trace: Trace) -> Outcome:
    """A success rate of at least 99.5 % over the last minute, each minute, no failure allowed.

    As the examples of Argo Rollouts and Flagger have it.
    """
    canary = trace.bad[HISTORY:, 0]
    for minute in range(SCRAPES // MINUTE):
        bad = canary[minute * MINUTE : (minute + 1) * MINUTE].sum()
        if bad / (trace.requests * MINUTE) > 0.005:
            return Outcome("fail", (minute + 1) * 60.0)
    return Outcome("pass", SCRAPES * EVERY)


def kayenta(trace: Trace) -> Outcome:
    """Kayenta's Mann-Whitney classifier over error ratios per scrape, asked each minute; one "High" fails.

    The shift's 98 % interval must lie above a quarter of its estimate, as its published judge has it. The
    baseline is a fresh pod of the canary's size.
    """
    canary, baseline = (trace.bad[HISTORY:, pod] / trace.requests for pod in (0, 1))
    for minute in range(1, SCRAPES // MINUTE + 1):
        mine, theirs = canary[: minute * MINUTE].tolist(), baseline[: minute * MINUTE].tolist()
        if sorted(mine) == sorted(theirs):
            continue
        found = shift(mine, theirs, 0.98)
        if found.lower > 0.25 * abs(found.estimate) and sum(mine) >= sum(theirs):
            return Outcome("fail", minute * 60.0)
    return Outcome("pass", SCRAPES * EVERY)
