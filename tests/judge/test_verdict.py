"""The worst finding is the verdict, and the sentence has the numbers."""

import pytest

from holdpoint.judge.decision import Decided, decide
from holdpoint.judge.share import Finding, Judged, Share, judge
from holdpoint.judge.verdict import sentence, worst


def decided(finding: str) -> Decided:
    return decide(Judged(Share("errorRatio", 100, 1, 1, 0.01), Finding(finding), 1.0))


@pytest.mark.parametrize(
    ("findings", "verdict"),
    [
        (["pass", "pass"], "pass"),
        (["pass", "inconclusive"], "inconclusive"),
        (["inconclusive", "low_sample"], "low_sample"),
        (["pass", "no_data"], "no_data"),
        (["no_data", "fail"], "fail"),
        ([], "no_data"),
    ],
)
def test_worst_finding_counts(findings: list[str], verdict: str) -> None:
    assert worst([decided(finding) for finding in findings]) == verdict


def test_sentence_has_numbers() -> None:
    one = judge(Share("errorRatio", 1204, 3, 3, 0.01), baked=True)

    assert sentence([decide(one)]) == "errorRatio 0.249 % of 1,204 requests (at most 1 %): pass"


def test_sentence_without_data_says_so() -> None:
    assert "no requests" in sentence([decide(judge(Share("latency", 0, 0, 0, 0.01), baked=True))])
