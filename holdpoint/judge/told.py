"""What each metric says, for people: a sentence with numbers, and the numbers by themselves."""

from dataclasses import dataclass, replace

from holdpoint.judge.decision import Decided
from holdpoint.judge.share import ALPHA, Finding
from holdpoint.judge.values import SILENT, Aim, Ranked
from holdpoint.judge.verdict import sentence

Numbers = dict[str, float | str]


@dataclass(frozen=True)
class Told:
    """The finding on one metric. One that does not count is told, and neither fails nor holds anything."""

    name: str
    finding: Finding
    said: str
    numbers: Numbers
    counts: bool = True

    def only(self) -> "Told":
        """Return the same, told only."""
        return replace(self, counts=False, said=f"{self.said} (told only)")


def of_share(one: Decided, events: str = "requests") -> Told:
    """Return what a share of requests says, or of other `events`."""
    share, beside = one.absolute.share, one.compared
    found: Numbers = {
        "finding": one.finding.value,
        "requests": number(share.requests),
        "bad": number(share.surely_bad),
        "maybe_bad": number(share.maybe_bad),
        "allowed": share.allowed,
        "e": number(one.absolute.e),
    }
    if beside is not None:
        requests, bad = beside.stable
        found |= {"stable_requests": number(requests), "stable_bad": number(bad)}
        found |= {"worse": number(beside.against), "healthy": number(beside.healthy)}
        found |= {"phi": number(beside.phi)} | ({"suspect": beside.suspect} if beside.suspect else {})
    return Told(share.name, one.finding, sentence([one], events), found)


def of_values(name: str, found: Ranked, aim: Aim) -> Told:
    """Return what the values of a metric say."""
    numbers: Numbers = {
        "finding": found.finding.value,
        "values": found.values,
        "moments": found.moments,
        "beyond": found.beyond,
        "worse": number(found.worse),
        "broken": number(found.broken),
        "inflation": number(found.inflation),
    }
    numbers |= {} if found.median is None else {"median": number(found.median)}
    numbers |= {} if found.stable is None else {"stable_median": number(found.stable)}
    return Told(name, found.finding, _said(name, found, aim), numbers)


def _said(name: str, found: Ranked, aim: Aim) -> str:
    if found.finding is Finding.NO_DATA or found.median is None:
        silent = f", none at the last {found.silent}" if found.silent >= SILENT else ""
        return f"{name}: numbers at {found.values} of {found.moments} moments{silent}: no_data"
    low = f"at least {aim.low:g}" if aim.low > float("-inf") else ""
    high = f"at most {aim.high:g}" if aim.high < float("inf") else ""
    edges = f", {' and '.join(filter(None, (low, high)))}" if aim.edged else ""
    beyond = f", beyond at {found.beyond}" if found.beyond else ""
    seen = f"{name} {found.median:.4g} (median of {found.values}{edges}{beyond})"
    stable = ""
    if found.stable is not None:
        better = ", which is surely better" if found.worse <= ALPHA else ""
        stable = f", stable {found.stable:.4g}{better}"
    return f"{seen}{stable}: {found.finding.value}"


def number(value: float) -> float | str:
    """Return a number as the record can hold it: the canonical form has no infinities, and no NaN."""
    return round(value, 6) if abs(value) < 1e15 else str(value)
