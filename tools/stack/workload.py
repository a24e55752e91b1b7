"""`python -m tools.stack.workload PORT KUBECONFIG FILE`: what runs in the pods of the stand-in nodes.

It watches the cluster and serves at /metrics what its pods would: requests, errors and latencies, made by the
very code that makes the sandbox's, so that a query has the same answer on both. `POST /behave` takes what
`holdpoint sandbox behave` sends; FILE keeps it over a restart.
"""

import asyncio
import contextlib
import json
import ssl
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace as changed
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.sandbox.behaviour import Behaviour, Behaviours
from holdpoint.sandbox.prom.series import NAME, Database, Labels
from holdpoint.sandbox.prom.traffic import Traffic
from holdpoint.sandbox.steering import BEHAVIOUR, Mistake, read_behaviour, read_body
from tools.stack.mirror import Mirror
from tools.stack.place import write_json
from tools.stack.readiness import Readiness
from tools.stack.web import serve


class Workload:
    """The pods' metrics, and how the pods behave."""

    def __init__(self, http: httpx.AsyncClient, file: Path) -> None:
        self._file = file
        self._behaviours = Behaviours({asked.image: asked for asked in _kept(file)})
        self.mirror = Mirror(http)
        self._readiness = Readiness(http, self.mirror)
        self._database = Database()
        self._traffic = Traffic(self.mirror, self._behaviours, self.mirror, self._database)
        self._scraped = time.time()
        self._steering = asyncio.Lock()

    async def metrics(self, _: Request) -> Response:
        """Serve the requests since the last scrape, and answer with every pod's counters."""
        now = time.time()
        self._traffic.tick(now, now - self._scraped)
        self._scraped = now
        return PlainTextResponse(exposition(self._database))

    async def behave(self, request: Request) -> Response:
        """Take one image's behaviour; answer when its pods are as ready as they shall be."""
        try:
            behaviour = read_behaviour(await read_body(request, BEHAVIOUR))
        except Mistake as mistake:
            return JSONResponse({"error": str(mistake)}, 400)
        async with self._steering:
            before = self._never_ready()
            self._behaviours.set(behaviour)
            write_json(self._file, [asked.document() for asked in self._behaviours.by_image.values()])
            try:
                if self._never_ready() != before:
                    await self._readiness.change(behaviour.image, self._never_ready())
            except (UpstreamUnavailable, httpx.HTTPError) as error:
                return JSONResponse({"error": f"readiness could not be changed: {error}"}, 503)
        return JSONResponse(behaviour.document())

    async def state(self, _: Request) -> Response:
        """Answer with the behaviours that were asked for."""
        return JSONResponse({"behaviours": [b.document() for b in self._behaviours.by_image.values()]})

    async def ready(self, _: Request) -> Response:
        """Answer when the cluster's pods are known."""
        await self.mirror.listed()
        return PlainTextResponse("ok")

    def _never_ready(self) -> set[str]:
        return {asked.image for asked in self._behaviours.by_image.values() if asked.never_ready}


def exposition(database: Database) -> str:
    """Return the newest sample of every series in Prometheus' text format."""
    lines = [
        f"{series.labels[NAME]}{_braces(series.labels)} {series.values[-1]!r}"
        for target in database.targets
        if not target.ended and target.times
        for series in target.series
    ]
    return "\n".join(sorted(lines)) + "\n"


def application(server: str, authority: str, token: str, file: Path) -> Starlette:
    """Return the workload's HTTP server."""
    http = httpx.AsyncClient(
        base_url=server,
        verify=ssl.create_default_context(cafile=authority),
        headers={"Authorization": f"Bearer {token}"},
        timeout=10,
        trust_env=False,
    )
    workload = Workload(http, file)

    @contextlib.asynccontextmanager
    async def follow(_: Starlette) -> AsyncIterator[None]:
        following = asyncio.create_task(workload.mirror.follow())
        yield
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await http.aclose()

    routes = [
        Route("/metrics", workload.metrics),
        Route("/behave", workload.behave, methods=["POST"]),
        Route("/state", workload.state),
        Route("/ready", workload.ready),
    ]
    return Starlette(routes=routes, lifespan=follow)


def _kept(file: Path) -> list[Behaviour]:
    """Return what was asked for before a restart; delays begin anew."""
    if not file.exists():
        return []
    found: list[dict[str, Any]] = json.loads(file.read_text())
    return [changed(Behaviour(**document), set_at=time.time()) for document in found]


def _braces(labels: Labels) -> str:
    pairs = (f'{name}="{_escaped(text)}"' for name, text in sorted(labels.items()) if name != NAME)
    return "{" + ",".join(pairs) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _main() -> None:
    config = json.loads(Path(sys.argv[2]).read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    found = application(cluster["server"], cluster["certificate-authority"], user["token"], Path(sys.argv[3]))
    serve(found, int(sys.argv[1]))


if __name__ == "__main__":
    _main()
