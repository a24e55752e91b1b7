"""Run the API process: build the parts from the settings, and serve until SIGTERM or SIGINT."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from types import FrameType

import structlog
import uvicorn

from holdpoint.api.app import create_app
from holdpoint.api.dependencies import Parts
from holdpoint.clients.git import Repositories
from holdpoint.clients.kubernetes import Clusters
from holdpoint.clients.payloads import data_converter
from holdpoint.clients.rendering import Renderers
from holdpoint.clients.temporal import LazyTemporal
from holdpoint.ledger.blobs import Blobs
from holdpoint.ledger.shared_blobs import open_blobs
from holdpoint.ledger.signing import Signer
from holdpoint.ledger.store import Ledger
from holdpoint.models.errors import SettingsError
from holdpoint.models.server_addresses import split_address
from holdpoint.models.settings import Settings
from holdpoint.service import process_end
from holdpoint.service.feed import Feed
from holdpoint.service.outbox import Delivery
from holdpoint.service.preview import Evaluator, NoEvaluator
from holdpoint.service.process_end import end_within
from holdpoint.service.tokens import verifier_of
from holdpoint.telemetry import traces
from holdpoint.telemetry.measured import MeasuredLedger
from holdpoint.telemetry.metrics import Metrics
from holdpoint.telemetry.traces import Traces

log = structlog.get_logger()

LEDGER_PATIENCE = 10.0
"""Seconds that a request waits for the ledger before it is answered with 503 and Retry-After."""

Evaluation = Callable[[Ledger, Repositories, Clusters, Blobs], AbstractAsyncContextManager[Evaluator]]
"""How a composition root above gives the evaluation, which this layer may not import."""


def no_evaluation(
    ledger: Ledger, repositories: Repositories, clusters: Clusters, blobs: Blobs
) -> AbstractAsyncContextManager[Evaluator]:
    """Return the null: everything works but the dry run and the policy check."""
    return nullcontext(NoEvaluator())


def run(settings: Settings, *, evaluation: Evaluation = no_evaluation) -> None:
    """Serve until a signal. Raises SettingsError, also when the port is taken."""
    tracing = traces.start(settings.otlp_endpoint, service="holdpoint-api")
    with _listen(settings.api_address) as listener:
        process_end.run(serve(settings, listener, evaluation, tracing))


def _listen(address: str) -> socket.socket:
    host, port = split_address(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        raise SettingsError(f"api_address: cannot listen on {address}: {error.strerror or error}.") from error


async def serve(settings: Settings, listener: socket.socket, evaluation: Evaluation, tracing: Traces) -> None:
    """Serve on a listening socket until a signal."""
    for warning in settings.warnings():
        log.warning("settings.weak", warning=warning)
    async with built(settings, evaluation, tracing) as parts:
        config = uvicorn.Config(
            create_app(parts),
            access_log=False,
            log_config=None,
            lifespan="on",
            server_header=False,
            timeout_graceful_shutdown=max(1, round(settings.drain)),
        )
        try:
            await _Server(config, parts).serve([listener])
        finally:
            tracing.close()


class _Server(uvicorn.Server):
    """Lets long polls go when it is told to stop, so that a shutdown does not wait for them."""

    def __init__(self, config: uvicorn.Config, parts: Parts) -> None:
        super().__init__(config)
        self._parts = parts

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the shutdown."""
        if not self._parts.stopping.is_set():
            end_within(self._parts.settings.drain)
        self._parts.stopping.set()
        self._parts.feed.close()
        super().handle_exit(sig, frame)
        # uvicorn raises the signal again when it is done; an orderly stop is not a death by signal.
        self._captured_signals.clear()
        signal.signal(sig, signal.SIG_IGN)


@asynccontextmanager
async def built(settings: Settings, evaluation: Evaluation, tracing: Traces) -> AsyncIterator[Parts]:
    """Build the parts, bring the ledger's tables up to date, and close everything at the end.

    Raises SettingsError.
    """
    data = settings.data
    metrics = Metrics()
    ledger = MeasuredLedger(
        settings.ledger_url, settings.ledger_password_file, metrics, patience=LEDGER_PATIENCE
    )
    blobs = open_blobs(data, ledger)
    clusters = Clusters(settings.clusters)
    repositories = Repositories(
        data / "git",
        allow_local=settings.local_repositories,
        git_hosts=settings.git_hosts,
        renderers=Renderers(kustomize=settings.kustomize, helm=settings.helm),
        git_push=settings.git_push,
    )
    converter = data_converter(settings.payload_keys, settings.payload_key)
    temporal = LazyTemporal(
        settings.temporal_address, settings.temporal_namespace, converter, tracing.interceptors
    )
    try:
        await asyncio.to_thread(ledger.migrate)
        async with evaluation(ledger, repositories, clusters, blobs) as evaluator:
            yield Parts(
                settings=settings,
                ledger=ledger,
                blobs=blobs,
                temporal=temporal,
                codec=converter.payload_codec,
                repositories=repositories,
                clusters=clusters,
                evaluator=evaluator,
                signer=Signer.load_or_create(data / "keys"),
                archive=data / "archive",
                verifier=verifier_of(settings),
                delivery=Delivery(ledger=ledger, temporal=temporal),
                feed=Feed(ledger),
                metrics=metrics,
            )
    finally:
        await clusters.close()
        await asyncio.to_thread(ledger.close)
