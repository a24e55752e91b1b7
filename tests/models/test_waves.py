"""Waves: how many targets at once, and which clusters a selector finds."""

import pytest
from pydantic import ValidationError

from holdpoint.models.waves import Selector, Targets, Waves, matching, wave_plan

FLEET = [f"c-{number}" for number in range(1, 10)]


@pytest.mark.parametrize(
    ("size", "lengths"),
    [
        pytest.param(1, [1] * 9, id="one at a time"),
        pytest.param(4, [4, 4, 1], id="the rest in the last wave"),
        pytest.param([1, 3, "50%"], [1, 3, 5], id="a share is of all targets, rounded up"),
        pytest.param([1, 2], [1, 2, 2, 2, 2], id="the last size goes on"),
        pytest.param("100%", [9], id="all at once"),
        pytest.param("1%", [1] * 9, id="never none"),
    ],
)
def test_targets_are_split_into_waves_in_order(size: object, lengths: list[int]) -> None:
    plan = wave_plan(FLEET, Waves.model_validate({"size": size}))

    assert [len(wave) for wave in plan.waves] == lengths
    assert plan.targets == FLEET


def test_without_a_plan_for_them_targets_go_one_at_a_time() -> None:
    plan = wave_plan(["a", "b"], None)

    assert (plan.waves, plan.bake, plan.on_failure) == ([["a"], ["b"]], 300.0, "rollback")


@pytest.mark.parametrize("size", [0, -1, True, 1.5, "0%", "101%", "half", [], [1, "x"], [1, None], 51])
def test_a_size_that_says_nothing_is_refused(size: object) -> None:
    with pytest.raises(ValidationError, match="must be a number of targets"):
        Waves.model_validate({"size": size})


def test_a_selector_finds_clusters_with_all_its_labels_in_the_order_of_their_names() -> None:
    labels = {"b": {"tier": "edge", "region": "eu"}, "a": {"tier": "edge"}, "c": {"tier": "core"}}

    found = matching(Targets(selector=Selector(labels={"tier": "edge"})), labels)

    assert found == ["a", "b"]
    assert matching(Targets(selector=Selector(labels={"tier": "edge", "region": "eu"})), labels) == ["b"]
