"""Values that hang together say less, by as much as theory has it."""

import random

import pytest

from holdpoint.judge.autocorrelation import MOST, inflation


def autoregressive(seed: int, rho: float, count: int) -> list[float]:
    draw, value, found = random.Random(seed), 0.0, []
    for _ in range(count):
        value = rho * value + draw.gauss(0, 1)
        found.append(value)
    return found


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8])
def test_it_is_what_theory_says_of_an_autoregressive_series(rho: float) -> None:
    found = [inflation(autoregressive(seed, rho, 2000)) for seed in range(5)]

    assert sum(found) / 5 == pytest.approx((1 + rho) / (1 - rho), rel=0.25)


def test_independent_values_keep_what_they_say() -> None:
    draw = random.Random(1)

    assert inflation([draw.random() for _ in range(120)]) < 2


@pytest.mark.parametrize("values", [[], [1.0] * 5, [3.0] * 100], ids=["none", "few", "all the same"])
def test_where_nothing_is_known_pairs_are_taken_for_one(values: list[float]) -> None:
    assert inflation(values) == 2


def test_a_drift_says_no_less_than_the_bound() -> None:
    assert inflation([float(value) for value in range(1000)]) == MOST
