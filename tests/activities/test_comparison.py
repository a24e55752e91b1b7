"""Two states of an object differ in exactly the fields that people would name."""

from typing import Any

import pytest

from activities.comparison import described, differences
from tests.activities.world import deployment


def changed(**meta: Any) -> dict[str, Any]:
    body = deployment()
    return {**body, "metadata": {**body["metadata"], **meta}}


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(
            changed(resourceVersion="9", generation=2, uid="u", managedFields=[{}]), id="bookkeeping"
        ),
        pytest.param(changed(annotations={"holdpoint.dev/intent": "i.1"}), id="a mark of ours"),
        pytest.param(
            changed(annotations={"deployment.kubernetes.io/revision": "2"}), id="a controller's revision"
        ),
        pytest.param(
            changed(annotations={"deprecated.daemonset.template.generation": "3"}), id="a DaemonSet's count"
        ),
        pytest.param({**deployment(), "status": {"replicas": 1}}, id="status"),
    ],
)
def test_what_the_cluster_writes_is_no_difference(now: dict[str, Any]) -> None:
    assert differences(deployment(), now) == []


def said(was: dict[str, Any], now: dict[str, Any], kind: str = "Deployment") -> list[str]:
    return [described(kind, difference) for difference in differences(was, now)]


def test_changed_added_and_removed_fields_are_named() -> None:
    now = deployment(image="shop:2", replicas=5)
    now["spec"]["paused"] = True
    del now["spec"]["selector"]

    assert said(deployment(image="shop:1", replicas=4), now) == [
        "spec.paused: (none) -> true",
        "spec.replicas: 4 -> 5",
        'spec.selector: {"matchLabels":{"app":"shop"}} -> (none)',
        "spec.template.spec.containers[name=web].image: shop:1 -> shop:2",
    ]


def test_items_are_matched_by_name_not_by_place() -> None:
    was, now = deployment(A="1", B="2"), deployment(B="2")

    assert said(was, now) == [
        'spec.template.spec.containers[name=web].env[name=A]: {"name":"A","value":"1"} -> (none)'
    ]


def test_another_order_is_a_difference() -> None:
    assert said(deployment(A="1", B="2"), deployment(B="2", A="1")) == [
        'spec.template.spec.containers[name=web].env.(order): ["name=A","name=B"] -> ["name=B","name=A"]'
    ]


def test_one_and_true_are_not_the_same() -> None:
    assert said({"data": {"x": 1}}, {"data": {"x": True}}) == ["data.x: 1 -> true"]


def test_what_a_secret_holds_is_not_shown() -> None:
    lines = said({"data": {"key": "c2VjcmV0"}}, {"data": {"key": "b3RoZXI=", "new": "eA=="}}, "Secret")

    assert lines == ["data.key: (hidden) -> (hidden)", "data.new: (none) -> (hidden)"]


def test_variable_that_is_named_like_a_secret_is_not_shown() -> None:
    lines = said(deployment(DB_PASSWORD="hunter2"), deployment(DB_PASSWORD="hunter3"))

    assert lines == [
        "spec.template.spec.containers[name=web].env[name=DB_PASSWORD].value: (hidden) -> (hidden)"
    ]


def test_long_values_are_cut() -> None:
    assert len(said({"data": {"x": "a" * 500}}, {"data": {"x": "b" * 500}})[0]) < 300


@pytest.mark.parametrize("big", [2**60, -(2**63)], ids=["large", "smallest of 64 bits"])
def test_number_beyond_what_json_carries_exactly_is_compared_and_said(big: int) -> None:
    def limited(bytes: int) -> dict[str, Any]:
        return {"apiVersion": "x/v1", "kind": "Limit", "metadata": {"name": "a"}, "spec": {"bytes": bytes}}

    assert differences(limited(big), limited(big)) == []
    assert said(limited(big), limited(big + 1), "Limit") == [f"spec.bytes: {big} -> {big + 1}"]
