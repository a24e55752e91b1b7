"""Prometheus over HTTP: parameters from the query or a form, and the faults."""

import asyncio
from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from holdpoint.sandbox.cluster import Cluster
from holdpoint.sandbox.connections import Dropped
from holdpoint.sandbox.prom.api import QueryApi, failure

_BUILD = {
    "version": "3.0.0-holdpoint-sandbox",
    "revision": "",
    "branch": "",
    "buildUser": "",
    "goVersion": "",
}


class PrometheusEndpoint:
    """Answers every path below /prometheus. Like a Prometheus as it comes, it asks for no token."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._api = QueryApi(cluster.evaluator)

    async def answer(self, request: Request) -> Response:
        """Answer one request; raises Dropped when the fault says that no answer comes."""
        fault = self._cluster.faults.now("prometheus")
        if fault and fault.mode == "down":
            raise Dropped
        if fault and fault.mode in ("error", "busy"):
            return _answered(failure(503, "unavailable", "the sandbox was asked to answer with errors"))
        if fault:
            await asyncio.sleep(fault.delay)
        match request.path_params["path"], request.method:
            case ("api/v1/query" | "api/v1/query_range") as path, "GET" | "POST":
                return _answered(self._api.answer(path.rpartition("/")[2], await _parameters(request)))
            case "api/v1/status/buildinfo", "GET":
                return _answered((200, {"status": "success", "data": _BUILD}))
            case (("-/ready" | "-/healthy"), "GET"):
                return PlainTextResponse("Prometheus Server is Ready.\n")
        return PlainTextResponse("404 page not found\n", 404)


async def _parameters(request: Request) -> Mapping[str, str]:
    parameters = dict(request.query_params)
    if request.method == "POST":
        parameters |= dict(_form(await request.body()))
    return parameters


def _form(raw: bytes) -> list[tuple[str, str]]:
    return parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True)


def _answered(answer: tuple[int, object]) -> Response:
    code, document = answer
    return JSONResponse(document, code)
