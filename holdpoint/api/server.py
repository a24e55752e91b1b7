"""Run the API process: build the parts from the settings, and serve until SIGTERM or SIGINT."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import FrameType

import structlog
import uvicorn

from holdpoint.api.app import create_app
from holdpoint.api.dependencies import Parts
from holdpoint.clients.git import Repositories
from holdpoint.clients.kubernetes import Clusters
from holdpoint.clients.payloads import data_converter
from holdpoint.clients.temporal import LazyTemporal
from holdpoint.ledger.signing import Signer
from holdpoint.ledger.store import Ledger
from holdpoint.models.settings import Settings
from holdpoint.service.feed import Feed
from holdpoint.service.outbox import Delivery
from holdpoint.service.preview import Evaluator, NoEvaluator
from holdpoint.service.tokens import Verifier

log = structlog.get_logger()

HOST = "127.0.0.1"
LAST_ANSWERS = 5
"""Seconds that open requests get at a shutdown; long polls are let go at once."""

Evaluation = Callable[[Ledger, Repositories, Clusters], Evaluator]
"""How a composition root above gives the evaluation, which this layer may not import."""


def no_evaluation(ledger: Ledger, repositories: Repositories, clusters: Clusters) -> Evaluator:
    """Return the null: everything works but the dry run and the policy check."""
    return NoEvaluator()


def run(settings: Settings, *, port: int, host: str = HOST, evaluation: Evaluation = no_evaluation) -> None:
    """Serve until a signal. Raises SettingsError, and OSError when the port is taken."""
    with socket.create_server((host, port), backlog=256) as listener:
        asyncio.run(serve(settings, listener, evaluation))


async def serve(settings: Settings, listener: socket.socket, evaluation: Evaluation) -> None:
    """Serve on a listening socket until a signal."""
    for warning in settings.warnings():
        log.warning("settings.weak", warning=warning)
    async with built(settings, evaluation) as parts:
        config = uvicorn.Config(
            create_app(parts),
            access_log=False,
            log_config=None,
            lifespan="on",
            server_header=False,
            timeout_graceful_shutdown=LAST_ANSWERS,
        )
        await _Server(config, parts.feed).serve([listener])


class _Server(uvicorn.Server):
    """Lets long polls go when it is told to stop, so that a shutdown does not wait for them."""

    def __init__(self, config: uvicorn.Config, feed: Feed) -> None:
        super().__init__(config)
        self._feed = feed

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the shutdown."""
        self._feed.close()
        super().handle_exit(sig, frame)
        # uvicorn raises the signal again when it is done; an orderly stop is not a death by signal.
        self._captured_signals.clear()
        signal.signal(sig, signal.SIG_IGN)


@asynccontextmanager
async def built(settings: Settings, evaluation: Evaluation) -> AsyncIterator[Parts]:
    """Build the parts, bring the ledger's tables up to date, and close everything at the end."""
    data = settings.data
    ledger = Ledger(settings.ledger_url, settings.ledger_password_file)
    clusters = Clusters(settings.clusters)
    repositories = Repositories(data / "git", allow_local=settings.local_repositories)
    converter = data_converter(settings.payload_keys, settings.payload_key)
    temporal = LazyTemporal(settings.temporal_address, settings.temporal_namespace, converter)
    try:
        await asyncio.to_thread(ledger.migrate)
        yield Parts(
            settings=settings,
            ledger=ledger,
            temporal=temporal,
            codec=converter.payload_codec,
            repositories=repositories,
            clusters=clusters,
            evaluator=evaluation(ledger, repositories, clusters),
            signer=Signer.load_or_create(data / "keys"),
            archive=data / "archive",
            verifier=Verifier(data / "keys" / "issuer.pub" if settings.embedded else None),
            delivery=Delivery(ledger=ledger, temporal=temporal),
            feed=Feed(ledger),
        )
    finally:
        await clusters.close()
        await asyncio.to_thread(ledger.close)
