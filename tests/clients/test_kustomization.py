"""Whatever a kustomization names is a file or a folder of its commit, so that nothing is left to fetch."""

from collections.abc import Sequence

import pytest

from holdpoint.clients.git_tree import Entry
from holdpoint.clients.kustomization import Overlay


class Tree:
    """Files by path, as Git would show them."""

    def __init__(self, **files: str) -> None:
        self.files = {name.replace("__", "/") + ".yaml": text for name, text in files.items()}

    def look(self, paths: Sequence[str]) -> dict[str, Entry]:
        found = {}
        for path in paths:
            if path in self.files:
                mode = "120000" if self.files[path] == "link" else "100644"
                found[path] = Entry(path, mode, "blob", path, len(self.files[path]))
            elif any(file.startswith(f"{path}/") for file in self.files):
                found[path] = Entry(path, "040000", "tree", path, 0)
        return found

    def read(self, entry: Entry) -> bytes:
        return self.files[entry.path].encode()

    def closure(self, folder: str) -> list[str]:
        overlay = Overlay(self.look, self.read)
        overlay.add(folder)
        return sorted(overlay.files)


OWN = ("r", "crd", "conf", "p1", "p2", "p3", "re", "f1", "f2", "e1", "e2", "o")
FILES = {
    "base__kustomization": "resources: [x.yaml]",
    "base__x": "a: 1",
    "base__unused": "a: 1",
    "part__kustomization": "kind: Component",
    **{f"app__{name}": "a: 1" for name in OWN},
}
ALL_FIELDS = """
resources: [r.yaml, ../base/]
components: [../part]
crds: [crd.yaml]
configurations: [conf.yaml]
openapi: {path: o.yaml}
patches: [{path: p1.yaml}, {patch: '- op: remove'}]
patchesJson6902: [{path: p2.yaml}]
patchesStrategicMerge: [p3.yaml, "a: 1\\nb: 2\\n"]
replacements: [{path: re.yaml}, {source: {}, targets: []}]
configMapGenerator: [{name: a, files: [k=f1.yaml, f2.yaml], envs: [e1.yaml]}]
secretGenerator: [{name: b, env: e2.yaml, literals: ['url=https://a.example']}]
commonAnnotations: {see: 'https://a.example'}
"""


def test_files_of_all_fields_that_name_some_are_found() -> None:
    tree = Tree(app__kustomization=ALL_FIELDS, **FILES)
    found = tree.closure("app")

    others = ["app/kustomization.yaml", "base/kustomization.yaml", "base/x.yaml", "part/kustomization.yaml"]
    assert found == sorted([*(f"app/{name}.yaml" for name in OWN), *others])


def test_overlay_may_be_the_root_and_folders_may_name_each_other() -> None:
    tree = Tree(
        kustomization="resources: [a]",
        a__kustomization="resources: [../b]",
        b__kustomization="resources: [../a]",
    )

    assert len(tree.closure(".")) == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("resources: ['https://evil.example/x.yaml']", "nothing is fetched", id="a remote file"),
        pytest.param("resources: ['HTTP:x.yaml']", "nothing is fetched", id="a scheme without slashes"),
        pytest.param("resources: ['github.com/a/b//c?ref=v1']", "nothing is fetched", id="a repository"),
        pytest.param("resources: ['git@github.com:a/b']", "nothing is fetched", id="a repository over ssh"),
        pytest.param(
            "resources: [github.com/a/b]", "no file or folder of this commit", id="a bare repository"
        ),
        pytest.param("bases: [gh:a/b]", "nothing is fetched", id="a short repository"),
        pytest.param("Resources: ['https://evil.example']", "no field of a kustomization", id="another case"),
        pytest.param(
            "patches: [{Path: 'https://evil.example'}]", "no field that is known", id="a nested one"
        ),
        pytest.param("patches: [{path: 'https://evil.example'}]", "nothing is fetched", id="a patch"),
        pytest.param(
            "patchesStrategicMerge: ['https://evil.example']", "nothing is fetched", id="an old patch"
        ),
        pytest.param("openapi: {path: 'https://evil.example'}", "nothing is fetched", id="a schema"),
        pytest.param("crds: ['https://evil.example']", "nothing is fetched", id="definitions"),
        pytest.param(
            "configMapGenerator: [{name: a, files: ['k=https://evil.example']}]",
            "nothing is fetched",
            id="content",
        ),
        pytest.param("resources: [/etc/passwd]", "must be a path inside", id="an absolute path"),
        pytest.param("resources: [../../x]", "must be a path inside", id="a path out of the repository"),
        pytest.param("resources: [none.yaml]", "no file or folder of this commit", id="what is not there"),
        pytest.param("resources: [link.yaml]", "no file or folder of this commit", id="a link"),
        pytest.param("generators: [g.yaml]", "plugins are not run", id="a generator"),
        pytest.param("transformers: [g.yaml]", "plugins are not run", id="a transformer"),
        pytest.param("validators: [g.yaml]", "plugins are not run", id="a validator"),
        pytest.param("helmCharts: [{name: x}]", "use spec.source.helm", id="a chart"),
        pytest.param("resources: {a: b}", "must name files", id="a mapping"),
        pytest.param("patches: 1", "must name files", id="a number"),
        pytest.param("- a", "must be one mapping", id="a list"),
        pytest.param("a: [", "app/kustomization.yaml is not valid YAML: line 2", id="broken YAML"),
        pytest.param("resources: []\nresources: []", "stands twice", id="a field twice"),
    ],
)
def test_what_kustomize_could_fetch_or_run_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Tree(app__kustomization=text, app__link="link").closure("app")


def test_two_kustomizations_in_a_folder_are_refused() -> None:
    tree = Tree(app__kustomization="resources: []")
    tree.files["app/kustomization.yml"] = "resources: []"

    with pytest.raises(ValueError, match="more than one kustomization"):
        tree.closure("app")
