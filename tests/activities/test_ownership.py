"""An undo states what was or is ours, leaves out what strangers changed since, and nothing else."""

from typing import Any

import pytest

from activities.comparison import differences
from activities.ownership import disputed, managers_of, our_fields, owners_of, restoring, touched_by_us

ITEM = 'k:{"name":"web"}'


def body(image: str, *managed: tuple[str, dict[str, Any]], **spec: Any) -> dict[str, Any]:
    entries = [{"manager": name, "fieldsV1": fields} for name, fields in managed]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop", "namespace": "prod", "managedFields": entries},
        "spec": {**spec, "containers": [{"name": "web", "image": image, "imagePullPolicy": "Always"}]},
    }


def image_of(**more: Any) -> dict[str, Any]:
    return {"f:spec": {"f:containers": {ITEM: {".": {}, "f:name": {}, "f:image": {}}}, **more}}


def test_field_that_we_changed_is_stated_as_it_was() -> None:
    was, now = body("shop:1", ("holdpoint", image_of())), body("shop:2", ("holdpoint", image_of()))

    manifest = restoring(was, now)

    assert manifest["spec"] == {"containers": [{"name": "web", "image": "shop:1"}]}
    assert manifest["metadata"] == {"name": "shop", "namespace": "prod"}


def test_field_that_we_added_is_left_out() -> None:
    was = body("shop:1", ("holdpoint", image_of()))
    now = body("shop:1", ("holdpoint", image_of(**{"f:paused": {}})), paused=True)

    assert "paused" not in restoring(was, now)["spec"]


def test_field_that_a_stranger_took_and_changed_is_left_to_them() -> None:
    was = body("shop:1", ("holdpoint", image_of(**{"f:replicas": {}})), replicas=4)
    now = body("shop:2", ("holdpoint", image_of()), ("stranger", {"f:spec": {"f:replicas": {}}}), replicas=9)

    assert restoring(was, now)["spec"] == {"containers": [{"name": "web", "image": "shop:1"}]}


def test_field_that_we_took_over_is_stated_as_its_owner_had_it() -> None:
    was, now = body("shop:1", ("kubectl", image_of())), body("shop:2", ("holdpoint", image_of()))

    assert restoring(was, now)["spec"] == {"containers": [{"name": "web", "image": "shop:1"}]}


def test_object_that_never_was_ours_states_nothing() -> None:
    was = now = body("shop:1", ("kubectl", image_of()))

    assert set(restoring(was, now)) == {"apiVersion", "kind", "metadata"}


def test_owner_of_a_field_in_a_list_is_found() -> None:
    now = body(
        "shop:2", ("stranger", image_of()), ("holdpoint-scale", {"f:spec": {"f:replicas": {}}}), replicas=1
    )
    (image,) = differences(body("shop:1", replicas=1), now)

    assert owners_of(now, image.path) == {"stranger"}
    assert managers_of(now) == {"stranger", "holdpoint-scale"}
    assert touched_by_us(now)
    assert not touched_by_us(body("shop:2", ("stranger", image_of())))


def test_status_belongs_to_nobody_who_could_be_blamed() -> None:
    now = body("shop:1")
    now["metadata"]["managedFields"] = [
        {"manager": "holdpoint", "subresource": "status", "fieldsV1": image_of()}
    ]

    assert our_fields(now) == {}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"f:spec": {"f:replicas": {}}}, True, id="a field that is stated"),
        pytest.param({"f:spec": {"f:paused": {}}}, False, id="a field that is not"),
        pytest.param({"f:spec": {}}, True, id="what holds a field that is stated"),
        pytest.param({"f:spec": {".": {}, "f:paused": {}}}, False, id="the mere being there"),
        pytest.param({"f:spec": {"f:items": {'k:{"name":"other"}': {}}}}, True, id="an item of a list"),
        pytest.param({"f:metadata": {"f:annotations": {"f:revision": {}}}}, False, id="a note of its own"),
    ],
)
def test_field_of_somebody_else_is_disputed_where_it_is_stated(
    fields: dict[str, Any], expected: bool
) -> None:
    manifest = {"metadata": {"name": "x"}, "spec": {"replicas": 2, "items": [{"name": "mine"}]}}
    entries = [{"manager": "holdpoint", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]
    theirs = {"manager": "somebody", "fieldsV1": fields}

    assert not disputed(manifest, {"metadata": {"managedFields": entries}})
    assert disputed(manifest, {"metadata": {"managedFields": [*entries, theirs]}}) is expected


def test_object_without_managed_fields_may_be_anybodys() -> None:
    assert disputed({"spec": {"replicas": 2}}, {"metadata": {}})
