"""What one look of a check sees in tests: metrics, a cluster and files that are in memory."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import yaml

from activities.checks.activity import look
from activities.checks.kind import Found, Means, Scene
from holdpoint.clients.cluster import Cluster
from holdpoint.clients.git_rendering import Rendered
from holdpoint.clients.metrics import NullMetrics, Query, Sample
from holdpoint.ledger.tickets import StoredChange
from holdpoint.models.change import Change
from holdpoint.models.checks import CheckSpec, planned
from holdpoint.models.errors import InvalidChange
from holdpoint.models.record import ObjectRef

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
COMMIT = "0123456789" * 4
HEX = "ab" * 32
IMAGE = f"registry.example:5000/shop@sha256:{HEX}"
PATH = "shop.yaml"


class Answers(NullMetrics):
    """Metrics that answer with what they are given, an error too."""

    def __init__(self, *answers: list[Sample] | Exception, after: float = 0.0) -> None:
        self.answers, self.after = list(answers), after
        self.asked: list[str] = []

    async def samples(self, query: Query) -> list[Sample]:
        self.asked.append(query.text)
        await asyncio.sleep(self.after)  # how long the server takes; 0 yields once
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Objects:
    """A cluster of these objects. Only what checks need of it: to read and to list."""

    name = "sandbox"

    def __init__(self, *objects: dict[str, Any]) -> None:
        self.objects = objects

    async def read(self, ref: ObjectRef) -> dict[str, Any] | None:
        named = [o for o in self.objects if (o["kind"], o["metadata"]["name"]) == (ref.kind, ref.name)]
        return named[0] if named else None

    async def list(
        self, api_version: str, kind: str, namespace: str, label_selector: str = ""
    ) -> list[dict[str, Any]]:
        wanted = dict(pair.split("=") for pair in label_selector.split(","))
        return [
            o
            for o in self.objects
            if o["kind"] == kind and wanted.items() <= o["metadata"].get("labels", {}).items()
        ]


class Files:
    """The files of the one commit."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    async def read(self, repository: str, commit: str, path: str) -> bytes:
        if commit != COMMIT or path not in self.files:
            raise InvalidChange(f"There is no {path}.", mistakes=[])
        return self.files[path]

    async def render(self, repository: str, commit: str, wanted: Rendered) -> bytes:
        raise AssertionError("nothing is rendered here")


def a_scene(
    *,
    metrics: Answers | None = None,
    objects: tuple[dict[str, Any], ...] = (),
    files: dict[str, bytes] | None = None,
    images: tuple[str, ...] = (IMAGE,),
    keys: Path | None = None,
    kept: Path | None = None,
) -> Scene:
    """Return what a look sees."""
    return Scene(
        stored=a_stored_change(),
        cluster=cast("Cluster", Objects(*objects)),
        metrics=metrics or Answers(),
        repositories=Files({PATH: yaml.safe_dump(_deployment(images)).encode(), **(files or {})}),
        means=Means(keys=keys, files=kept),
        now=NOW,
    )


async def looked(scene: Scene, **spec: Any) -> Found:
    """Return what one attempt of a check finds."""
    [check] = planned([CheckSpec.model_validate({"name": "it", **spec})], "plan")
    return await look(check, scene)


def a_stored_change() -> StoredChange:
    document = {
        "apiVersion": "holdpoint.dev/v1",
        "kind": "Change",
        "metadata": {"title": "shop", "service": "shop", "environment": "staging"},
        "spec": {
            "source": {"repository": "https://git.example/shop.git", "revision": "v1", "paths": [PATH]},
            "target": {"cluster": "sandbox"},
            "plan": {"steps": [{"apply": {}}]},
        },
    }
    return StoredChange(
        ticket="chg-1",
        change=Change.model_validate(document),
        commit=COMMIT,
        repository="https://git.example/shop.git",
        requester="ci",
        digest="sha256:" + "0" * 64,
    )


def _deployment(images: tuple[str, ...]) -> dict[str, Any]:
    containers = [{"name": f"c{number}", "image": image} for number, image in enumerate(images)]
    spec = {
        "selector": {"matchLabels": {"app": "shop"}},
        "template": {"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": containers}},
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"}, "spec": spec}
