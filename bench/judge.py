"""How often the judge fails a good canary, and how soon a bad one, beside other rules on the same traces."""

import statistics
import sys
from collections.abc import Sequence

import numpy as np

from bench.cases import Case, bounded
from bench.judging.rules import Outcome, Rule, fixed, kayenta, ours, ranks
from bench.judging.traces import trace

RUNS = 2000
"""Traces of a cell. A rate of 0.5 % is known to ±0.3 % then."""

GOOD = (
    ("plain", 0.5),
    ("day", 0.5),
    ("incident", 1.0),
    ("pairs", 0.5),
    ("5 s bursts", 1.5),
    ("30 s bursts", 4.5),
)
"""Kinds of trace with a good canary, and the most false fails, in percent."""

FOUND = (
    (5.0, 100, 200, 400),
    (5.0, 1000, 30, 50),
    (5.0, 10_000, 5, 10),
    (2.0, 1000, 240, 480),
    (2.0, 10_000, 30, 60),
)
"""Ratio, requests a second, and the seconds in which half and nine tenths of the bad canaries are found."""


RULES: dict[str, tuple[Rule, int]] = {
    "ours": (ours, RUNS),
    "ranks": (ranks, RUNS // 4),
    "fixed": (fixed, RUNS),
    "kayenta": (kayenta, RUNS // 10),
}
"""The rules, and for how many traces of a cell there is patience: two of them sort thousands of values."""


async def measure() -> list[Case]:
    """Judge every cell. Takes some minutes of one core."""
    cases: list[Case] = []
    for rps in (100, 1000, 10_000):
        for kind, most in GOOD:
            cases += _good(kind, rps, most)
    for ratio, rps, half, most in FOUND:
        cases += _bad(ratio, rps, half, most)
    return [*cases, *_promoted()]


def _good(kind: str, rps: int, most: float) -> list[Case]:
    name = f"good canary, {kind}, {rps:,} rps: false fails"
    rates = {
        rule: 100 * share("fail", judged(judge, kind, rps, runs=runs))
        for rule, (judge, runs) in RULES.items()
    }
    beside = f"(by ranks {rates['ranks']:.3g} %, fixed limit {rates['fixed']:.3g} %, "
    beside += f"Kayenta's rule {rates['kayenta']:.3g} %)"
    return [bounded(f"{name} {beside}", rates["ours"], most, unit="%")]


def _bad(ratio: float, rps: int, half: float, most: float) -> list[Case]:
    outcomes = judged(ours, "plain", rps, ratio=ratio, runs=RUNS // 4)
    times = sorted(one.seconds if one.said == "fail" else float("inf") for one in outcomes)
    found = f"{100 * share('fail', outcomes):.3g} % found"
    name = f"canary {ratio:g} times as bad, {rps:,} rps ({found})"
    return [
        bounded(f"{name}: median", statistics.median(times), half, unit="s"),
        bounded(f"{name}: nine tenths", times[int(0.9 * len(times))], most, unit="s"),
    ]


def _promoted() -> list[Case]:
    cases = []
    for rps, most in ((1000, 120.0), (10_000, 60.0)):
        times = [one.seconds for one in judged(ours, "plain", rps, runs=RUNS // 4) if one.said == "pass"]
        cases.append(
            bounded(
                f"good canary, {rps:,} rps: median until promoted", statistics.median(times), most, unit="s"
            )
        )
    repaired = judged(ours, "ill stable", 1000, ratio=20.0, runs=RUNS // 10)
    missed = 100 * (1 - share("pass", repaired))
    cases.append(bounded("stable at 20 % errors, canary at 2 %: not promoted", missed, 1.0, unit="%"))
    return cases


def judged(rule: Rule, kind: str, rps: int, *, runs: int, ratio: float = 1.0) -> list[Outcome]:
    """Return what a rule says of as many traces; every rule sees the same."""
    random = np.random.default_rng(abs(hash_of(kind)) + rps)
    sys.stderr.write(f"  {rule.__name__}: {kind}, {rps:,} rps, {ratio:g} times as bad\n")
    return [rule(trace(random, kind, rps=rps, ratio=ratio)) for _ in range(runs)]


def hash_of(kind: str) -> int:
    """Return a number of a word that is the same in every process."""
    return int.from_bytes(kind.encode(), "big") % 2**31


def share(said: str, outcomes: Sequence[Outcome]) -> float:
    """Return which part of the outcomes says so."""
    return sum(one.said == said for one in outcomes) / len(outcomes)
