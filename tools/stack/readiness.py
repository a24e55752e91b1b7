"""Make pods of an image ready or unready: KWOK's stages are changed in the cluster, and it looks again."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime

import httpx

from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.sandbox.controllers.pods import images_of, is_ready
from holdpoint.sandbox.kube.kinds import PODS
from holdpoint.sandbox.store import Object
from tools.stack import stages
from tools.stack.cluster_contents import apply
from tools.stack.mirror import Mirror

TOUCHED = "stack.holdpoint.dev/touched"
LIMIT_SECONDS = 20.0
LOOK_SECONDS = 0.3
"""KWOK does not tell when it has taken a changed stage over, so that pods are touched until it has."""


class Readiness:
    """Decides which images' pods are never ready."""

    def __init__(self, http: httpx.AsyncClient, mirror: Mirror) -> None:
        self._http = http
        self._mirror = mirror

    async def change(self, image: str, never_ready: Iterable[str]) -> None:
        """Change the stages, and wait for this image's pods. Raises UpstreamUnavailable."""
        images = set(never_ready)
        for stage in stages.readiness_stages(images):
            await apply(self._http, stage)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + LIMIT_SECONDS
        while wrong := self._wrong(image, ready=image not in images):
            if loop.time() > deadline:
                raise UpstreamUnavailable(f"{len(wrong)} pods of {image} are not as ready as they shall be.")
            for pod in wrong:
                await self._touch(pod)
            await asyncio.sleep(LOOK_SECONDS)  # KWOK does not say that it has taken a stage over

    def _wrong(self, image: str, *, ready: bool) -> list[Object]:
        return [
            pod
            for pod in self._mirror.all(PODS)
            if image in images_of(pod)
            and "deletionTimestamp" not in pod["metadata"]
            and pod["spec"].get("nodeName")
            and pod.get("status", {}).get("phase") in ("Pending", "Running")
            and is_ready(pod) != ready
        ]

    async def _touch(self, pod: Object) -> None:
        """Change an annotation: only a pod that changes is looked at by KWOK."""
        where = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"
        await self._http.patch(
            where,
            json={"metadata": {"annotations": {TOUCHED: datetime.now(UTC).isoformat()}}},
            headers={"Content-Type": "application/merge-patch+json"},
        )
