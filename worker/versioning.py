"""The worker's build ID: changed workflow code is a new version, and a ticket stays on the one it began with.

The ID covers what a workflow's replay depends on: our version, `workflows/` and `holdpoint/models/`.
"""

import hashlib
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from temporalio.common import VersioningBehavior
from temporalio.worker import WorkerDeploymentConfig, WorkerDeploymentVersion

import holdpoint.models.base as models
import workflows
from holdpoint.models.contracts import DEPLOYMENT
from holdpoint.models.settings import Settings


@lru_cache
def build_id() -> str:
    """Return this code's build ID, such as `0.1.0-3fa9c1d2`."""
    digest = hashlib.sha256()
    for folder in (Path(next(iter(workflows.__path__))), Path(models.__file__).parent):
        for file in sorted(folder.glob("**/*.py")):
            digest.update(file.relative_to(folder.parent).as_posix().encode() + b"\0")
            digest.update(file.read_bytes() + b"\0")
    try:
        release = version("holdpoint")
    except PackageNotFoundError:
        release = "source"
    return f"{release}-{digest.hexdigest()[:8]}"


def build_of(settings: Settings) -> str:
    """Return the build ID of a worker with these settings: as stated there, else this code's own."""
    return settings.build_id or build_id()


def deployment(build: str) -> WorkerDeploymentConfig:
    """Return how this worker presents itself to Temporal.

    Each workflow class says that it is pinned; the default says so for tasks that the SDK completes by itself
    (nothing was left to do in them). Without it such a task unpins the workflow, and its next one goes to
    whatever version is current.
    """
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment_name=DEPLOYMENT, build_id=build),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.PINNED,
    )
