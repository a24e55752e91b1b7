"""The evidence of a ratio is an e-process: its expectation stays at most 1 where nothing is worse than
tolerated."""

from math import exp, inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdpoint.judge.ratio import GROWTH, HEALTHY, AbsoluteProcess, Alternatives, RatioProcess, Scrape

rare = st.floats(1e-3, 0.2)


def poisson(mean: float, most: int = 60) -> list[float]:
    chances, chance = [], exp(-mean)
    for k in range(most):
        chances.append(chance)
        chance *= mean / (k + 1)
    return chances


def expected(process: str, ratio: float, share: float, weight: float, requests: float = 40.0) -> float:
    """Return the expectation of the evidence of one scrape whose bad requests are Poisson distributed."""
    n, m = requests * weight, requests * (1 - weight)
    total = 0.0
    for k, of_canary in enumerate(poisson(n * share * ratio)):
        for j, of_stable in enumerate(poisson(m * share)):
            one = RatioProcess.beyond(1.1) if process == "worse" else RatioProcess(2.0, HEALTHY)
            one.add(Scrape(n, k, m, j))
            total += of_canary * of_stable * one.evidence()
    return total


@settings(deadline=None, max_examples=15)
@given(share=rare, weight=st.floats(0.05, 0.6), part=st.floats(0.2, 1.0))
def test_evidence_against_a_canary_that_is_tolerated_is_expected_to_stay_at_one(
    share: float, weight: float, part: float
) -> None:
    assert expected("worse", 1.1 * part, share, weight) <= 1 + 1e-9


@settings(deadline=None, max_examples=15)
@given(share=rare, weight=st.floats(0.05, 0.6), more=st.floats(1.0, 3.0))
def test_evidence_for_a_canary_that_is_twice_as_bad_is_expected_to_stay_at_one(
    share: float, weight: float, more: float
) -> None:
    assert expected("healthy", 2.0 * more, share, weight) <= 1 + 1e-9


def test_evidence_against_a_worse_canary_grows() -> None:
    assert expected("worse", 5.0, 0.05, 0.2) > 1.5


def test_an_incident_that_both_share_is_no_evidence() -> None:
    calm, stormy = RatioProcess.beyond(1.1), RatioProcess.beyond(1.1)
    for _ in range(50):
        calm.add(Scrape(100, 1, 900, 9))
        stormy.add(Scrape(100, 30, 900, 270))

    assert calm.evidence() < 1
    assert stormy.evidence() < 1


@pytest.mark.parametrize("scrape", [Scrape(0, 0, 0, 0), Scrape(100, 0, 900, 0), Scrape(0, 0, 900, 0)])
def test_without_a_bad_request_nothing_is_learned(scrape: Scrape) -> None:
    process = RatioProcess.beyond(1.1)
    process.add(scrape)

    assert process.evidence() == pytest.approx(1.0)


def test_the_weight_may_change_between_scrapes() -> None:
    one, two = RatioProcess.beyond(1.1), RatioProcess.beyond(1.1)
    for scrape in (Scrape(50, 1, 950, 4), Scrape(500, 3, 500, 2)):
        one.add(scrape)
    for scrape in (Scrape(500, 3, 500, 2), Scrape(50, 1, 950, 4)):
        two.add(scrape)

    assert one.evidence() == pytest.approx(two.evidence())


def test_overdispersion_takes_evidence_back() -> None:
    process = RatioProcess.beyond(1.1)
    for _ in range(3):
        process.add(Scrape(100, 8, 900, 9))

    assert process.evidence() > process.evidence(2.0) > 1


def test_what_no_float_holds_is_infinite() -> None:
    process = RatioProcess.beyond(1.1)
    process.add(Scrape(1e6, 1e6, 9e6, 0))

    assert process.evidence() == inf


@pytest.mark.parametrize("alternatives", [GROWTH, HEALTHY, AbsoluteProcess.BELOW])
def test_priors_are_priors(alternatives: Alternatives) -> None:
    assert sum(alternatives.prior) == pytest.approx(1.0)


@settings(deadline=None, max_examples=50)
@given(bound=st.floats(1e-3, 0.5), more=st.floats(1.0, 1.9))
def test_absolute_evidence_for_a_canary_at_the_bound_is_expected_to_stay_at_one(
    bound: float, more: float
) -> None:
    n, share = 25, min(1.0, bound * more)
    chance, total = (1 - share) ** n, 0.0
    process = AbsoluteProcess(bound)
    for k in range(n + 1):
        total += chance * process.evidence(n, k)
        chance *= (n - k) / (k + 1) * share / (1 - share) if share < 1 else 0.0

    assert total <= 1 + 1e-9


def test_some_eight_hundred_requests_without_an_error_are_enough_for_half_a_percent() -> None:
    process = AbsoluteProcess(0.005)

    assert process.evidence(900, 0) / 2 > 20 > process.evidence(700, 0) / 2
