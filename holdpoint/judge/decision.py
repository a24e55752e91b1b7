"""What one metric says of a canary that runs beside stable: the comparison, with the limit as a guard beside.

The limit alone does not fail a canary where stable breaks it too: what hits both is not the canary's doing,
and what repairs a broken stable must get through.
"""

from dataclasses import dataclass

from holdpoint.judge.comparison import Compared
from holdpoint.judge.share import ALPHA, Finding, Judged, evidence

CLEARLY_BETTER = 0.5
"""The part of stable's share of bad requests that a canary beyond the limit may have, to pass as a repair."""

SCRAPES_FOR_STABLE = 6
"""Scrapes of a canary within which stable must have been seen; the limit may not decide alone before."""


@dataclass(frozen=True)
class Decided:
    """The finding on one metric: against the limit alone, or beside stable."""

    absolute: Judged
    finding: Finding
    compared: Compared | None = None


def decide(absolute: Judged, compared: Compared | None = None) -> Decided:
    """Return the finding on one metric, from both judgements on everything seen so far.

    Where stable had no request in some scrapes there is nothing to compare with, and the limit decides by
    itself.
    """
    if compared is None or absolute.finding is Finding.NO_DATA:
        return Decided(absolute, absolute.finding)
    if not compared.stable[0]:
        waits = compared.scrapes < SCRAPES_FOR_STABLE and absolute.finding is not Finding.LOW_SAMPLE
        return Decided(absolute, Finding.INCONCLUSIVE if waits else absolute.finding)
    return Decided(absolute, _finding(absolute, compared), compared)


def _finding(absolute: Judged, compared: Compared) -> Finding:
    if compared.finding in (Finding.FAIL, Finding.SUSPECT_POD):
        return compared.finding
    ill = _breaks_the_limit(absolute, compared)
    if absolute.finding is Finding.FAIL and not ill:
        return Finding.FAIL
    if compared.finding is not Finding.PASS:
        # Requests were seen since the last whole scrape of stable: there is data, though nothing to compare.
        return Finding.INCONCLUSIVE if compared.finding is Finding.NO_DATA else compared.finding
    within = absolute.share.maybe_bad <= absolute.share.allowed * absolute.share.requests
    return Finding.PASS if within or (ill and _repairs(absolute, compared)) else Finding.INCONCLUSIVE


def _breaks_the_limit(absolute: Judged, compared: Compared) -> bool:
    requests, bad = compared.stable
    return evidence(bad, requests, absolute.share.allowed) >= 1 / ALPHA


def _repairs(absolute: Judged, compared: Compared) -> bool:
    (requests, bad), share = compared.stable, absolute.share
    return share.maybe_bad / share.requests <= CLEARLY_BETTER * bad / requests
