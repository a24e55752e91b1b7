"""A metric that is one number at a time: what is worse fails, what is not known is never a pass."""

import random
from collections.abc import Iterator
from math import inf, nan

import pytest

from holdpoint.judge.share import Finding
from holdpoint.judge.values import FEWEST, SILENT, Aim, Ranked, Values, values_needed


def noise(seed: int, level: float, count: int, *, spread: float = 0.1) -> list[float]:
    draw = random.Random(seed)
    return [level * (1 + draw.gauss(0, spread)) for _ in range(count)]


def after(
    canary: list[float],
    stable: list[float],
    aim: Aim | None = None,
    *,
    deadline: bool = False,
    metrics: int = 1,
) -> Ranked:
    values = Values(aim or Aim(), noise(99, 10, 120))
    for mine, theirs in zip(canary, stable, strict=True):
        values.add(mine, theirs)
    return values.finding(baked=True, deadline=deadline, metrics=metrics, beside=bool(stable))


def alone(canary: list[float | None], aim: Aim | None = None, *, baked: bool = True) -> Ranked:
    values = Values(aim or Aim())
    for value in canary:
        values.add(value, None)
    return values.finding(baked=baked, beside=False)


def test_a_canary_like_stable_passes_soon() -> None:
    found = after(noise(1, 10, 18), noise(2, 10, 18))

    assert found.finding is Finding.PASS
    assert found.median == pytest.approx(10, rel=0.1)


def test_a_worse_one_fails() -> None:
    assert after(noise(1, 20, 18), noise(2, 10, 18)).finding is Finding.FAIL


def test_what_is_tolerated_does_not_fail() -> None:
    assert after(noise(1, 11, 120), noise(2, 10, 120)).finding is not Finding.FAIL
    assert after(noise(1, 11, 120), noise(2, 10, 120), Aim(tolerance=0)).finding is Finding.FAIL


@pytest.mark.parametrize(("level", "finding"), [(5, "fail"), (20, "pass")])
def test_where_higher_is_better_less_is_worse(level: float, finding: str) -> None:
    assert after(noise(1, level, 41), noise(2, 10, 41), Aim(higher=True)).finding == finding


def test_a_value_that_is_always_nothing_passes_beside_another() -> None:
    assert after([0.0] * 18, [0.0] * 18).finding is Finding.PASS


def test_more_metrics_need_more_to_fail() -> None:
    canary, stable = noise(1, 20, FEWEST), noise(2, 10, FEWEST)

    assert after(canary, stable).finding is Finding.FAIL
    assert after(canary, stable, metrics=20).finding is Finding.INCONCLUSIVE


def _good(runs: int) -> Iterator[bool]:
    """Whether good canaries whose values are averages of a minute ever fail, looked at after each scrape."""
    for seed in range(runs):
        values = Values(Aim(tolerance=0), smooth(3 * seed, 120))
        for mine, theirs in zip(smooth(3 * seed + 1, 120), smooth(3 * seed + 2, 120), strict=True):
            values.add(mine, theirs)
        yield values.finding(baked=True).finding is Finding.FAIL


def smooth(seed: int, count: int, over: int = 12) -> list[float]:
    raw = noise(seed, 10, count + over)
    return [sum(raw[at : at + over]) / over for at in range(count)]


def test_looking_again_and_again_at_what_hardly_moves_fails_no_more_than_said() -> None:
    assert sum(_good(100)) <= 4  # 1 % aimed at; tau is itself an estimate


@pytest.mark.parametrize(
    ("values", "finding"),
    [
        pytest.param([], "no_data", id="nothing"),
        pytest.param([None] * 30, "no_data", id="never a number"),
        pytest.param([nan] * 30, "no_data", id="NaN"),
        pytest.param([inf] * 30, "no_data", id="infinite"),
        pytest.param([1.0] * 30 + [None] * SILENT, "no_data", id="none any more"),
        pytest.param([None, None, 1.0] * 20, "no_data", id="mostly none"),
        pytest.param([1.0] * (FEWEST - 1), "low_sample", id="too few"),
        pytest.param([1.0] * 30, "pass", id="within its edge"),
        pytest.param([9.0] * 30, "fail", id="beyond its edge"),
        pytest.param([1.0, 1.0, 9.0] * 10, "inconclusive", id="now and then beyond"),
    ],
)
def test_what_is_said_without_anything_beside_it(values: list[float | None], finding: str) -> None:
    assert alone(values, Aim(high=5)).finding == finding


def test_before_the_bake_is_over_nothing_passes() -> None:
    assert alone([1.0] * 30, Aim(high=5), baked=False).finding is Finding.INCONCLUSIVE


def test_an_edge_below_fails_too() -> None:
    assert alone([1.0] * 30, Aim(low=5, higher=True)).finding is Finding.FAIL


def test_beyond_an_edge_that_stable_breaks_too_it_is_not_the_canarys_doing() -> None:
    aim = Aim(high=5)

    assert after(noise(1, 10, 120), noise(2, 10, 120), aim).finding is Finding.INCONCLUSIVE
    assert after(noise(1, 4, 41), noise(2, 10, 41), aim).finding is Finding.PASS
    assert after(noise(1, 6, 41), noise(2, 10, 41), aim).finding is Finding.PASS  # the fix gets through


def test_where_stable_has_no_number_only_an_edge_decides() -> None:
    for aim, finding in ((Aim(), Finding.INCONCLUSIVE), (Aim(high=20), Finding.PASS)):
        values = Values(aim)
        for value in noise(1, 10, 30):
            values.add(value, None)

        assert values.finding(baked=True).finding is finding


def test_at_the_deadline_the_medians_decide() -> None:
    wild, tame = noise(1, 10, 18, spread=1.5), noise(2, 10, 18, spread=1.5)
    low, high = sorted((wild, tame), key=lambda values: sorted(values)[9])

    assert after(low, high).finding is Finding.INCONCLUSIVE
    assert after(low, high, deadline=True).finding is Finding.PASS


def test_how_many_values_are_needed_depends_on_how_they_hang_together() -> None:
    assert values_needed(1.0) == FEWEST
    assert values_needed(12.0) > 60
