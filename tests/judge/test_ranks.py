"""The rank test agrees with scipy's, and its interval holds the shift."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from holdpoint.judge.ranks import p_greater, shift

series = st.lists(st.integers(0, 20).map(float), min_size=2, max_size=30)


@settings(deadline=None)
@given(values=series, others=series)
def test_it_agrees_with_scipy(values: list[float], others: list[float]) -> None:
    if len({*values, *others}) == 1:
        assert p_greater(values, others) == 1.0
        return
    oracle = mannwhitneyu(values, others, alternative="greater", method="asymptotic")

    assert p_greater(values, others) == pytest.approx(oracle.pvalue, abs=1e-9)


@pytest.mark.parametrize(("values", "others"), [([], [1.0]), ([1.0], []), ([3.0] * 9, [3.0] * 9)])
def test_where_nothing_was_seen_nothing_is_unlikely(values: list[float], others: list[float]) -> None:
    assert p_greater(values, others) == 1.0


def test_a_shift_is_estimated_within_its_interval() -> None:
    others = [float(value) for value in range(30)]

    found = shift([value + 7 for value in others], others, 0.98)

    assert found.estimate == 7
    assert found.lower < 7 < found.upper
    assert found.lower > 0


def test_few_values_have_a_wide_interval() -> None:
    found = shift([2.0, 1.0], [1.0, 0.0], 0.98)

    assert (found.lower, found.upper) == (0.0, 2.0)
