"""Overlays and charts are rendered from one commit and nothing else, and what is wrong with them is told.

The contract holds for the stand-ins that `make test` has, and for the real Kustomize and Helm (`real`).
"""

import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from holdpoint.clients import git_tree, renderer_process
from holdpoint.clients.git import Repositories
from holdpoint.clients.git_rendering import Charted, Overlaid, Rendered
from holdpoint.clients.rendering import Renderers
from holdpoint.models.errors import InvalidChange, UpstreamUnavailable
from holdpoint.models.source import Helm, Source
from tests.clients.fake_renderer import install
from tests.clients.test_git import Upstream

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  greeting: {greeting}\n"
BASE = {
    "base/kustomization.yaml": "resources: [config.yaml]\n",
    "base/config.yaml": CONFIG.format(name="shop", greeting="hi"),
}
OVERLAY = {**BASE, "overlays/eu/kustomization.yaml": "namePrefix: eu-\nresources: [../../base]\n"}
CHART = {
    "chart/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 0.1.0\n",
    "chart/values.yaml": "name: shop\ngreeting: {text: hello, loud: false}\n",
    "chart/templates/config.yaml": CONFIG.format(
        name="'{{ .Release.Name }}-{{ .Values.name }}'", greeting="'{{ .Values.greeting.text }}'"
    ),
    "values/eu.yaml": "greeting: {text: hallo}\n",
}


def real() -> dict[str, Path]:
    """Return the programs that are built from their pinned modules."""
    from tools.stack.parts import binary

    return {name: binary(name) for name in ("kustomize", "helm")}


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.real)])
def renderers(request: pytest.FixtureRequest, tmp_path: Path) -> Renderers:
    programs = tmp_path / "programs"
    programs.mkdir()
    found = install(programs) if request.param == "fake" else real()
    return Renderers(kustomize=found["kustomize"], helm=found["helm"], search_path="")


@pytest.fixture
def upstream(tmp_path: Path) -> Upstream:
    return Upstream(tmp_path / "upstream")


@pytest.fixture
def repositories(tmp_path: Path, renderers: Renderers) -> Repositories:
    return Repositories(tmp_path / "git", allow_local=True, renderers=renderers)


def commit(upstream: Upstream, files: dict[str, str]) -> str:
    for name, text in files.items():
        path = upstream.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return upstream.commit("files")


def chart(**more: Any) -> Charted:
    return Charted(Helm(chart="chart", **more), release="blue", namespace="prod")


async def objects(repositories: Repositories, upstream: Upstream, at: str, wanted: Rendered) -> list[Any]:
    data = await repositories.render(str(upstream.path), at, wanted)
    return [item for item in yaml.safe_load_all(data) if item]


async def refused(repositories: Repositories, upstream: Upstream, at: str, wanted: Rendered) -> str:
    with pytest.raises(InvalidChange) as caught:
        await repositories.render(str(upstream.path), at, wanted)
    fields = {mistake["field"] for mistake in caught.value.detail["mistakes"]}
    assert fields == {f"spec.source.{'kustomize' if isinstance(wanted, Overlaid) else 'helm.chart'}"}
    return caught.value.message


class TestContract:
    async def test_overlay_is_built_with_what_it_is_based_on(
        self, upstream: Upstream, repositories: Repositories
    ) -> None:
        at = commit(upstream, OVERLAY)

        found = await objects(repositories, upstream, at, Overlaid("overlays/eu"))

        assert [(item["kind"], item["metadata"]["name"]) for item in found] == [("ConfigMap", "eu-shop")]

    async def test_overlay_is_built_as_its_commit_has_it(
        self, upstream: Upstream, repositories: Repositories
    ) -> None:
        old = commit(upstream, OVERLAY)
        new = commit(upstream, {"base/config.yaml": CONFIG.format(name="cart", greeting="hi")})

        names = [
            (await objects(repositories, upstream, at, Overlaid("overlays/eu")))[0]["metadata"]["name"]
            for at in (new, old, new)
        ]

        assert names == ["eu-cart", "eu-shop", "eu-cart"]

    async def test_chart_is_rendered_with_its_values_in_their_order(
        self, upstream: Upstream, repositories: Repositories
    ) -> None:
        at = commit(upstream, CHART)
        ways: list[dict[str, Any]] = [
            {},
            {"values": ["values/eu.yaml"]},
            {"values": ["values/eu.yaml"], "set": {"greeting.text": "hej"}},
        ]

        found = [(await objects(repositories, upstream, at, chart(**way)))[0] for way in ways]

        assert [item["data"]["greeting"] for item in found] == ["hello", "hallo", "hej"]
        assert found[0]["metadata"]["name"] == "blue-shop"

    async def test_path_may_be_written_in_any_way_that_stays_inside(
        self, upstream: Upstream, repositories: Repositories
    ) -> None:
        at = commit(upstream, {**OVERLAY, **CHART})
        chart = Charted(Helm(chart="./chart/", values=["./values/eu.yaml"]), release="blue", namespace="prod")

        assert await objects(repositories, upstream, at, Overlaid("./overlays//eu/"))
        assert (await objects(repositories, upstream, at, chart))[0]["data"]["greeting"] == "hallo"

    @pytest.mark.parametrize(
        ("value", "shown"),
        [("a, b={c}.d", "a, b={c}.d"), (12345678, "12345678"), (True, "true"), (1.5, "1.5"), ("007", "007")],
    )
    async def test_single_value_is_taken_as_it_stands(
        self, upstream: Upstream, repositories: Repositories, value: Any, shown: str
    ) -> None:
        at = commit(upstream, CHART)

        found = await objects(repositories, upstream, at, chart(set={"greeting.text": value}))

        assert found[0]["data"]["greeting"] == shown

    async def test_mistake_in_an_overlay_is_the_changes_with_kustomizes_words(
        self, upstream: Upstream, repositories: Repositories
    ) -> None:
        at = commit(upstream, {**OVERLAY, "base/config.yaml": "a: [\n"})

        said = await refused(repositories, upstream, at, Overlaid("overlays/eu"))

        assert said.startswith("Kustomize cannot render overlays/eu: accumulating resources")
        assert "holdpoint-render" not in said

    async def test_mistake_in_a_chart_is_the_changes_with_helms_words(
        self, upstream: Upstream, repositories: Repositories
    ) -> None:
        template = (
            CHART["chart/templates/config.yaml"] + 'other: {{ required "state a size" .Values.size }}\n'
        )
        at = commit(upstream, {**CHART, "chart/templates/config.yaml": template})

        said = await refused(repositories, upstream, at, chart())

        assert "Helm cannot render chart" in said
        assert "state a size" in said

    @pytest.mark.parametrize(
        "made_up", ["{{ randAlphaNum 12 }}", '{{ now | date "2006-01-02" }}'], ids=["random text", "a date"]
    )
    async def test_chart_that_makes_up_values_is_refused(
        self, upstream: Upstream, repositories: Repositories, made_up: str
    ) -> None:
        text = CONFIG.format(name="shop", greeting=f"'{made_up}'")
        at = commit(upstream, {**CHART, "chart/templates/config.yaml": text})

        said = await refused(repositories, upstream, at, chart())

        assert "does not render the same twice (at 'greeting')" in said

    async def test_renderer_sees_nothing_of_our_environment(
        self, upstream: Upstream, repositories: Repositories, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SECRET", "s3cret")
        files = {
            "base/kustomization.yaml": "resources: [config.yaml]\n",
            "base/config.yaml": CONFIG.format(name="shop", greeting="'$SECRET'"),
        }
        at = commit(upstream, files)

        data = await repositories.render(str(upstream.path), at, Overlaid("base"))

        assert b"s3cret" not in data

    async def test_variables_that_an_overlay_asks_for_are_the_same_on_every_machine(
        self, upstream: Upstream, repositories: Repositories, renderers: Renderers, tmp_path: Path
    ) -> None:
        overlay = "configMapGenerator: [{name: shop, envs: [names.env]}]\n"
        at = commit(upstream, {"base/kustomization.yaml": overlay, "base/names.env": "HOME\nTMPDIR\nPATH\n"})
        other = Repositories(tmp_path / "other", allow_local=True, renderers=renderers)

        found = [
            await each.render(str(upstream.path), at, Overlaid("base")) for each in (repositories, other)
        ]

        assert found[0] == found[1]

    async def test_link_in_a_chart_is_refused(self, upstream: Upstream, repositories: Repositories) -> None:
        commit(upstream, CHART)
        (upstream.path / "chart" / "templates" / "more.yaml").symlink_to("/etc/passwd")
        at = upstream.commit("a link")

        assert "chart/templates/more.yaml is a link" in await refused(repositories, upstream, at, chart())

    async def test_overlay_without_a_kustomization_and_chart_without_files_are_refused(
        self, upstream: Upstream, repositories: Repositories
    ) -> None:
        at = commit(upstream, {"other/config.yaml": "a: 1\n"})

        assert "other has no kustomization.yaml" in await refused(
            repositories, upstream, at, Overlaid("other")
        )
        assert "chart has no Chart.yaml" in await refused(repositories, upstream, at, chart())


REAL = pytest.mark.parametrize("renderers", [pytest.param("real", marks=pytest.mark.real)], indirect=True)


@REAL
async def test_dependency_that_does_not_lie_in_the_chart_is_refused(
    upstream: Upstream, repositories: Repositories
) -> None:
    needs = "dependencies:\n- {name: db, version: 1.0.0, repository: 'https://charts.evil.example'}\n"
    at = commit(upstream, {**CHART, "chart/Chart.yaml": CHART["chart/Chart.yaml"] + needs})

    assert "missing in charts/ directory: db" in await refused(repositories, upstream, at, chart())


@REAL
async def test_hooks_are_shown_and_tests_are_not(upstream: Upstream, repositories: Repositories) -> None:
    hooked = {
        f"chart/templates/{kind}.yaml": CONFIG.format(
            name=f"{kind}\n  annotations: {{helm.sh/hook: {kind}}}", greeting="hi"
        )
        for kind in ("pre-upgrade", "test")
    }
    at = commit(upstream, {**CHART, **hooked})

    found = await objects(repositories, upstream, at, chart())

    assert {item["metadata"]["name"] for item in found} == {"blue-shop", "pre-upgrade"}


@REAL
async def test_chart_sees_no_cluster_and_what_the_change_says_of_one(
    upstream: Upstream, repositories: Repositories
) -> None:
    seen = '{{ lookup "v1" "Namespace" "" "default" | toJson }} {{ .Capabilities.KubeVersion }} '
    seen += '{{ .Capabilities.APIVersions.Has "example.dev/v1" }}'
    text = CONFIG.format(name="shop", greeting=f"'{seen}'")
    at = commit(upstream, {**CHART, "chart/templates/config.yaml": text})
    wanted = chart(kubeVersion="1.33", apiVersions=["example.dev/v1"])

    found = await objects(repositories, upstream, at, wanted)

    assert found[0]["data"]["greeting"] == "{} v1.33 true"


@REAL
async def test_memory_without_end_ends_the_renderer_and_nothing_else(
    upstream: Upstream, repositories: Repositories, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renderer_process, "MEMORY", 200 * 1024 * 1024)
    text = CONFIG.format(name="shop", greeting="'{{ range until 100 }}{{ repeat 10000000 \"x\" }}{{ end }}'")
    at = commit(upstream, {**CHART, "chart/templates/config.yaml": text})

    said = await refused(repositories, upstream, at, chart())

    assert "it needs more than 209715200 bytes of memory" in said


FAKE = pytest.mark.parametrize("renderers", ["fake"], indirect=True)


@FAKE
async def test_rendered_once_it_is_remembered(
    upstream: Upstream, repositories: Repositories, renderers: Renderers, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = commit(upstream, OVERLAY)
    once = await repositories.render(str(upstream.path), at, Overlaid("overlays/eu"))

    monkeypatch.setattr(renderers, "kustomize", None)

    assert await repositories.render(str(upstream.path), at, Overlaid("overlays/eu")) == once


@FAKE
async def test_all_that_decides_about_an_overlay_is_named(
    upstream: Upstream, repositories: Repositories
) -> None:
    at = commit(upstream, {**OVERLAY, "unrelated.yaml": "a: 1\n"})

    found = await repositories.rendered_from(str(upstream.path), at, Overlaid("overlays/eu"))

    assert sorted(found) == ["base/config.yaml", "base/kustomization.yaml", "overlays/eu/kustomization.yaml"]


@FAKE
@pytest.mark.parametrize(
    ("bound", "said"),
    [("MOST_FILES", "it has 3 files, at most 2 are read"), ("MOST_BYTES", "bytes, at most 2 are read")],
)
async def test_folder_that_holds_too_much_is_refused(
    upstream: Upstream, repositories: Repositories, monkeypatch: pytest.MonkeyPatch, bound: str, said: str
) -> None:
    at = commit(upstream, CHART)
    monkeypatch.setattr(git_tree, bound, 2)

    assert said in await refused(repositories, upstream, at, chart())


@FAKE
async def test_what_a_source_names_must_be_there_at_submit(
    upstream: Upstream, repositories: Repositories
) -> None:
    at = commit(upstream, CHART)
    source = Source(repository="r", revision="main", helm=Helm(chart="charts", values=["values/us.yaml"]))

    with pytest.raises(InvalidChange) as caught:
        await repositories.check_source(str(upstream.path), at, source)

    fields = [mistake["field"] for mistake in caught.value.detail["mistakes"]]
    assert fields == ["spec.source.helm.chart", "spec.source.helm.values[0]"]


async def outage(upstream: Upstream, renderers: Renderers, folder: Path) -> str:
    at = commit(upstream, OVERLAY)
    repositories = Repositories(folder / "git", allow_local=True, renderers=renderers)
    with pytest.raises(UpstreamUnavailable) as caught:
        await repositories.render(str(upstream.path), at, Overlaid("overlays/eu"))
    return caught.value.message


def saying(folder: Path, script: str) -> Path:
    program = folder / "kustomize"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program


async def test_missing_renderer_says_what_to_do(upstream: Upstream, tmp_path: Path) -> None:
    said = await outage(upstream, Renderers(search_path=str(tmp_path)), tmp_path)

    assert said == (
        "Kustomize is not installed. Set `kustomize` (HOLDPOINT_KUSTOMIZE) to a Kustomize 5 binary, or put "
        "`kustomize` on the PATH of workers and API."
    )


async def test_renderer_that_is_put_in_its_place_later_is_found(upstream: Upstream, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    renderers = Renderers(search_path=str(programs))
    await outage(upstream, renderers, tmp_path)

    install(programs)

    at = upstream.git("rev-parse", "HEAD")
    repositories = Repositories(tmp_path / "git", allow_local=True, renderers=renderers)
    assert await objects(repositories, upstream, at, Overlaid("overlays/eu"))


@pytest.mark.parametrize(
    ("script", "said"),
    [
        pytest.param("echo v4.5.7", "is not Kustomize 5: it says 'v4.5.7'", id="another version"),
        pytest.param("exit 3", "is not Kustomize 5", id="what does not run"),
    ],
)
async def test_program_that_is_another_is_no_mistake_of_the_change(
    upstream: Upstream, tmp_path: Path, script: str, said: str
) -> None:
    assert said in await outage(upstream, Renderers(kustomize=saying(tmp_path, script)), tmp_path)


async def test_renderer_that_does_not_end_is_ended(
    upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renderer_process, "LIMIT", 0.5)
    script = '[ "$1" = version ] && echo v5.1.0 && exit; while :; do :; done'

    said = await outage(upstream, Renderers(kustomize=saying(tmp_path, script)), tmp_path)

    assert said == "Kustomize did not come to an end within 0.5 s."


async def test_renderer_that_prints_without_end_is_ended(
    upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renderer_process, "LARGEST_OUTPUT", 1000)
    script = '[ "$1" = version ] && echo v5.1.0 && exit; while :; do echo abcdefghij; done'
    repositories = Repositories(
        tmp_path / "git", allow_local=True, renderers=Renderers(kustomize=saying(tmp_path, script))
    )
    at = commit(upstream, OVERLAY)

    said = await refused(repositories, upstream, at, Overlaid("overlays/eu"))

    assert "it renders to more than 1000 bytes" in said


def packed(folder: Path, schema: str) -> None:
    """Put a packed chart with this schema into a folder."""
    inner = folder / "inner"
    inner.mkdir()
    (inner / "values.schema.json").write_text(schema)
    with tarfile.open(folder / "inner.tgz", "w:gz") as archive:
        archive.add(inner / "values.schema.json", "inner/values.schema.json")
    os.remove(inner / "values.schema.json")
    inner.rmdir()


OUTSIDE = '{{"properties": {{"size": {{"$ref": "{}"}}}}}}'


@FAKE
@pytest.mark.parametrize(
    "put",
    [
        pytest.param(lambda chart, text: (chart / "values.schema.json").write_text(text), id="the chart's"),
        pytest.param(lambda chart, text: packed(chart / "charts", text), id="a packed chart's"),
    ],
)
@pytest.mark.parametrize("reference", ["https://evil.example/s.json", "file:///etc/passwd", "other.json"])
async def test_schema_that_refers_to_what_is_not_in_it_is_refused(
    upstream: Upstream, repositories: Repositories, put: Callable[[Path, str], Any], reference: str
) -> None:
    commit(upstream, CHART)
    (upstream.path / "chart" / "charts").mkdir()
    put(upstream.path / "chart", OUTSIDE.format(reference))
    at = upstream.commit("a schema")

    assert f"refers to '{reference}'" in await refused(repositories, upstream, at, chart())


@FAKE
async def test_schema_of_its_own_is_none_to_refuse(upstream: Upstream, repositories: Repositories) -> None:
    draft = '"$schema": "http://json-schema.org/draft-07/schema#"'
    schema = "{" + draft + ', "$ref": "#/definitions/a", "definitions": {"a": {}}}'
    at = commit(upstream, {**CHART, "chart/values.schema.json": schema})

    assert await objects(repositories, upstream, at, chart())
