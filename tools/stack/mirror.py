"""A mirror of the cluster's pods, Services, routes and ReplicaSets, kept true by a watch of each."""

import asyncio
import json
import time
from typing import Any

import httpx

from holdpoint.sandbox.clock import from_text
from holdpoint.sandbox.controllers.pods import is_ready
from holdpoint.sandbox.kube.kinds import HTTP_ROUTES, PODS, REPLICA_SETS, SERVICES, Kind
from holdpoint.sandbox.store import Object

PATHS = {
    PODS.resource: "/api/v1/pods",
    SERVICES.resource: "/api/v1/services",
    REPLICA_SETS.resource: "/apis/apps/v1/replicasets",
    HTTP_ROUTES.resource: "/apis/gateway.networking.k8s.io/v1/httproutes",
}
AGAIN_SECONDS = 0.2
"""Pause before an API server that did not answer, or knew no more, is asked again: it does not call back."""
WATCH_SECONDS = 300
"""A watch ends by itself and is begun again where it stood, so that a dead connection is not waited for."""
GONE = 410


class Expired(Exception):
    """The watch's resource version is too old: the whole list must be had again."""


class Mirror:
    """The objects as last seen, and since when each pod has been ready."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._objects: dict[str, dict[tuple[str, str], Object]] = {kind: {} for kind in PATHS}
        self._ready_since: dict[str, float] = {}
        self._listed = {kind: asyncio.Event() for kind in PATHS}
        self._versions: dict[str, str] = {}

    def all(self, kind: Kind, namespace: str | None = None) -> list[Object]:
        """Return the objects of a kind, in one namespace or in all."""
        found = self._objects[kind.resource].items()
        return [body for (where, _), body in found if namespace in (None, where)]

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """Return one object, or None."""
        return self._objects[kind.resource].get((namespace, name))

    def ready_at(self, pod: Object) -> float:
        """Return since when a ready pod is ready (Unix seconds)."""
        return self._ready_since.get(pod["metadata"]["uid"], 0.0)

    async def listed(self) -> None:
        """Wait until every kind was listed once."""
        for event in self._listed.values():
            await event.wait()

    async def follow(self) -> None:
        """Keep the mirror true until cancelled, whatever becomes of the API server."""
        await asyncio.gather(*(self._follow(kind, path) for kind, path in PATHS.items()))

    async def _follow(self, kind: str, path: str) -> None:
        while True:
            try:
                if kind not in self._versions:
                    await self._list(kind, path)
                await self._watch(kind, path)
            except Expired:
                self._versions.pop(kind, None)
            except (httpx.HTTPError, ValueError, KeyError):
                pass  # it goes on where it stood
            else:
                continue
            await asyncio.sleep(AGAIN_SECONDS)  # an API server does not say when it is back

    async def _list(self, kind: str, path: str) -> None:
        answer = await self._http.get(path)
        answer.raise_for_status()
        found = answer.json()
        self._objects[kind] = {_key(body): body for body in found["items"]}
        for body in found["items"]:
            self._note_readiness(kind, body, gone=False)
        self._versions[kind] = str(found["metadata"]["resourceVersion"])
        self._listed[kind].set()

    async def _watch(self, kind: str, path: str) -> None:
        """Take over what a watch tells from where the last one stood. Raises Expired."""
        asked = {
            "watch": "true",
            "resourceVersion": self._versions[kind],
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        timeout = httpx.Timeout(10, read=WATCH_SECONDS + 10)
        async with self._http.stream("GET", path, params=asked, timeout=timeout) as answer:
            if answer.status_code == GONE:
                raise Expired
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                self._take(kind, json.loads(line))

    def _take(self, kind: str, event: dict[str, Any]) -> None:
        body = event["object"]
        if event["type"] == "ERROR":
            raise Expired
        if event["type"] != "BOOKMARK":
            gone = event["type"] == "DELETED"
            if gone:
                self._objects[kind].pop(_key(body), None)
            else:
                self._objects[kind][_key(body)] = body
            self._note_readiness(kind, body, gone=gone)
        self._versions[kind] = str(body["metadata"]["resourceVersion"])

    def _note_readiness(self, kind: str, body: Object, *, gone: bool) -> None:
        if kind != PODS.resource:
            return
        uid = body["metadata"]["uid"]
        if gone or not is_ready(body):
            self._ready_since.pop(uid, None)
        else:
            self._ready_since.setdefault(uid, _since(body))


def _since(pod: Object) -> float:
    """Return when a pod became ready: a condition tells whole seconds, so that a moment ago is now."""
    moments = [
        from_text(condition["lastTransitionTime"])
        for condition in pod["status"]["conditions"]
        if condition["type"] == "Ready" and condition.get("lastTransitionTime")
    ]
    now = time.time()
    return moments[0] if moments and now - moments[0] > 2 else now


def _key(body: Object) -> tuple[str, str]:
    return body["metadata"]["namespace"], body["metadata"]["name"]
