"""One verdict from the findings on several metrics: the worst word counts, and only all passes are a pass."""

from collections.abc import Sequence
from typing import Protocol

from holdpoint.judge.decision import Decided
from holdpoint.judge.share import Finding

WORST_FIRST = (
    Finding.FAIL,
    Finding.SUSPECT_POD,
    Finding.NO_DATA,
    Finding.LOW_SAMPLE,
    Finding.INCONCLUSIVE,
    Finding.PASS,
)


class Found(Protocol):
    """What has a finding."""

    @property
    def finding(self) -> Finding:
        """Return the finding."""


def worst(found: Sequence[Found]) -> Finding:
    """Return the finding that counts. Nothing measured is no data."""
    return min((one.finding for one in found), key=WORST_FIRST.index, default=Finding.NO_DATA)


def sentence(decided: Sequence[Decided], events: str = "requests") -> str:
    """Return what was seen, with numbers: `errorRatio 0.2 % of 1,204 (at most 1 %): pass`."""
    return "; ".join(_said(one, events) for one in decided) or "nothing was measured"


def _said(one: Decided, events: str) -> str:
    share = one.absolute.share
    if one.finding is Finding.NO_DATA:
        return f"{share.name}: no {events} were seen"
    seen = f"{share.name} {_of(share.surely_bad, share.requests, events)} (at most {_percent(share.allowed)})"
    return f"{seen}{_beside(one, events)}: {one.finding.value}"


def _beside(one: Decided, events: str) -> str:
    if one.compared is None:
        return ""
    requests, bad = one.compared.stable
    why = ""
    if one.finding is Finding.SUSPECT_POD:
        why = f", and only pod {one.compared.suspect} is bad"
    elif one.compared.finding is Finding.FAIL:
        why = ", which is surely less"
    return f", stable {_of(bad, requests, events)}{why}"


def _of(bad: float, requests: float, events: str) -> str:
    return f"{_percent(bad / requests)} of {requests:,.0f} {events}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
