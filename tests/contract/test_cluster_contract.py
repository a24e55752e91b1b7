"""What Holdpoint takes for granted of an API server, held against the sandbox and a real one."""

import time
from typing import Any

import pytest

from tests.contract.conftest import APPLY, MERGE, STRATEGIC, ApiServer
from tests.sandbox.process import a_config, a_deployment, a_service, wait_for

Body = dict[str, Any]


def deployment(server: ApiServer, **keywords: Any) -> Body:
    """Return a Deployment in the test's namespace."""
    body = a_deployment(**keywords)
    return {**body, "metadata": {**body["metadata"], "namespace": server.namespace}}


def config(server: ApiServer, **data: str) -> Body:
    """Return a ConfigMap in the test's namespace."""
    body = a_config(**data)
    return {**body, "metadata": {**body["metadata"], "namespace": server.namespace}}


def container(body: Body) -> Body:
    """Return the one container of a Deployment."""
    found: Body = body["spec"]["template"]["spec"]["containers"][0]
    return found


def times(body: Body) -> dict[str, str]:
    """Return when each manager wrote last, by its managed fields."""
    return {entry["manager"]: entry["time"] for entry in body["metadata"]["managedFields"]}


def next_second() -> None:
    """Return in the next second: managed fields know seconds only, and nothing tells when one begins."""
    time.sleep(1.05 - time.time() % 1)  # the clock itself is what is waited for


def causes(answer: Any) -> dict[str, str]:
    """Return the reason of each field that a 422 names."""
    assert answer.status_code == 422, answer.text
    return {cause["field"]: cause["reason"] for cause in answer.json()["details"]["causes"]}


def test_a_request_without_a_known_token_is_401(server: ApiServer) -> None:
    answer = server.http.get(server.path("configmaps"), headers={"Authorization": "Bearer nobody"})

    assert answer.status_code == 401
    assert answer.json()["kind"] == "Status"
    assert answer.json()["reason"] == "Unauthorized"


def test_a_missing_object_is_404_with_its_name(server: ApiServer) -> None:
    answer = server.http.get(server.path("deployments", "nothing"))

    assert answer.status_code == 404
    assert answer.json()["message"] == 'deployments.apps "nothing" not found'
    assert answer.json()["details"] == {"name": "nothing", "group": "apps", "kind": "deployments"}


def test_an_unknown_kind_is_404(server: ApiServer) -> None:
    answer = server.http.get(f"/apis/apps/v1/namespaces/{server.namespace}/wonders")

    assert answer.status_code == 404


def test_nothing_is_created_in_a_missing_namespace(server: ApiServer) -> None:
    body = {**a_config(), "metadata": {"name": "settings"}}

    answer = server.send("POST", "/api/v1/namespaces/nowhere/configmaps", body)

    assert answer.status_code == 404
    assert answer.json()["message"] == 'namespaces "nowhere" not found'


def test_a_second_create_is_a_conflict(server: ApiServer) -> None:
    first = server.send("POST", server.path("configmaps"), config(server))
    second = server.send("POST", server.path("configmaps"), config(server))

    assert (first.status_code, second.status_code) == (201, 409)
    assert second.json()["reason"] == "AlreadyExists"
    assert second.json()["message"] == 'configmaps "settings" already exists'


def test_an_apply_creates_and_then_changes(server: ApiServer) -> None:
    created = server.apply("configmaps", config(server, a="1"))
    changed = server.apply("configmaps", config(server, a="2"))

    assert (created.status_code, changed.status_code) == (201, 200)
    assert changed.json()["data"] == {"a": "2"}
    assert changed.json()["metadata"]["uid"] == created.json()["metadata"]["uid"]
    assert changed.json()["metadata"]["resourceVersion"] != created.json()["metadata"]["resourceVersion"]


def test_an_apply_that_changes_nothing_leaves_the_version(server: ApiServer) -> None:
    first = server.apply("configmaps", config(server, a="1")).json()
    second = server.apply("configmaps", config(server, a="1")).json()

    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_an_apply_with_an_old_version_is_a_conflict(server: ApiServer) -> None:
    old = server.apply("configmaps", config(server, a="1")).json()["metadata"]["resourceVersion"]
    server.apply("configmaps", config(server, a="2"))
    late = config(server, a="3")
    late["metadata"]["resourceVersion"] = old

    answer = server.apply("configmaps", late, force="true")

    assert answer.status_code == 409
    assert answer.json()["reason"] == "Conflict"
    assert answer.json()["message"] == (
        'Operation cannot be fulfilled on configmaps "settings": the object has been modified; please apply '
        "your changes to the latest version and try again"
    )
    assert server.get("configmaps", "settings")["data"] == {"a": "2"}


def test_an_apply_with_a_version_of_what_is_not_there_creates_it(server: ApiServer) -> None:
    body = config(server, a="1")
    body["metadata"]["resourceVersion"] = "12345"

    assert server.apply("configmaps", body).status_code == 201


def test_a_create_at_a_version_that_no_object_has_is_refused_where_one_is(server: ApiServer) -> None:
    server.apply("configmaps", config(server, a="1"), manager="theirs")
    late = config(server, b="1")
    late["metadata"]["resourceVersion"] = "1"

    answer = server.apply("configmaps", late)

    assert (answer.status_code, answer.json()["reason"]) == (409, "Conflict")
    assert server.get("configmaps", "settings")["data"] == {"a": "1"}


@pytest.mark.parametrize("media", [MERGE, STRATEGIC])
def test_a_patch_with_an_old_version_is_a_conflict(server: ApiServer, media: str) -> None:
    old = server.apply("configmaps", config(server, a="1")).json()["metadata"]["resourceVersion"]
    server.apply("configmaps", config(server, a="2"))
    patch = {"metadata": {"resourceVersion": old, "annotations": {"fence": "1"}}}

    answer = server.send("PATCH", server.path("configmaps", "settings"), patch, media=media)

    assert (answer.status_code, answer.json()["reason"]) == (409, "Conflict")


def test_an_annotation_gives_the_object_a_new_version(server: ApiServer) -> None:
    before = server.apply("configmaps", config(server, a="1")).json()["metadata"]
    patch = {"metadata": {"resourceVersion": before["resourceVersion"], "annotations": {"fence": "1"}}}

    after = server.send("PATCH", server.path("configmaps", "settings"), patch, media=MERGE).json()["metadata"]

    assert after["resourceVersion"] != before["resourceVersion"]


def test_a_field_of_another_manager_is_a_conflict_that_names_both(server: ApiServer) -> None:
    server.apply("configmaps", config(server, a="1"), manager="theirs")

    answer = server.apply("configmaps", config(server, a="2"), manager="ours")

    assert answer.status_code == 409
    assert answer.json()["message"] == 'Apply failed with 1 conflict: conflict with "theirs": .data.a'
    cause = {"reason": "FieldManagerConflict", "message": 'conflict with "theirs"', "field": ".data.a"}
    assert answer.json()["details"]["causes"] == [cause]


def test_several_conflicts_are_all_named(server: ApiServer) -> None:
    server.apply("configmaps", config(server, a="1", b="1"), manager="theirs")

    answer = server.apply("configmaps", config(server, a="2", b="2"), manager="ours")

    assert answer.json()["message"] == (
        'Apply failed with 2 conflicts: conflicts with "theirs":\n- .data.a\n- .data.b'
    )


def test_force_takes_the_field_from_its_manager(server: ApiServer) -> None:
    server.apply("configmaps", config(server, a="1", b="1"), manager="theirs")

    forced = server.apply("configmaps", config(server, a="2"), manager="ours", force="true").json()

    assert forced["data"] == {"a": "2", "b": "1"}
    owners = {entry["manager"]: entry["fieldsV1"]["f:data"] for entry in forced["metadata"]["managedFields"]}
    assert owners == {"theirs": {"f:b": {}}, "ours": {"f:a": {}}}


def test_the_same_value_is_shared_without_a_conflict(server: ApiServer) -> None:
    server.apply("configmaps", config(server, a="1"), manager="theirs")
    server.apply("configmaps", config(server, a="1"), manager="ours")

    left = server.apply("configmaps", config(server), manager="ours").json()

    assert left["data"] == {"a": "1"}


def test_what_a_manager_states_no_more_is_removed(server: ApiServer) -> None:
    server.apply("configmaps", config(server, a="1", b="1"))

    left = server.apply("configmaps", config(server, a="1")).json()

    assert left["data"] == {"a": "1"}


def test_replicas_that_nobody_stated_stay_as_they_were_scaled(server: ApiServer) -> None:
    server.apply("deployments", deployment(server, replicas=None))
    scale = server.path("deployments", "web", below="scale")
    server.send("PATCH", scale, {"spec": {"replicas": 5}}, media=MERGE)

    again = server.apply("deployments", deployment(server, replicas=None, image="web:2")).json()

    assert again["spec"]["replicas"] == 5


def test_scaling_takes_the_replicas_from_who_stated_them(server: ApiServer) -> None:
    server.apply("deployments", deployment(server, replicas=2))
    scale = server.path("deployments", "web", below="scale")
    server.send("PATCH", scale, {"spec": {"replicas": 5}}, media=MERGE, fieldManager="person")

    answer = server.apply("deployments", deployment(server, replicas=2))

    assert answer.status_code == 409
    (cause,) = answer.json()["details"]["causes"]
    assert cause["field"] == ".spec.replicas"
    assert cause["message"].startswith('conflict with "person" with subresource "scale" using apps/v1')


def test_replicas_that_their_only_owner_leaves_out_fall_back_to_one(server: ApiServer) -> None:
    server.apply("deployments", deployment(server, replicas=3))

    left = server.apply("deployments", deployment(server, replicas=None)).json()

    assert left["spec"]["replicas"] == 1


def test_replicas_that_somebody_else_scaled_stay_when_they_are_left_out(server: ApiServer) -> None:
    server.apply("deployments", deployment(server, replicas=3))
    scale = server.path("deployments", "web", below="scale")
    server.send("PATCH", scale, {"spec": {"replicas": 5}}, media=MERGE, fieldManager="autoscaler")

    left = server.apply("deployments", deployment(server, replicas=None)).json()

    assert left["spec"]["replicas"] == 5


def test_replicas_stated_as_they_are_leave_them_to_the_next_who_scales(server: ApiServer) -> None:
    server.apply("deployments", deployment(server, replicas=3))
    server.apply("deployments", deployment(server, replicas=3, image="web:2"))
    scale = server.path("deployments", "web", below="scale")

    answer = server.send("PATCH", scale, {"spec": {"replicas": 5}}, media=MERGE, fieldManager="autoscaler")

    assert answer.status_code == 200
    assert server.get("deployments", "web")["spec"]["replicas"] == 5


def test_a_manager_whose_field_was_taken_keeps_its_time(server: ApiServer) -> None:
    server.apply("configmaps", config(server, a="1", b="1"), manager="theirs")
    before = times(server.get("configmaps", "settings"))
    next_second()

    server.apply("configmaps", config(server, a="2"), manager="ours", force="true")
    taken = times(server.get("configmaps", "settings"))
    next_second()
    edit = {"data": {"b": "3"}}
    server.send("PATCH", server.path("configmaps", "settings"), edit, media=MERGE, fieldManager="theirs")
    edited = server.get("configmaps", "settings")["metadata"]["managedFields"]

    assert taken["theirs"] == before["theirs"]
    assert max(entry["time"] for entry in edited if entry["manager"] == "theirs") > before["theirs"]


def test_items_merge_by_their_keys(server: ApiServer) -> None:
    ours, theirs = deployment(server), deployment(server)
    container(ours)["env"] = [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]
    container(theirs)["env"] = [{"name": "C", "value": "1"}]
    server.apply("deployments", ours, manager="ours")
    server.apply("deployments", theirs, manager="theirs")
    container(ours)["env"] = [{"name": "B", "value": "2"}]

    merged = server.apply("deployments", ours, manager="ours").json()

    assert {item["name"]: item["value"] for item in container(merged)["env"]} == {"B": "2", "C": "1"}


def test_an_item_goes_with_its_owner_although_another_changed_a_field_of_it(server: ApiServer) -> None:
    body = deployment(server)
    container(body)["env"] = [{"name": "A", "value": "1"}]
    server.apply("deployments", body, manager="ours")
    change = {
        "spec": {
            "template": {"spec": {"containers": [{"name": "main", "env": [{"name": "A", "value": "2"}]}]}}
        }
    }
    server.send("PATCH", server.path("deployments", "web"), change, media=STRATEGIC, fieldManager="person")

    left = server.apply("deployments", deployment(server), manager="ours")

    assert left.status_code == 200
    assert "env" not in container(left.json())


def test_a_struct_goes_with_its_defaults(server: ApiServer) -> None:
    body = deployment(server)
    container(body)["livenessProbe"] = {"httpGet": {"port": 80}}
    server.apply("deployments", body)

    left = server.apply("deployments", deployment(server)).json()

    assert "livenessProbe" not in container(left)


def test_a_port_without_protocol_is_the_same_port(server: ApiServer) -> None:
    body = deployment(server)
    container(body)["ports"] = [{"containerPort": 80}]
    server.apply("deployments", body)
    container(body)["ports"] = [{"containerPort": 80, "protocol": "TCP", "name": "http"}]

    ports = container(server.apply("deployments", body).json())["ports"]

    assert ports == [{"containerPort": 80, "protocol": "TCP", "name": "http"}]


def test_a_container_is_named_by_its_key_in_a_conflict(server: ApiServer) -> None:
    server.apply("deployments", deployment(server, image="web:1"), manager="theirs")

    answer = server.apply("deployments", deployment(server, image="web:2"), manager="ours")

    field = '.spec.template.spec.containers[name="main"].image'
    assert [cause["field"] for cause in answer.json()["details"]["causes"]] == [field]


def test_managed_fields_name_what_was_applied(server: ApiServer) -> None:
    body = deployment(server)
    container(body)["env"] = [{"name": "A", "value": "1"}]

    entry = server.apply("deployments", body).json()["metadata"]["managedFields"][0]

    assert (entry["manager"], entry["operation"], entry["fieldsType"]) == ("one", "Apply", "FieldsV1")
    variable: Body = {".": {}, "f:name": {}, "f:value": {}}
    main: Body = {".": {}, "f:env": {'k:{"name":"A"}': variable}, "f:image": {}, "f:name": {}}
    template = {
        "f:metadata": {"f:labels": {"f:app": {}}},
        "f:spec": {"f:containers": {'k:{"name":"main"}': main}},
    }
    assert entry["fieldsV1"] == {"f:spec": {"f:replicas": {}, "f:selector": {}, "f:template": template}}


def test_an_apply_needs_a_manager(server: ApiServer) -> None:
    path = server.path("configmaps", "settings")

    answer = server.send("PATCH", path, config(server), media=APPLY)

    assert answer.status_code == 422
    assert "fieldManager: Required value: is required for apply patch" in answer.json()["message"]


def test_an_apply_must_not_carry_managed_fields(server: ApiServer) -> None:
    body = server.apply("configmaps", config(server, a="1")).json()
    del body["metadata"]["resourceVersion"]

    answer = server.apply("configmaps", body)

    assert (answer.status_code, answer.json()["message"]) == (400, "metadata.managedFields must be nil")


def test_an_undeclared_field_refuses_an_apply(server: ApiServer) -> None:
    answer = server.apply("deployments", deployment(server, replica=3))

    assert answer.status_code == 500
    assert answer.json()["message"] == (
        f"failed to create typed patch object ({server.namespace}/web; apps/v1, Kind=Deployment): "
        ".spec.replica: field not declared in schema"
    )


def test_a_value_of_a_wrong_type_refuses_an_apply(server: ApiServer) -> None:
    answer = server.apply("deployments", deployment(server, replicas="three"))

    assert answer.status_code == 500
    assert ".spec.replicas: expected numeric (int or float), got string" in answer.json()["message"]


@pytest.mark.parametrize(("field", "value"), [("replicas", 1.5), ("memory", "much")])
def test_a_value_that_a_field_cannot_have_is_no_bad_patch_but_no_object(
    server: ApiServer, field: str, value: object
) -> None:
    body = deployment(server)
    if field == "replicas":
        body["spec"]["replicas"] = value
    else:
        container(body)["resources"] = {"limits": {field: value}}

    applied, posted = server.apply("deployments", body), server.send("POST", server.path("deployments"), body)

    assert applied.status_code == 500
    assert applied.json()["message"].startswith(
        f"failed to convert new object ({server.namespace}/web; apps/v1"
    )
    assert (posted.status_code, posted.json()["reason"]) == (400, "BadRequest")


def test_an_undeclared_field_of_a_create_is_dropped_with_a_warning(server: ApiServer) -> None:
    answer = server.send(
        "POST", server.path("deployments"), deployment(server, replica=3), fieldValidation="Warn"
    )

    assert answer.status_code == 201
    assert answer.headers["Warning"] == '299 - "unknown field \\"spec.replica\\""'
    assert "replica" not in answer.json()["spec"]


def test_strict_validation_refuses_an_undeclared_field(server: ApiServer) -> None:
    answer = server.send(
        "POST", server.path("deployments"), deployment(server, replica=3), fieldValidation="Strict"
    )

    assert answer.status_code == 400
    assert 'strict decoding error: unknown field "spec.replica"' in answer.json()["message"]


def test_a_value_of_a_wrong_type_refuses_a_create(server: ApiServer) -> None:
    answer = server.send("POST", server.path("deployments"), deployment(server, replicas="three"))

    assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")


def test_defaults_are_written_into_the_object(server: ApiServer) -> None:
    body = server.apply("deployments", deployment(server, replicas=None)).json()

    assert body["spec"]["replicas"] == 1
    assert body["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": "25%", "maxUnavailable": "25%"}
    assert (body["spec"]["progressDeadlineSeconds"], body["spec"]["revisionHistoryLimit"]) == (600, 10)
    pod = {key: value for key, value in body["spec"]["template"]["spec"].items() if key != "containers"}
    assert pod == {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
    }
    assert container(body) == {
        "name": "main",
        "image": "web:1",
        "resources": {},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }


def test_a_probe_and_a_service_get_their_defaults(server: ApiServer) -> None:
    body = deployment(server)
    container(body)["livenessProbe"] = {"httpGet": {"port": 80}}
    service = {**a_service(), "metadata": {"name": "web", "namespace": server.namespace}}

    probe = container(server.apply("deployments", body).json())["livenessProbe"]
    spec = server.apply("services", service).json()["spec"]

    assert probe == {
        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    assert spec["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    names = ("type", "sessionAffinity", "internalTrafficPolicy", "ipFamilies", "ipFamilyPolicy")
    assert [spec[name] for name in names] == ["ClusterIP", "None", "Cluster", ["IPv4"], "SingleStack"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2000m", "2"),
        ("0.5", "500m"),
        (2, "2"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("1000k", "1M"),
        ("12e6", "12e6"),
    ],
)
def test_quantities_are_kept_in_canonical_form(server: ApiServer, given: object, kept: str) -> None:
    body = deployment(server)
    container(body)["resources"] = {"limits": {"memory": given}}

    assert container(server.apply("deployments", body).json())["resources"]["limits"]["memory"] == kept


def test_a_dry_run_shows_the_result_and_stores_nothing(server: ApiServer) -> None:
    new = server.apply("deployments", deployment(server), dryRun="All")
    absent = server.http.get(server.path("deployments", "web"))
    before = server.apply("deployments", deployment(server)).json()

    changed = server.apply("deployments", deployment(server, image="web:2"), dryRun="All")

    assert (new.status_code, absent.status_code, changed.status_code) == (201, 404, 200)
    assert new.json()["spec"]["strategy"]["type"] == "RollingUpdate"
    assert container(changed.json())["image"] == "web:2"
    assert changed.json()["metadata"]["generation"] == before["metadata"]["generation"] + 1
    assert container(server.get("deployments", "web"))["image"] == "web:1"


def test_a_merge_patch_removes_with_null(server: ApiServer) -> None:
    server.apply("configmaps", config(server, a="1", b="1"))

    answer = server.send("PATCH", server.path("configmaps", "settings"), {"data": {"a": None}}, media=MERGE)

    assert answer.json()["data"] == {"b": "1"}


def test_a_strategic_patch_finds_the_container_by_name(server: ApiServer) -> None:
    server.apply("deployments", deployment(server))
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "web:2"}]}}}}

    body = server.send("PATCH", server.path("deployments", "web"), patch, media=STRATEGIC).json()

    assert container(body)["image"] == "web:2"
    assert container(body)["imagePullPolicy"] == "IfNotPresent"


def test_a_merge_patch_takes_the_field_from_its_manager(server: ApiServer) -> None:
    server.apply("configmaps", config(server, a="1"))
    path = server.path("configmaps", "settings")
    server.send("PATCH", path, {"data": {"a": "2"}}, media=MERGE, fieldManager="person")

    answer = server.apply("configmaps", config(server, a="1"))

    assert answer.status_code == 409
    assert answer.json()["details"]["causes"][0]["message"].startswith('conflict with "person" using v1')


@pytest.mark.parametrize("precondition", ["uid", "resourceVersion"])
def test_a_delete_with_a_failed_precondition_is_a_conflict(server: ApiServer, precondition: str) -> None:
    server.apply("configmaps", config(server, a="1"))

    answer = server.send(
        "DELETE", server.path("configmaps", "settings"), {"preconditions": {precondition: "other"}}
    )

    assert (answer.status_code, answer.json()["reason"]) == (409, "Conflict")
    field = {"uid": "UID", "resourceVersion": "ResourceVersion"}[precondition]
    text = f"the {field} in the precondition (other) does not match the {field} in record"
    assert f'on ConfigMap "settings": {text}' in answer.json()["message"]
    server.get("configmaps", "settings")


def test_a_delete_answers_with_the_uid_and_a_second_one_is_404(server: ApiServer) -> None:
    metadata = server.apply("configmaps", config(server, a="1")).json()["metadata"]
    options = {"preconditions": {name: metadata[name] for name in ("uid", "resourceVersion")}}

    first = server.send("DELETE", server.path("configmaps", "settings"), options)
    second = server.send("DELETE", server.path("configmaps", "settings"), options)

    assert (first.status_code, second.status_code) == (200, 404)
    assert first.json()["status"] == "Success"
    assert first.json()["details"] == {"name": "settings", "kind": "configmaps", "uid": metadata["uid"]}


def test_a_dry_delete_deletes_nothing(server: ApiServer) -> None:
    server.apply("configmaps", config(server, a="1"))

    answer = server.send("DELETE", server.path("configmaps", "settings"), {"dryRun": ["All"]})

    assert answer.status_code == 200
    server.get("configmaps", "settings")


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
def test_a_deployment_takes_its_replica_sets_and_pods_with_it(server: ApiServer, policy: str) -> None:
    server.apply("deployments", deployment(server))
    wait_for(lambda: len(server.http.get(server.path("pods")).json()["items"]) == 2)

    server.send("DELETE", server.path("deployments", "web"), {"propagationPolicy": policy})

    def left() -> list[Body]:
        plurals = ("deployments", "replicasets", "pods")
        return [item for plural in plurals for item in server.http.get(server.path(plural)).json()["items"]]

    wait_for(lambda: not left(), 40)


def test_an_orphaned_replica_set_stays(server: ApiServer) -> None:
    server.apply("deployments", deployment(server))
    wait_for(lambda: server.http.get(server.path("replicasets")).json()["items"])

    server.send("DELETE", server.path("deployments", "web"), {"propagationPolicy": "Orphan"})

    wait_for(lambda: server.http.get(server.path("deployments", "web")).status_code == 404)
    (left,) = server.http.get(server.path("replicasets")).json()["items"]
    assert "ownerReferences" not in left["metadata"]


def test_a_deployment_gets_a_numbered_replica_set_for_each_template(server: ApiServer) -> None:
    server.apply("deployments", deployment(server))
    wait_for(lambda: len(server.http.get(server.path("replicasets")).json()["items"]) == 1)
    server.apply("deployments", deployment(server, image="web:2"))

    sets = wait_for(lambda: found if len(found := replica_sets(server)) == 2 else None)

    revision = "deployment.kubernetes.io/revision"
    assert {body["metadata"]["annotations"][revision]: container(body)["image"] for body in sets} == {
        "1": "web:1",
        "2": "web:2",
    }
    current = wait_for(lambda: observed(server.get("deployments", "web"), 2))
    assert current["metadata"]["annotations"][revision] == "2"
    for body in sets:
        code = body["metadata"]["labels"]["pod-template-hash"]
        assert body["metadata"]["name"] == f"web-{code}"
        assert body["spec"]["selector"]["matchLabels"] == {"app": "web", "pod-template-hash": code}


def replica_sets(server: ApiServer) -> list[Body]:
    """Return the test's ReplicaSets that have their revision."""
    items: list[Body] = server.http.get(server.path("replicasets")).json()["items"]
    return [body for body in items if body["metadata"].get("annotations")]


def observed(body: Body, generation: int) -> Body | None:
    """Return the Deployment once its controller has seen a generation."""
    return body if body.get("status", {}).get("observedGeneration") == generation else None


def test_the_generation_counts_spec_and_annotations_but_not_labels(server: ApiServer) -> None:
    server.apply("deployments", deployment(server))
    path = server.path("deployments", "web")

    labelled = server.send("PATCH", path, {"metadata": {"labels": {"a": "1"}}}, media=MERGE).json()
    annotated = server.send("PATCH", path, {"metadata": {"annotations": {"a": "1"}}}, media=MERGE).json()
    scaled = server.send("PATCH", path, {"spec": {"replicas": 3}}, media=MERGE).json()

    assert [body["metadata"]["generation"] for body in (labelled, annotated, scaled)] == [1, 2, 3]


def test_the_selector_is_immutable(server: ApiServer) -> None:
    server.apply("deployments", deployment(server))
    other = deployment(server, selector={"matchLabels": {"app": "web", "track": "canary"}})
    other["spec"]["template"]["metadata"]["labels"]["track"] = "canary"

    answer = server.apply("deployments", other)

    assert causes(answer) == {"spec.selector": "FieldValueInvalid"}
    assert answer.json()["message"].endswith("field is immutable")


def test_an_invalid_deployment_names_every_field(server: ApiServer) -> None:
    missing = deployment(server, replicas=-1)
    del missing["spec"]["selector"]
    del container(missing)["image"]

    answer = server.send("POST", server.path("deployments"), missing)

    assert causes(answer) == {
        "spec.replicas": "FieldValueInvalid",
        "spec.selector": "FieldValueRequired",
        "spec.template.metadata.labels": "FieldValueInvalid",
        "spec.template.spec.containers[0].image": "FieldValueRequired",
    }
    assert answer.json()["reason"] == "Invalid"
    assert answer.json()["message"].startswith('Deployment.apps "web" is invalid: [')


def test_the_selector_must_match_the_template(server: ApiServer) -> None:
    answer = server.apply("deployments", deployment(server, selector={"matchLabels": {"app": "other"}}))

    assert causes(answer) == {"spec.template.metadata.labels": "FieldValueInvalid"}
    text = 'Invalid value: {"app":"web"}: `selector` does not match template `labels`'
    assert answer.json()["details"]["causes"][0]["message"] == text


INVALID: list[tuple[str, Body, dict[str, str]]] = [
    ("empty selector", {"selector": {}}, {"spec.selector": "FieldValueInvalid"}),
    ("unknown strategy", {"strategy": {"type": "Slow"}}, {"spec.strategy": "FieldValueNotSupported"}),
    (
        "no movement",
        {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}},
        {"spec.strategy.rollingUpdate.maxUnavailable": "FieldValueInvalid"},
    ),
    (
        "short deadline",
        {"minReadySeconds": 600},
        {"spec.progressDeadlineSeconds": "FieldValueInvalid"},
    ),
    ("negative history", {"revisionHistoryLimit": -1}, {"spec.revisionHistoryLimit": "FieldValueInvalid"}),
]


@pytest.mark.parametrize(
    ("spec", "expected"), [case[1:] for case in INVALID], ids=[case[0] for case in INVALID]
)
def test_an_invalid_spec_is_refused(server: ApiServer, spec: Body, expected: dict[str, str]) -> None:
    assert causes(server.apply("deployments", deployment(server, **spec))) == expected


INVALID_CONTAINERS: list[tuple[str, Body, str]] = [
    ("port", {"ports": [{"containerPort": 70000}]}, "ports[0].containerPort"),
    ("protocol", {"ports": [{"containerPort": 80, "protocol": "FOO"}]}, "ports[0].protocol"),
    ("pull policy", {"imagePullPolicy": "Sometimes"}, "imagePullPolicy"),
    ("probe", {"livenessProbe": {}}, "livenessProbe"),
    ("request", {"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}}, "resources.requests"),
    ("name", {"name": "Main_"}, "name"),
]


@pytest.mark.parametrize(
    ("fields", "field"),
    [case[1:] for case in INVALID_CONTAINERS],
    ids=[case[0] for case in INVALID_CONTAINERS],
)
def test_an_invalid_container_is_refused(server: ApiServer, fields: Body, field: str) -> None:
    body = deployment(server)
    container(body).update(fields)

    assert list(causes(server.apply("deployments", body))) == [f"spec.template.spec.containers[0].{field}"]


def test_a_mount_without_its_volume_is_invalid(server: ApiServer) -> None:
    body = deployment(server)
    container(body)["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]

    field = "spec.template.spec.containers[0].volumeMounts[0].name"
    assert causes(server.apply("deployments", body)) == {field: "FieldValueNotFound"}


def test_an_invalid_name_is_refused(server: ApiServer) -> None:
    answer = server.send(
        "POST", server.path("configmaps"), {**a_config(), "metadata": {"name": "Not_A_Name"}}
    )

    assert causes(answer) == {"metadata.name": "FieldValueInvalid"}


def test_the_name_in_the_body_must_be_that_of_the_path(server: ApiServer) -> None:
    answer = server.send("PUT", server.path("configmaps", "other"), config(server))

    assert answer.status_code == 400
    assert "(settings) does not match the name on the URL (other)" in answer.json()["message"]


def test_scale_reads_and_writes_the_replicas(server: ApiServer) -> None:
    server.apply("deployments", deployment(server, replicas=2))
    path = server.path("deployments", "web", below="scale")

    before = server.http.get(path).json()
    after = server.send("PATCH", path, {"spec": {"replicas": 4}}, media=MERGE).json()

    assert (before["kind"], before["apiVersion"], before["spec"]) == (
        "Scale",
        "autoscaling/v1",
        {"replicas": 2},
    )
    assert after["spec"] == {"replicas": 4}
    assert server.get("deployments", "web")["spec"]["replicas"] == 4


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("track=canary", ["b"]),
        ("track!=canary", ["a", "c"]),
        ("track in (canary,stable)", ["a", "b"]),
        ("track notin (canary)", ["a", "c"]),
        ("track", ["a", "b"]),
        ("!track", ["c"]),
        ("app=web,track==stable", ["a"]),
    ],
)
def test_a_list_is_narrowed_by_labels(server: ApiServer, selector: str, names: list[str]) -> None:
    for name, labels in {"a": {"track": "stable"}, "b": {"track": "canary"}, "c": {}}.items():
        body = {**a_config(name), "metadata": {"name": name, "labels": {"app": "web", **labels}}}
        server.send("POST", server.path("configmaps"), body)

    found = server.send("GET", server.path("configmaps"), labelSelector=f"app,{selector}").json()

    assert (found["kind"], found["apiVersion"]) == ("ConfigMapList", "v1")
    assert [item["metadata"]["name"] for item in found["items"]] == names


def test_a_secret_keeps_its_text_encoded(server: ApiServer) -> None:
    metadata = {"name": "key", "namespace": server.namespace}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"k": "v"}}

    stored = server.send("POST", server.path("secrets"), body).json()

    assert (stored["data"], stored["type"]) == ({"k": "dg=="}, "Opaque")
    assert "stringData" not in stored


@pytest.mark.parametrize(
    ("plural", "body"),
    [
        (
            "horizontalpodautoscalers",
            {
                "apiVersion": "autoscaling/v2",
                "kind": "HorizontalPodAutoscaler",
                "spec": {
                    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                    "maxReplicas": 4,
                },
            },
        ),
        (
            "poddisruptionbudgets",
            {
                "apiVersion": "policy/v1",
                "kind": "PodDisruptionBudget",
                "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
            },
        ),
        (
            "ingresses",
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "Ingress",
                "spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}},
            },
        ),
        ("serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount"}),
    ],
    ids=["autoscaler", "disruption budget", "ingress", "service account"],
)
def test_other_kinds_are_applied_read_and_deleted(server: ApiServer, plural: str, body: Body) -> None:
    manifest = {**body, "metadata": {"name": "web", "namespace": server.namespace}}

    created = server.apply(plural, manifest)
    deleted = server.send("DELETE", server.path(plural, "web"))

    assert created.status_code == 201
    for name, value in body.get("spec", {}).items():
        assert created.json()["spec"][name] == value
    assert deleted.status_code == 200
    assert server.http.get(server.path(plural, "web")).status_code == 404


def test_the_audit_id_of_a_client_is_kept(server: ApiServer) -> None:
    answer = server.http.get(server.path("configmaps"), headers={"Audit-ID": "intent-7.2"})

    assert answer.headers["Audit-Id"] == "intent-7.2"


def test_an_unparsable_label_selector_is_400(server: ApiServer) -> None:
    assert server.send("GET", server.path("configmaps"), labelSelector="a in (").status_code == 400


def test_an_unknown_patch_type_is_415(server: ApiServer) -> None:
    server.apply("configmaps", config(server, a="1"))

    answer = server.send("PATCH", server.path("configmaps", "settings"), {}, media="application/octet-stream")

    assert (answer.status_code, answer.json()["reason"]) == (415, "UnsupportedMediaType")
