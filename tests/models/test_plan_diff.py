"""Two diffs are told apart object by object, and each is told in numbers."""

from typing import Any

import pytest

from holdpoint.models.plan_diff import FieldDiff, ObjectDiff, PlanDiff, facts_of, moved


def an_object(name: str, change: Any = "change", **fields: Any) -> ObjectDiff:
    found = [FieldDiff(field=field, change="changed", was=0, now=now) for field, now in fields.items()]
    return ObjectDiff(change=change, api_version="v1", kind="ConfigMap", name=name, fields=found)


def a_diff(*objects: ObjectDiff) -> PlanDiff:
    return PlanDiff(cluster="eu-1", namespace="shop", objects=list(objects))


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        pytest.param([an_object("a", x=1)], [an_object("a", x=1)], [], id="the same"),
        pytest.param([an_object("a", x=1, y=1)], [an_object("a", x=2, y=1)], ["ConfigMap a (x)"], id="value"),
        pytest.param([an_object("a", x=1)], [an_object("a", x=1, y=1)], ["ConfigMap a (y)"], id="field"),
        pytest.param([an_object("a", x=1)], [], ["ConfigMap a (is as wanted already)"], id="done by others"),
        pytest.param([], [an_object("a", x=1)], ["ConfigMap a (would be changed now)"], id="drifted"),
        pytest.param(
            [an_object("a", x=1)],
            [an_object("a", "create", x=1)],
            ["ConfigMap a (would be created now)"],
            id="vanished",
        ),
        pytest.param(
            [an_object("a", u=1, v=1, w=1, x=1)],
            [an_object("a", u=2, v=2, w=2, x=2)],
            ["ConfigMap a (u, v, w and 1 more)"],
            id="many fields",
        ),
    ],
)
def test_what_moved_is_named(was: list[ObjectDiff], now: list[ObjectDiff], said: list[str]) -> None:
    assert moved(a_diff(*was), a_diff(*now)) == said


def test_refused_objects_are_counted_apart_and_touch_no_kind() -> None:
    facts = facts_of(a_diff(an_object("a", "refused"), an_object("b", "create", x=1)))

    assert (facts.refused, facts.created, facts.fields, facts.kinds) == (1, 1, 0, ["ConfigMap"])
    assert facts_of(a_diff(an_object("a", "refused"))).kinds == []
