"""One verdict from the findings on several metrics: the worst word counts, and only all passes are a pass."""

from collections.abc import Sequence

from holdpoint.judge.share import Finding, Judged

WORST_FIRST = (
    Finding.FAIL,
    Finding.SUSPECT_POD,
    Finding.NO_DATA,
    Finding.LOW_SAMPLE,
    Finding.INCONCLUSIVE,
    Finding.PASS,
)


def worst(judged: Sequence[Judged]) -> Finding:
    """Return the finding that counts. Nothing measured is no data."""
    return min((one.finding for one in judged), key=WORST_FIRST.index, default=Finding.NO_DATA)


def sentence(judged: Sequence[Judged]) -> str:
    """Return what was seen, with numbers: `errorRatio 0.2 % of 1,204 (at most 1 %): pass`."""
    return "; ".join(_said(one) for one in judged) or "nothing was measured"


def _said(one: Judged) -> str:
    share = one.share
    if one.finding is Finding.NO_DATA:
        return f"{share.name}: no requests were seen"
    percent = 100 * share.surely_bad / share.requests
    allowed = 100 * share.allowed
    return (
        f"{share.name} {percent:.3g} % of {share.requests:,.0f} requests (at most {allowed:.3g} %): "
        f"{one.finding.value}"
    )
