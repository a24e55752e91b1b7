"""The worker: reads nothing but its settings, builds the clients, and runs workflows and activities.

Several workers may run beside each other; each also runs the reconciler, which is safe to run more than once.
"""

import asyncio
import signal

import structlog
from temporalio.client import Client

from holdpoint.clients.payloads import data_converter
from holdpoint.clients.temporal import LazyTemporal
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.settings import Settings
from worker import logs
from worker.assembly import assemble
from worker.catalog_watch import CatalogWatch
from worker.executions import Executions
from worker.reconciler import Reconciler
from worker.takeover import adopt_open_workflows, make_current
from worker.temporal import build_worker, connect
from worker.versioning import build_id
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
    logs.configure()
    asyncio.run(_until_signal(settings))


async def _until_signal(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serve(settings, stop)


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Run a worker until `stop` is set."""
    for warning in settings.warnings():
        log.warning("settings.weak", warning=warning)
    client = await _reach_temporal(settings, stop)
    if client is None:
        return
    if settings.embedded:
        await make_current(client)
    async with assemble(settings, client) as parts:
        worker = build_worker(
            client, workflows=WORKFLOWS, activities=parts.activities, interceptors=parts.interceptors
        )
        reconciler = Reconciler(
            ledger=parts.ledger,
            temporal=LazyTemporal(
                settings.temporal_address, settings.temporal_namespace, client.data_converter
            ),
            executions=Executions(client),
            archive=settings.data / "archive",
        )
        catalog_watch = CatalogWatch(ledger=parts.ledger, path=settings.data / "catalog.yaml")
        async with worker:
            log.info("worker.started", build_id=build_id(), namespace=settings.temporal_namespace)
            if settings.embedded:
                await _adopt(client)
            await asyncio.gather(reconciler.run(stop), catalog_watch.run(stop))
            log.info("worker.draining")
        await asyncio.sleep(AFTER_THE_WORKER)
    log.info("worker.stopped")


async def _adopt(client: Client) -> None:
    """Take over what older code began; a workflow that cannot be moved keeps nobody else waiting."""
    try:
        await adopt_open_workflows(client)
    except (UpstreamUnavailable, TimeoutError) as error:
        log.warning("workflow.not_moved", error=str(error))


async def _reach_temporal(settings: Settings, stop: asyncio.Event) -> Client | None:
    """Return a client as soon as Temporal answers; None if `stop` came first."""
    told = False
    converter = data_converter(settings.payload_keys, settings.payload_key)
    while not stop.is_set():
        try:
            return await connect(settings.temporal_address, settings.temporal_namespace, converter)
        except UpstreamUnavailable as error:
            if not told:
                log.warning("temporal.awaited", address=settings.temporal_address, error=str(error))
            told = True
        await pause(stop, CONNECT_EVERY)
    return None


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait for `stop`, at most so many seconds."""
    try:
        await asyncio.wait_for(stop.wait(), timeout=seconds)
    except TimeoutError:
        return
