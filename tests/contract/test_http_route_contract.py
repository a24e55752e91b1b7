"""What shifting the weights of an HTTPRoute takes for granted, on the sandbox and on a real API server.

The real one needs Gateway API's CRDs v1.7.0.
"""

from typing import Any

from tests.contract.conftest import MERGE, ApiServer

Body = dict[str, Any]
NAME = "shop"


def route(server: ApiServer, *backends: Body) -> Body:
    """Return a route with a rule for these backends, and one that is somebody else's business."""
    other = {"matches": [{"path": {"value": "/other"}}], "backendRefs": [{"name": "other", "port": 80}]}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": NAME, "namespace": server.namespace},
        "spec": {
            "parentRefs": [{"name": "gateway"}],
            "hostnames": ["shop.example"],
            "rules": [{"backendRefs": list(backends)}, other],
        },
    }


def shift(server: ApiServer, live: Body, canary: int) -> Any:
    """Send the rules with a canary in the first, at the version that was seen."""
    rules = live["spec"]["rules"]
    stable = rules[0]["backendRefs"][0]
    split = [{**stable, "weight": 100 - canary}, {**stable, "name": "shop-canary", "weight": canary}]
    rules = [{**rules[0], "backendRefs": split}, *rules[1:]]
    version = live["metadata"]["resourceVersion"]
    body = {"metadata": {"resourceVersion": version}, "spec": {"rules": rules}}
    path = server.path("httproutes", NAME)
    return server.send("PATCH", path, body, media=MERGE, fieldManager="traffic")


def owners(body: Body) -> dict[str, list[str]]:
    """Return who owns which field of the spec."""
    return {
        entry["manager"]: sorted(entry["fieldsV1"].get("f:spec", {}))
        for entry in body["metadata"]["managedFields"]
        if "f:spec" in entry["fieldsV1"]
    }


def test_a_route_gets_the_defaults_of_its_crd(server: ApiServer) -> None:
    body = server.apply("httproutes", route(server, {"name": "shop", "port": 80})).json()

    assert body["spec"]["parentRefs"] == [
        {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gateway"}
    ]
    assert body["spec"]["rules"][0] == {
        "backendRefs": [{"group": "", "kind": "Service", "name": "shop", "port": 80, "weight": 1}],
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
    }
    assert body["metadata"]["generation"] == 1


def test_rules_are_owned_whole(server: ApiServer) -> None:
    first = server.apply("httproutes", route(server, {"name": "shop", "port": 80})).json()
    other = route(server, {"name": "shop", "port": 80, "weight": 9})

    answer = server.apply("httproutes", other, manager="two")

    assert owners(first) == {"one": ["f:hostnames", "f:parentRefs", "f:rules"]}
    assert answer.status_code == 409
    # parentRefs too: the default group and kind were filled in, so what is sent is not what is there.
    assert [cause["field"] for cause in answer.json()["details"]["causes"]] == [
        ".spec.parentRefs",
        ".spec.rules",
    ]


def test_a_shift_takes_the_rules_and_leaves_the_rest(server: ApiServer) -> None:
    before = server.apply("httproutes", route(server, {"name": "shop", "port": 80})).json()

    after = shift(server, before, 10)

    assert after.status_code == 200, after.text
    rules = after.json()["spec"]["rules"]
    assert [(ref["name"], ref["weight"]) for ref in rules[0]["backendRefs"]] == [
        ("shop", 90),
        ("shop-canary", 10),
    ]
    assert rules[1] == before["spec"]["rules"][1]
    assert owners(after.json()) == {"one": ["f:hostnames", "f:parentRefs"], "traffic": ["f:rules"]}
    assert after.json()["metadata"]["generation"] == 2


def test_a_shift_of_a_route_that_moved_is_a_conflict(server: ApiServer) -> None:
    before = server.apply("httproutes", route(server, {"name": "shop", "port": 80})).json()
    server.apply("httproutes", route(server, {"name": "shop", "port": 81}))

    assert shift(server, before, 10).status_code == 409


def test_ownership_can_be_given_back(server: ApiServer) -> None:
    before = server.apply("httproutes", route(server, {"name": "shop", "port": 80})).json()
    shifted = shift(server, before, 10).json()
    body = {
        "metadata": {
            "resourceVersion": shifted["metadata"]["resourceVersion"],
            "managedFields": before["metadata"]["managedFields"],
        }
    }

    path = server.path("httproutes", NAME)
    back = server.send("PATCH", path, body, media=MERGE, fieldManager="traffic")

    assert back.status_code == 200, back.text
    assert owners(back.json()) == {"one": ["f:hostnames", "f:parentRefs", "f:rules"]}
    assert back.json()["spec"] == shifted["spec"]


def test_a_weight_below_zero_is_refused(server: ApiServer) -> None:
    answer = server.apply("httproutes", route(server, {"name": "shop", "port": 80, "weight": -1}))

    assert answer.status_code == 422
    assert "spec.rules[0].backendRefs[0].weight" in answer.text
