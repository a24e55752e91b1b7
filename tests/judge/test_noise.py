"""Clumps and unequal pods are measured on stable's history."""

import random

import pytest

from holdpoint.judge.noise import MOST_TOLERATED, TOLERATED, UNKNOWN, clumps, tolerated

PODS = [f"pod-{number}" for number in range(10)]


def history(
    seed: int, *, clump: int = 1, spread: float = 0.0, scrapes: int = 120
) -> list[dict[str, tuple[float, float]]]:
    chance = random.Random(seed)
    own = {pod: 1 + spread * (number % 2 * 2 - 1) for number, pod in enumerate(PODS)}
    return [
        {pod: (2000.0, float(clump * _events(chance, 4 * own[pod] / clump))) for pod in PODS}
        for _ in range(scrapes)
    ]


def _events(chance: random.Random, mean: float) -> int:
    """Return a Poisson number, as how many exponential pauses fit into the mean."""
    count, passed = 0, chance.expovariate(1.0)
    while passed < mean:
        count, passed = count + 1, passed + chance.expovariate(1.0)
    return count


def test_independent_errors_are_not_overdispersed() -> None:
    assert clumps(history(1), 5.0).phi < 1.3


@pytest.mark.parametrize("clump", [2, 4])
def test_errors_that_come_together_are_overdispersed_by_how_many_do(clump: int) -> None:
    assert clumps(history(2, clump=clump), 5.0).phi == pytest.approx(clump, rel=0.3)


@pytest.mark.parametrize(
    "known",
    [
        pytest.param([], id="nothing"),
        pytest.param([{"one": (100.0, 3.0)}] * 9, id="a single pod"),
        pytest.param([{"one": (100.0, 0.0), "two": (100.0, 0.0)}] * 9, id="no error"),
    ],
)
def test_without_a_history_that_tells_errors_are_taken_to_come_in_pairs(
    known: list[dict[str, tuple[float, float]]],
) -> None:
    assert clumps(known, 5.0) == UNKNOWN
    assert tolerated(known, 1.0) == TOLERATED


def test_pods_that_are_alike_tolerate_little() -> None:
    assert tolerated(history(3), 1.0) < 1.2


def test_pods_that_differ_for_long_tolerate_more_but_not_everything() -> None:
    assert TOLERATED < tolerated(history(4, spread=0.15), 1.0) <= MOST_TOLERATED
    assert tolerated(history(4, spread=0.9), 1.0) == MOST_TOLERATED


def test_few_pods_do_not_tell_how_much_pods_differ() -> None:
    few = [
        {pod: counts for pod, counts in scrape.items() if pod in PODS[:7]}
        for scrape in history(5, spread=0.9)
    ]

    assert tolerated(few, 1.0) == TOLERATED
