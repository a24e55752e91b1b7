"""The web application: Kubernetes at the root, Prometheus and steering in folders of their own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from holdpoint.sandbox.cluster import Cluster
from holdpoint.sandbox.connections import Dropped, cut
from holdpoint.sandbox.kube.endpoint import KubernetesEndpoint
from holdpoint.sandbox.prom.endpoint import PrometheusEndpoint
from holdpoint.sandbox.steering import Steering

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def create_app(cluster: Cluster) -> Starlette:
    """Return the application; the cluster starts and stops with it."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        cluster.start()
        yield
        await cluster.stop()

    kubernetes, prometheus = KubernetesEndpoint(cluster), PrometheusEndpoint(cluster)
    steering = Steering(cluster)
    routes = [
        *(Route(path, _ready) for path in ("/readyz", "/livez", "/healthz")),
        Route("/sandbox/{action}", steering.answer, methods=METHODS),
        Route("/prometheus/{path:path}", prometheus.answer, methods=METHODS),
        Route("/{path:path}", kubernetes.answer, methods=METHODS),
    ]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={Dropped: cut})


async def _ready(_: Request) -> Response:
    return PlainTextResponse("ok")
