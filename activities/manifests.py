"""The manifests of a change, read from Git at the recorded commit and held to the target's namespace."""

import base64
import json
from dataclasses import dataclass
from typing import Any, Protocol

import yaml

from holdpoint.clients.kinds import refusal
from holdpoint.ledger.tickets import StoredChange
from holdpoint.models.errors import StepConfig

MAX_OBJECTS = 500
"""More objects than this in one change are a mistake, and a snapshot of them would not be taken in time."""

MAX_BYTES = 2 * 1024 * 1024
"""The API server takes 1.5 MiB in one object; a file beyond this is not a manifest."""

MAX_VALUES, MAX_DEPTH = 200_000, 60
"""Bounds of one document with its aliases followed: a billion laughs ends here."""


class Files(Protocol):
    """What is needed of the Git client."""

    async def read(self, repository: str, commit: str, path: str) -> bytes:
        """Return one file at one commit."""


@dataclass(frozen=True)
class Manifest:
    """One object and the path it was read from."""

    path: str
    object: dict[str, Any]


async def load(repositories: Files, stored: StoredChange) -> list[dict[str, Any]]:
    """Return the objects of `spec.source.paths`, in order, each with its namespace.

    Raises StepConfig naming the path when an object is not one that a change may apply.
    """
    return [manifest.object for manifest in await load_with_paths(repositories, stored)]


async def load_with_paths(repositories: Files, stored: StoredChange) -> list[Manifest]:
    """Return the same as `load`, each object with its path."""
    spec = stored.change.spec
    found: list[Manifest] = []
    for path in spec.source.paths:
        data = await repositories.read(stored.repository, stored.commit, path)
        found += [
            Manifest(path, _checked(path, item, spec.target.namespace)) for item in _documents(path, data)
        ]
    _check_set(found)
    return found


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


class _Loader(yaml.SafeLoader):
    """Reads plain JSON values: what looks like a date stays text, as the API server would have it."""

    yaml_implicit_resolvers = {
        first: [(tag, form) for tag, form in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _documents(path: str, data: bytes) -> list[Any]:
    """Return the documents of one file, bounded in size also after aliases are followed."""
    if len(data) > MAX_BYTES:
        raise StepConfig(
            f"Manifest too large: {path} has {len(data)} bytes, at most {MAX_BYTES} are allowed."
        )
    try:
        _check_aliases(data)
        documents = [item for item in yaml.load_all(data, Loader=_Loader) if item is not None]
        for item in documents:
            _count_values(item, 0, 0)
            json.dumps(item, allow_nan=False)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, TypeError, RecursionError) as error:
        raise StepConfig(f"Manifest is not valid YAML: {path}: {error}") from error
    return documents


def _check_aliases(data: bytes) -> None:
    """Raise ValueError when following the aliases could take long.

    Merges copy what they name while parsing.
    """
    limit = 20 if b"<<" in data else 1000
    if sum(isinstance(event, yaml.AliasEvent) for event in yaml.parse(data, Loader=_Loader)) > limit:
        raise ValueError(f"more than {limit} YAML aliases")


def _count_values(node: Any, count: int, depth: int) -> int:
    """Return how many values there are with aliases followed. Raises ValueError when there are too many."""
    if count > MAX_VALUES or depth > MAX_DEPTH:
        raise ValueError(f"more than {MAX_VALUES} values, or nested deeper than {MAX_DEPTH}")
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        count = _count_values(child, count + 1, depth + 1)
    return count


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


def _check_set(found: list[Manifest]) -> None:
    if not found:
        raise StepConfig("Nothing to apply: the files of spec.source.paths have no objects.")
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
