"""The manifests of a change, as Git has them at the recorded commit, held to the target's namespace.

Plain files are read; an overlay or a chart is rendered from the same commit. Whatever looks at the objects
of a change gets them here, so that what is shown, applied, compared and undone is the same.
"""

import base64
from dataclasses import dataclass, field
from typing import Any, Protocol

from activities.chart_hooks import without_hooks
from activities.jobs import is_job, named_by_steps
from activities.naming import naming
from holdpoint.clients.git_rendering import FIELDS, Charted, Overlaid, Rendered
from holdpoint.clients.kinds import refusal
from holdpoint.clients.manifest_yaml import MAX_BYTES, read_documents
from holdpoint.clients.renderer_process import LARGEST_OUTPUT
from holdpoint.ledger.tickets import StoredChange
from holdpoint.models.change import Change
from holdpoint.models.errors import StepConfig

PATHS = "spec.source.paths"

MAX_OBJECTS = 500
"""More objects than this in one change are a mistake, and a snapshot of them would not be taken in time."""


class Files(Protocol):
    """What is needed of the Git client."""

    async def read(self, repository: str, commit: str, path: str) -> bytes:
        """Return one file at one commit."""

    async def render(self, repository: str, commit: str, wanted: Rendered) -> bytes:
        """Return what an overlay or a chart renders to at one commit."""


@dataclass(frozen=True)
class Manifest:
    """One object and the path that it comes from: its file, or the folder that was rendered."""

    path: str
    object: dict[str, Any]


@dataclass(frozen=True)
class Loaded:
    """The objects of a change in order, and what is left out of them, a sentence each."""

    manifests: list[Manifest]
    warnings: list[str]
    jobs: list[Manifest] = field(default_factory=list)
    """Those that a `job` step runs: nothing else applies or compares them."""

    @property
    def stated(self) -> list[dict[str, Any]]:
        """Return the objects that are applied, in order."""
        return [manifest.object for manifest in self.manifests]

    @property
    def all(self) -> list[dict[str, Any]]:
        """Return every object, the Jobs that steps run last."""
        return self.stated + [manifest.object for manifest in self.jobs]


async def load(repositories: Files, stored: StoredChange) -> list[dict[str, Any]]:
    """Return the objects of `spec.source` but the Jobs of steps, in order, each with its namespace.

    Raises StepConfig naming the path when an object is not one that a change may apply.
    """
    return [manifest.object for manifest in await load_with_paths(repositories, stored)]


async def load_with_paths(repositories: Files, stored: StoredChange) -> list[Manifest]:
    """Return the same as `load`, each object with its path."""
    return (await load_whole(repositories, stored)).manifests


async def load_whole(repositories: Files, stored: StoredChange) -> Loaded:
    """Return the same as `load_with_paths`, with what was left out."""
    spec = stored.change.spec
    whole = Loaded([], [])
    for index, path in enumerate(spec.source.paths):
        data = await repositories.read(stored.repository, stored.commit, path)
        with naming(f"{PATHS}[{index}]", path):
            _add(whole, path, _documents(path, data, MAX_BYTES), spec.namespace)
    for wanted in rendered_of(stored.change):
        data = await repositories.render(stored.repository, stored.commit, wanted)
        with naming(FIELDS[wanted.program.name], wanted.folder):
            documents = _documents(wanted.folder, data, LARGEST_OUTPUT)
            if isinstance(wanted, Charted):
                refuse = wanted.helm.hooks == "refuse"
                documents, said = without_hooks(wanted.folder, documents, refuse=refuse)
                whole.warnings.extend(said)
            _add(whole, wanted.folder, documents, spec.namespace)
    with naming("spec.source", ", ".join(spec.source.origins)):
        _check_set(whole.manifests, needed=spec.plan.applies)
    names = named_by_steps(stored.change)
    jobs = [manifest for manifest in whole.manifests if is_job(manifest.object, names)]
    rest = [manifest for manifest in whole.manifests if not is_job(manifest.object, names)]
    return Loaded(rest, whole.warnings, jobs)


def rendered_of(change: Change) -> list[Rendered]:
    """Return what of the change is rendered."""
    source, found = change.spec.source, list[Rendered]()
    if source.kustomize is not None:
        found.append(Overlaid(source.kustomize))
    if source.helm is not None:
        release = source.helm.release or change.metadata.service
        found.append(Charted(source.helm, release, change.spec.namespace))
    return found


def _add(whole: Loaded, path: str, documents: list[Any], namespace: str) -> None:
    whole.manifests.extend(Manifest(path, _checked(path, item, namespace)) for item in documents)


def images(manifests: list[dict[str, Any]]) -> list[str]:
    """Return every container image that the objects name, sorted, each once."""
    found: set[str] = set()
    for manifest in manifests:
        for pod in _pod_specs(manifest):
            for group in ("containers", "initContainers", "ephemeralContainers"):
                found |= {
                    str(c["image"]) for c in pod.get(group) or [] if isinstance(c, dict) and c.get("image")
                }
    return sorted(found)


def _pod_specs(node: Any) -> list[dict[str, Any]]:
    """Return every mapping below the node that looks like a pod's spec."""
    if isinstance(node, list):
        return [spec for item in node for spec in _pod_specs(item)]
    if not isinstance(node, dict):
        return []
    here = [node] if isinstance(node.get("containers"), list) else []
    return here + [spec for value in node.values() for spec in _pod_specs(value)]


def _documents(path: str, data: bytes, most: int) -> list[Any]:
    try:
        return read_documents(data, most=most)
    except ValueError as error:
        raise StepConfig(f"Manifest is not valid YAML: {path}: {error}.") from error


def _checked(path: str, item: Any, namespace: str) -> dict[str, Any]:
    """Return the object with its namespace, or raise StepConfig naming the path and what is wrong."""
    if not isinstance(item, dict) or not isinstance(item.get("metadata"), dict):
        raise StepConfig(f"Not a Kubernetes object: {path} has a document without metadata.")
    api_version, kind = str(item.get("apiVersion", "")), str(item.get("kind", ""))
    meta = item["metadata"]
    name = meta.get("name")
    if not isinstance(name, str) or not name:
        raise StepConfig(f"Object without a name: {path} has a {kind or 'document'} without metadata.name.")
    if said := refusal(api_version, kind):
        raise StepConfig(f"Cannot apply {kind} {name} of {path}: {said}")
    if meta.get("namespace", namespace) != namespace:
        raise StepConfig(
            f"Foreign namespace: {path} puts {kind} {name} into {meta['namespace']!r}, "
            f"but spec.target.namespace is {namespace!r}."
        )
    return _with_data({**item, "metadata": {**meta, "namespace": namespace}})


def _with_data(item: dict[str, Any]) -> dict[str, Any]:
    """Return a Secret with its `stringData` as `data`, which is how the API server keeps it.

    An applied `stringData` owns nothing of `data`: no undo could name what it wrote, nor take back a key.
    """
    text, data = item.get("stringData"), item.get("data") or {}
    if item["kind"] != "Secret" or not isinstance(text, dict) or not isinstance(data, dict):
        return item
    if not all(isinstance(value, str) for value in text.values()):
        return item  # the API server tells what is wrong with it
    plain = {name: base64.b64encode(value.encode()).decode() for name, value in text.items()}
    rest = {name: value for name, value in item.items() if name != "stringData"}
    return {**rest, "data": {**data, **plain}}


def _check_set(found: list[Manifest], *, needed: bool) -> None:
    """Hold that there are objects where some are needed, not too many of them, and each once."""
    if not found and needed:
        raise StepConfig("Nothing to apply: what spec.source names has no objects.")
    if len(found) > MAX_OBJECTS:
        raise StepConfig(f"Too many objects: {len(found)}, at most {MAX_OBJECTS} in one change.")
    seen: dict[tuple[str, str], str] = {}
    for manifest in found:
        key = manifest.object["kind"], manifest.object["metadata"]["name"]
        if key in seen:
            raise StepConfig(
                f"Object stated twice: {key[0]} {key[1]} is in {seen[key]} and again in {manifest.path}."
            )
        seen[key] = manifest.path
