"""Build what the activities need from the settings: clients, ledger, and the activity classes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from temporalio.client import Client
from temporalio.worker import Interceptor

from activities.archive import ArchiveActivities
from activities.checks.activity import CheckActivities
from activities.checks.kind import Means
from activities.interceptor import RecordingInterceptor
from activities.rollout import RolloutActivities
from activities.takeover import TakeoverActivities
from activities.ticket import TicketActivities
from holdpoint.clients.catalog import Catalog
from holdpoint.clients.git import Repositories
from holdpoint.clients.http_peers import Peers
from holdpoint.clients.judges import Judges
from holdpoint.clients.kubernetes import Clusters
from holdpoint.clients.policy import OpaEngine
from holdpoint.clients.rendering import Renderers
from holdpoint.ledger.shared_blobs import open_blobs
from holdpoint.ledger.signing import Signer
from holdpoint.ledger.store import Ledger
from holdpoint.models.contracts import ACTIVITIES
from holdpoint.models.errors import SettingsError
from holdpoint.models.settings import Settings
from holdpoint.telemetry.measured import MeasuredLedger, MeasuredPolicy
from holdpoint.telemetry.metrics import Metrics
from worker.observed import ObservingInterceptor


@dataclass(frozen=True)
class Parts:
    """What the worker registers, and the ledger for its reconciler."""

    ledger: Ledger
    activities: list[Callable[..., Any]]
    interceptors: list[Interceptor]


@asynccontextmanager
async def assemble(
    settings: Settings, temporal: Client, metrics: Metrics | None = None
) -> AsyncIterator[Parts]:
    """Build the parts, and close their connections at the end. Raises SettingsError."""
    data, metrics = settings.data, metrics or Metrics()
    ledger = MeasuredLedger(settings.ledger_url, settings.ledger_password_file, metrics)
    clusters = Clusters(settings.clusters)
    judges = Judges(settings.judges)
    blobs = open_blobs(data, ledger)
    repositories = Repositories(
        data / "git",
        allow_local=settings.local_repositories,
        git_hosts=settings.git_hosts,
        renderers=Renderers(kustomize=settings.kustomize, helm=settings.helm),
        git_push=settings.git_push,
    )
    peers = Peers(settings.http_allow, settings.http_credentials)
    policy = OpaEngine(settings.opa_url, settings.opa_token_file, revision=settings.policy_revision)
    classes = (
        TicketActivities(
            ledger=ledger,
            blobs=blobs,
            policy=MeasuredPolicy(policy, metrics),
            catalog=Catalog(data / "catalog.yaml"),
            repositories=repositories,
            clusters=clusters,
            means=means_of(settings),
            peers=peers,
        ),
        CheckActivities(
            ledger=ledger, repositories=repositories, clusters=clusters, means=means_of(settings)
        ),
        RolloutActivities(
            ledger=ledger,
            blobs=blobs,
            repositories=repositories,
            clusters=clusters,
            judges=judges,
            peers=peers,
            branches=repositories.branches,
        ),
        TakeoverActivities(ledger=ledger, blobs=blobs, clusters=clusters),
        ArchiveActivities(
            ledger=ledger,
            signer=Signer.load_or_create(data / "keys"),
            archive_folder=data / "archive",
            temporal=temporal,
        ),
    )
    try:
        interceptors = [ObservingInterceptor(metrics), RecordingInterceptor(ledger)]
        yield Parts(ledger=ledger, activities=methods(*classes), interceptors=interceptors)
    finally:
        await policy.close()
        await clusters.close()
        await judges.close()
        await asyncio.to_thread(ledger.close)


def means_of(settings: Settings) -> Means:
    """Return what the settings allow checks to use."""
    peers = Peers(settings.http_allow)  # without credentials: a probe has none
    return Means(keys=settings.check_keys, files=settings.check_files, peers=peers)


def methods(*classes: object) -> list[Callable[..., Any]]:
    """Return every activity of the contract, found by name on the classes that carry them out."""
    found = [next((m for c in classes if (m := getattr(c, a.name, None))), None) for a in ACTIVITIES]
    missing = [named.name for named, method in zip(ACTIVITIES, found, strict=True) if method is None]
    if missing:
        raise SettingsError(f"No class carries out: {', '.join(missing)}.")
    return [method for method in found if method is not None]
