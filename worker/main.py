"""The worker: reads nothing but its settings, builds the clients, and runs workflows and activities.

Several workers may run beside each other; each also runs the reconciler, which is safe to run more than once.
"""

import asyncio
import signal

import structlog
from temporalio.client import Client

from holdpoint.clients.kubernetes import check_clusters
from holdpoint.clients.payloads import data_converter
from holdpoint.clients.temporal import LazyTemporal
from holdpoint.ledger.store import Ledger
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.settings import Settings
from holdpoint.service import process_end
from holdpoint.service.process_end import end_within
from holdpoint.telemetry import logs, traces
from holdpoint.telemetry.metrics import Metrics
from holdpoint.telemetry.traces import Traces
from worker import bytecode
from worker.assembly import Parts, assemble
from worker.catalog_watch import CatalogWatch
from worker.executions import Executions
from worker.health import Health, ledger_answers, listening, temporal_answers
from worker.reconciler import Reconciler
from worker.rounds import pause
from worker.takeover import adopt_open_workflows, make_current
from worker.temporal import build_worker, connect, measured_runtime
from worker.versioning import build_of
from workflows.closing import CloseAbandoned
from workflows.rollout import Rollout
from workflows.ticket import ChangeTicket

log = structlog.get_logger()

WORKFLOWS = (ChangeTicket, Rollout, CloseAbandoned)

CONNECT_EVERY = 0.5
"""Seconds between two tries to reach Temporal: a worker waits for it, whoever is started first."""

AFTER_THE_WORKER = 0.3
"""Seconds to let the core's threads end. Without them the interpreter crashed at exit 9 times in 20 when
workflows were open at a worker's shutdown (CPython 3.11); with them 0 times in 20. There is no event to
wait for."""


def run(settings: Settings) -> None:
    """Run a worker until SIGTERM or SIGINT, then drain: running activities may end, nothing new is taken."""
    logs.configure(level=settings.log_level)
    tracing = traces.start(settings.otlp_endpoint, service="holdpoint-worker")
    process_end.run(_until_signal(settings, tracing))


async def _until_signal(settings: Settings, tracing: Traces) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def begin_to_stop() -> None:
        stop.set()
        end_within(settings.drain)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, begin_to_stop)
    try:
        with bytecode.kept("workflows"):
            await serve(settings, stop, tracing)
    finally:
        tracing.close()


async def serve(settings: Settings, stop: asyncio.Event, tracing: Traces) -> None:
    """Run a worker until `stop` is set. Raises SettingsError before anything is waited for."""
    check_clusters(settings.clusters)
    for warning in settings.warnings():
        log.warning("settings.weak", warning=warning)
    metrics = Metrics()
    health = Health(metrics)
    async with listening(health, settings.health_address):
        await _migrated(settings)
        client = await _reach_temporal(settings, stop, tracing)
        if client is None:
            return
        if settings.embedded:
            await make_current(client, build_of(settings))
        async with assemble(settings, client, metrics) as parts:
            health.checks = {"temporal": temporal_answers(client), "ledger": ledger_answers(parts.ledger)}
            await _work(settings, stop, client, parts, health)
            await asyncio.sleep(AFTER_THE_WORKER)
    log.info("worker.stopped")


async def _migrated(settings: Settings) -> None:
    """Have the ledger's tables at this release or newer; a ledger that is away is waited for by who asks it.

    Raises SettingsError when they are older, and the worker's role may not migrate.
    """
    ledger = Ledger(settings.ledger_url, settings.ledger_password_file)
    try:
        await asyncio.to_thread(ledger.migrate)
    except UpstreamUnavailable as error:
        # Newer tables too: tickets that an older release began are ended by its workers.
        log.warning("ledger.awaited", error=str(error))
    finally:
        await asyncio.to_thread(ledger.close)


async def _work(
    settings: Settings, stop: asyncio.Event, client: Client, parts: Parts, health: Health
) -> None:
    """Take tasks until `stop` is set, then drain."""
    worker = build_worker(
        client,
        workflows=WORKFLOWS,
        activities=parts.activities,
        interceptors=parts.interceptors,
        drain=settings.drain,
        build=build_of(settings),
    )
    reconciler = Reconciler(
        ledger=parts.ledger,
        temporal=LazyTemporal(settings.temporal_address, settings.temporal_namespace, client.data_converter),
        executions=Executions(client),
        archive=settings.data / "archive",
        metrics=health.metrics,
    )
    catalog_watch = CatalogWatch(ledger=parts.ledger, path=settings.data / "catalog.yaml")
    async with worker:
        log.info("worker.started", build_id=build_of(settings), namespace=settings.temporal_namespace)
        if settings.embedded:
            await _adopt(client, build_of(settings))
        health.state = "ready"
        await asyncio.gather(reconciler.run(stop), catalog_watch.run(stop))
        health.state = "draining"
        log.info("worker.draining", seconds=settings.drain)


async def _adopt(client: Client, build: str) -> None:
    """Take over what older code began; a workflow that cannot be moved keeps nobody else waiting."""
    try:
        await adopt_open_workflows(client, build)
    except (UpstreamUnavailable, TimeoutError) as error:
        log.warning("workflow.not_moved", error=str(error))


async def _reach_temporal(settings: Settings, stop: asyncio.Event, tracing: Traces) -> Client | None:
    """Return a client as soon as Temporal answers; None if `stop` came first."""
    told, runtime = False, measured_runtime(settings.sdk_metrics_address)
    converter = data_converter(settings.payload_keys, settings.payload_key)
    while not stop.is_set():
        try:
            return await connect(
                settings.temporal_address,
                settings.temporal_namespace,
                converter,
                interceptors=tracing.interceptors,
                runtime=runtime,
            )
        except UpstreamUnavailable as error:
            if not told:
                log.warning("temporal.awaited", address=settings.temporal_address, error=str(error))
            told = True
        await pause(stop, CONNECT_EVERY)
    return None
