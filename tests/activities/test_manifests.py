"""What a change may apply is checked before anything is sent, and every refusal names the path."""

import time
from typing import Any

import pytest

from activities.manifests import images, load, load_whole, load_with_paths, rendered_of
from activities.steps.canary_objects import stable_manifest
from holdpoint.clients.git_rendering import Charted
from holdpoint.ledger.tickets import StoredChange
from holdpoint.models.change import Step
from holdpoint.models.errors import StepConfig
from holdpoint.models.source import Source
from tests.activities.world import Files, a_change, deployment

SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: shop}\n"


def stored() -> StoredChange:
    change = a_change("prod", [{"apply": {}}], {})
    return StoredChange(
        ticket="chg-1",
        change=change,
        commit="abc",
        repository="r",
        requester="ci",
        digest="sha256:" + "0" * 64,
    )


def files(text: str) -> Files:
    made = Files()
    made.states["abc"] = text.encode()
    return made


async def test_objects_get_the_namespace_of_the_target_and_keep_their_order() -> None:
    config = SERVICE.replace("Service", "ConfigMap").replace("shop", "shop, namespace: prod")

    found = await load(files(f"{SERVICE}---\n---\n{config}"), stored())

    assert [(m["kind"], m["metadata"]["namespace"]) for m in found] == [
        ("Service", "prod"),
        ("ConfigMap", "prod"),
    ]


async def test_each_object_knows_its_path() -> None:
    assert [m.path for m in await load_with_paths(files(SERVICE), stored())] == ["all.yaml"]


async def test_what_looks_like_a_date_stays_text() -> None:
    found = await load(files(SERVICE + "data: {built: 2026-01-01}\n"), stored())

    assert found[0]["data"]["built"] == "2026-01-01"


async def test_string_data_of_a_secret_is_sent_as_data() -> None:
    secret = (
        SERVICE.replace("Service", "Secret")
        + "data: {a: b2xk, kept: b25l}\nstringData: {a: new, umlaut: \u00fc}\n"
    )

    found = await load(files(secret), stored())

    assert found[0]["data"] == {"a": "bmV3", "kept": "b25l", "umlaut": "w7w="}
    assert "stringData" not in found[0]


@pytest.mark.parametrize("wrong", ["stringData: [a]", "stringData: {a: 1}", "stringData: {a: b}\ndata: 1"])
async def test_malformed_secret_is_left_for_the_api_server_to_refuse(wrong: str) -> None:
    found = await load(files(SERVICE.replace("Service", "Secret") + wrong), stored())

    assert "stringData" in found[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "Nothing to apply", id="no objects"),
        pytest.param("- a\n", "without metadata", id="a list"),
        pytest.param("kind: Service\nmetadata: 1\n", "without metadata", id="no metadata"),
        pytest.param(SERVICE.replace("name: shop", "labels: {}"), "without a name", id="no name"),
        pytest.param(SERVICE.replace("v1", "'1'"), "Cannot apply Service shop", id="no version"),
        pytest.param(SERVICE.replace("Service", "ServiceList"), "A list", id="a list kind"),
        pytest.param(SERVICE.replace("Service", "Namespace"), "Cluster-scoped", id="a cluster-scoped kind"),
        pytest.param(
            SERVICE.replace("shop", "shop, namespace: dev"), "Foreign namespace", id="another namespace"
        ),
        pytest.param(f"{SERVICE}---\n{SERVICE}", "stated twice", id="the same object twice"),
        pytest.param("a: [", "not valid YAML", id="broken YAML"),
        pytest.param(SERVICE + "data: {x: .nan}\n", "not valid YAML", id="a number that JSON has not"),
        pytest.param("a: !!python/object:os.system {}\n", "not valid YAML", id="a tag that runs code"),
        pytest.param(SERVICE + "x: " + "[" * 100 + "]" * 100, "not valid YAML", id="too deep"),
    ],
)
async def test_mistake_is_refused_with_its_path(text: str, said: str) -> None:
    with pytest.raises(StepConfig) as raised:
        await load(files(text), stored())

    assert said in raised.value.message
    assert "all.yaml" in raised.value.message or said == "Nothing to apply"


@pytest.mark.parametrize("join", ["[{0}, {0}, {0}, {0}, {0}, {0}, {0}, {0}]", "{{<<: [{0}, {0}, {0}, {0}]}}"])
async def test_billion_laughs_are_refused_quickly(join: str) -> None:
    lines = ["a0: &a0 {k: v}"] + [f"a{n}: &a{n} {join.format(f'*a{n - 1}')}" for n in range(1, 30)]
    started = time.monotonic()

    with pytest.raises(StepConfig):
        await load(files("\n".join(lines)), stored())

    assert time.monotonic() - started < 1


def test_images_of_all_containers_are_found_once() -> None:
    body = deployment(image="a:1")
    spec = body["spec"]["template"]["spec"]
    spec["initContainers"] = [{"name": "init", "image": "b:1"}]
    spec["containers"].append({"name": "side", "image": "a:1"})

    assert images([body, {"kind": "ConfigMap", "data": {"containers": "c:1"}}]) == ["a:1", "b:1"]


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param("a: " + "[" * 20_000, id="flow lists never closed"),
        pytest.param("- " * 20_000, id="lists in one line"),
        pytest.param("? " * 20_000, id="keys of keys"),
        pytest.param("{a: " * 20_000, id="mappings never closed"),
    ],
)
async def test_deep_nesting_is_refused_quickly(hostile: str) -> None:
    started = time.monotonic()

    with pytest.raises(StepConfig, match=r"all\.yaml"):
        await load(files(hostile), stored())

    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("more", "said"),
    [
        pytest.param("kind: Secret\n", "line 4, column 1: the key 'kind' stands twice", id="a key twice"),
        pytest.param("data: {1: a, '1': b}\n", "the key '1' stands twice", id="a key twice in JSON"),
        pytest.param("data: {yes: a}\n", "write it in quotes", id="a key that is no text"),
        pytest.param('data: {a: "\\ud800"}\n', "Unicode", id="half of a surrogate pair"),
        pytest.param("spec: {replicas: 99999999999999999999}\n", "a number is larger", id="a huge number"),
    ],
)
async def test_what_readers_would_read_differently_is_refused(more: str, said: str) -> None:
    with pytest.raises(StepConfig) as raised:
        await load(files(SERVICE + more), stored())

    assert said in raised.value.message


async def test_mistake_names_its_field() -> None:
    with pytest.raises(StepConfig) as raised:
        await load(files("a: ["), stored())

    assert [one["field"] for one in raised.value.detail["mistakes"]] == ["spec.source.paths[0]"]


async def test_number_as_a_key_is_text_as_in_json() -> None:
    found = await load(files(SERVICE + "data: {1: a, 8080: b}\n"), stored())

    assert found[0]["data"] == {"1": "a", "8080": "b"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"selector": "x"},
        {"selector": {"matchLabels": []}},
        {"template": {"metadata": 3}},
        {"replicas": 2**31},
    ],
    ids=["selector", "labels selected by", "pod", "replicas"],
)
def test_deployment_that_cannot_get_a_canarys_label_is_refused(wrong: dict[str, object]) -> None:
    body = deployment()
    body["spec"] |= wrong

    with pytest.raises(StepConfig, match="shop"):
        stable_manifest([body], "shop")


def rendered(**source: Any) -> StoredChange:
    before = stored()
    given = {"repository": "r", "revision": "main", **source}
    spec = before.change.spec.model_copy(update={"source": Source.model_validate(given)})
    return before.model_copy(update={"change": before.change.model_copy(update={"spec": spec})})


async def test_rendered_objects_know_the_folder_that_they_come_from() -> None:
    for source in ({"kustomize": "overlays/eu"}, {"helm": {"chart": "overlays/eu"}}):
        found = await load_with_paths(files(SERVICE), rendered(**source))

        assert [(m.path, m.object["metadata"]["namespace"]) for m in found] == [("overlays/eu", "prod")]


async def test_release_is_named_after_the_service_unless_the_change_says_otherwise() -> None:
    ways = ({"chart": "c"}, {"chart": "c", "release": "blue"})

    found = [rendered_of(rendered(helm=way).change)[0] for way in ways]

    assert [(one.release, one.namespace) for one in found if isinstance(one, Charted)] == [
        ("shop", "prod"),
        ("blue", "prod"),
    ]


async def test_what_is_wrong_with_a_rendered_object_names_the_field() -> None:
    with pytest.raises(StepConfig) as raised:
        await load(files(SERVICE.replace("Service", "Namespace")), rendered(kustomize="overlays/eu"))

    assert "overlays/eu" in raised.value.message
    assert [one["field"] for one in raised.value.detail["mistakes"]] == ["spec.source.kustomize"]


HOOK = SERVICE.replace("shop", "migrate, annotations: {helm.sh/hook: pre-upgrade}")


async def test_chart_with_hooks_is_refused_unless_the_change_leaves_them_out() -> None:
    both = files(f"{SERVICE}---\n{HOOK}")

    with pytest.raises(StepConfig, match=r"Service migrate \(pre-upgrade\), which Holdpoint does not run"):
        await load(both, rendered(helm={"chart": "c"}))
    loaded = await load_whole(both, rendered(helm={"chart": "c", "hooks": "leaveOut"}))

    assert [one.object["metadata"]["name"] for one in loaded.manifests] == ["shop"]
    assert loaded.warnings == [
        "Hooks of the chart c are left out and do not run: Service migrate (pre-upgrade)."
    ]


async def test_plan_that_only_deletes_needs_no_objects() -> None:
    change = rendered(kustomize="x")
    step = Step.model_validate({"delete": {"objects": [{"kind": "Service", "name": "a"}]}})
    plan = change.change.spec.plan.model_copy(update={"steps": [step]})
    spec = change.change.spec.model_copy(update={"plan": plan})
    only = change.model_copy(update={"change": change.change.model_copy(update={"spec": spec})})

    assert await load(files(""), only) == []
